"""All that a live run is seen on: a window, a page, a recording."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.live.health import Pulse
from edgeclf.runtime.live.viewers.display import window_problem
from edgeclf.runtime.live.viewers.page import PageViewer, open_page
from edgeclf.runtime.live.viewers.recorder import Recorder
from edgeclf.runtime.live.viewers.snapshot import Snapshot, Viewer
from edgeclf.runtime.live.viewers.window import WindowViewer
from edgeclf.runtime.terminal.console import note

_USUAL, _ANY_FREE = ":8080", ":0"


class Screens:
    """Several viewers as one."""

    def __init__(self, viewers: list[Viewer], window: WindowViewer | None = None) -> None:
        self._viewers = [*viewers, window] if window else viewers
        self._window = window
        self._last: dict[str, Snapshot] = {}

    def __bool__(self) -> bool:
        return bool(self._viewers)

    @property
    def closed(self) -> bool:
        """Whether the user closed the window, which ends the run."""
        return self._window is not None and self._window.closed

    def show(self, snapshot: Snapshot) -> None:
        """As `Viewer.show`."""
        if self._window:
            self._last[snapshot.source] = snapshot
        for viewer in self._viewers:
            viewer.show(snapshot)

    def refresh(self) -> None:
        """Keep a window alive while nothing new is to be seen."""
        for snapshot in self._last.values():
            if self._window:
                self._window.show(snapshot)


@contextmanager
def open_screens(show: bool, view: str | None, recorder: Recorder | None, pulse: Pulse) -> Iterator[Screens]:
    """What was asked for; in place of a window that cannot be opened, a page. Says on stderr where the page is.

    pulse: what the page's /health tells of. Raises OptionError for an address that cannot be had.
    """
    with ExitStack() as opened:
        viewers: list[Viewer] = []
        if recorder:
            viewers.append(opened.enter_context(closing(recorder)))
        problem = window_problem() if show else ""
        if problem:
            note(problem)
        if view or problem:
            viewers.append(page := opened.enter_context(closing(_open_page(view, pulse))))
            note(f"to be seen at {page.url}")
        window = opened.enter_context(closing(WindowViewer())) if show and not problem else None
        yield Screens(viewers, window)


def _open_page(address: str | None, pulse: Pulse) -> PageViewer:
    """address: None for the usual one, or another where that is taken."""
    if address:
        return open_page(address, pulse=pulse)
    try:
        return open_page(_USUAL, pulse=pulse)
    except OptionError:
        return open_page(_ANY_FREE, pulse=pulse)
