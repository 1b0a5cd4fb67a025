"""The viewers of a live run: a window, a page and a recording."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.live.health import Heartbeat
from edgeclf.runtime.live.viewers.display import window_problem
from edgeclf.runtime.live.viewers.page import PageViewer, open_page
from edgeclf.runtime.live.viewers.recorder import Recorder
from edgeclf.runtime.live.viewers.snapshot import Snapshot, Viewer
from edgeclf.runtime.live.viewers.window import WindowViewer
from edgeclf.runtime.terminal.console import note

_DEFAULT_ADDRESS, _ANY_FREE_PORT = ":8080", ":0"


class OpenViewers:
    """All open viewers, used as one. False if there are none."""

    def __init__(self, viewers: list[Viewer], window: WindowViewer | None = None, page: PageViewer | None = None) -> None:
        self._viewers = [*viewers, window] if window else viewers
        self._window = window
        self._page = page
        self._last: dict[str, Snapshot] = {}

    def __bool__(self) -> bool:
        return bool(self._viewers)

    @property
    def closed(self) -> bool:
        """Whether the user closed the window, which ends the run."""
        return self._window is not None and self._window.closed

    def show(self, snapshot: Snapshot) -> None:
        """Show a snapshot in every viewer."""
        if self._window:
            self._last[snapshot.source] = snapshot
        for viewer in self._viewers:
            viewer.show(snapshot)

    @property
    def shows_heat(self) -> bool:
        """Whether anybody looks at heatmaps now."""
        in_window = self._window is not None and self._window.shows_heat
        return in_window or (self._page is not None and self._page.shows_heat)

    @property
    def watched(self) -> bool:
        """Whether there is anything to look at."""
        return self._window is not None or self._page is not None

    def end(self, sentence: str) -> None:
        """Nothing more comes. The last images stay, and the page says the sentence."""
        if self._page:
            self._page.end(sentence)

    def refresh(self) -> None:
        """Keep the window responsive when there is nothing new to show."""
        for snapshot in self._last.values():
            if self._window:
                self._window.show(snapshot)


@contextmanager
def open_viewers(
    show: bool, view: str | None, recorder: Recorder | None, heartbeat: Heartbeat, preprocess: Preprocess | None = None
) -> Iterator[OpenViewers]:
    """Open the viewers that were asked for, and print the page's address. A window that cannot open becomes a page.

    heartbeat: what the page's /health reports. preprocess: of the model, for its heatmaps; None if it has none. Raises
    OptionError if the page cannot listen at its address.
    """
    with ExitStack() as opened:
        viewers: list[Viewer] = []
        if recorder:
            viewers.append(opened.enter_context(closing(recorder)))
        problem = window_problem() if show else ""
        if problem:
            note(problem)
        page = opened.enter_context(closing(_open_page(view, heartbeat, preprocess))) if view or problem else None
        if page:
            viewers.append(page)
            note("open this page in a browser to watch:")
            note(page.url)
        window = opened.enter_context(closing(WindowViewer(preprocess))) if show and not problem else None
        yield OpenViewers(viewers, window, page)


def _open_page(address: str | None, heartbeat: Heartbeat, preprocess: Preprocess | None) -> PageViewer:
    """address: None for the default one, or for any free port if that is taken."""
    if address:
        return open_page(address, heartbeat=heartbeat, preprocess=preprocess)
    try:
        return open_page(_DEFAULT_ADDRESS, heartbeat=heartbeat, preprocess=preprocess)
    except OptionError:
        return open_page(_ANY_FREE_PORT, heartbeat=heartbeat, preprocess=preprocess)
