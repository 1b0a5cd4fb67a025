"""A live run in windows on the desktop. Ask `window_problem` first: where there is no display, OpenCV ends the process."""

import time
from dataclasses import dataclass, replace

import cv2

from edgeclf.runtime.live.viewers.overlay import draw, shrink
from edgeclf.runtime.live.viewers.snapshot import Snapshot
from edgeclf.runtime.terminal.escaping import escape

_LARGEST_HW = (800, 1280)
_FRAME_S = 1 / 30
_REST = 4
"""How many times as long as an image took nothing is shown, so that the run has four fifths of the time for itself."""
_ESCAPE = 27
_FLAGS = cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL


class WindowViewer:
    """One window for each source, at most some 30 images a second in each. A `Viewer`, for the main thread only.

    closed: someone pressed q or Esc in one of them, or closed the last one by its cross.
    """

    def __init__(self) -> None:
        self.closed = False
        self._windows: dict[str, _Window] = {}

    def show(self, snapshot: Snapshot) -> None:
        """Show it unless it is too early for another image. Keys and clicks are seen here, too, so keep calling."""
        started = time.perf_counter()
        window = self._windows.setdefault(snapshot.source, _Window(escape(snapshot.source)))
        if self.closed or started < window.rest_until:
            return
        if window.is_open:
            window.show(snapshot)
        self._look_for_the_end()
        ended = time.perf_counter()
        rest_s = (ended - started) * _REST * len(self._windows)
        window.rest_until = max(started + _FRAME_S, ended + rest_s)

    def close(self) -> None:
        """Close all windows."""
        self.closed = True
        cv2.destroyAllWindows()
        cv2.waitKey(1)  # they vanish when their events are handled

    def _look_for_the_end(self) -> None:
        """cv2.pollKey is no quicker with Qt, and missing in places."""
        key = cv2.waitKey(1) & 0xFF
        for window in self._windows.values():
            window.notice_closing()
        self.closed = key in (ord("q"), _ESCAPE) or not any(window.is_open for window in self._windows.values())


@dataclass
class _Window:
    """rest_until: by the performance counter."""

    title: str
    rest_until: float = 0.0
    is_open: bool = True
    _is_made: bool = False
    _was_visible: bool = False

    def show(self, snapshot: Snapshot) -> None:
        image = draw(replace(snapshot, image=shrink(snapshot.image, *_LARGEST_HW)))
        if not self._is_made:
            self._is_made = True
            cv2.namedWindow(self.title, _FLAGS)
            cv2.resizeWindow(self.title, image.shape[1], image.shape[0])
        cv2.imshow(self.title, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))

    def notice_closing(self) -> None:
        """By its cross. Only a window that was seen to be visible can be: some toolkits do not tell, or not at once."""
        try:
            visible = cv2.getWindowProperty(self.title, cv2.WND_PROP_VISIBLE) > 0
        except cv2.error:  # Qt has no window left
            visible = False
        self.is_open = self.is_open and (visible or not self._was_visible)
        self._was_visible = self._was_visible or visible
