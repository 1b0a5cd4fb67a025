"""A live run in windows on the desktop. Check `window_problem` first: without a display, OpenCV ends the process."""

import time
from dataclasses import dataclass, replace

import cv2

from edgeclf.runtime.drawing.canvas import shrink
from edgeclf.runtime.drawing.heatmap import lay_over
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.live.viewers.overlay import draw_overlay
from edgeclf.runtime.live.viewers.snapshot import Snapshot
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.escaping import escape

_MAX_HW = (800, 1280)
_FRAME_S = 1 / 30
_PAUSE_FACTOR = 4
"""After showing an image, the window pauses for this many times as long, so the run keeps four fifths of the time."""
_ESCAPE_KEY = 27
_NO_HEATMAPS = "this model file has no heatmaps; export its Keras model again with clf-export --outputs all"
_FLAGS = cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL


class WindowViewer:
    """One window for each source, with at most 30 images a second. A `Viewer` for the main thread only.

    closed: the user pressed q or Esc in a window, or closed the last one. shows_heat: the user switched heatmaps on, with h.
    preprocess: of the model, for its heatmaps; None if it has none.
    """

    def __init__(self, preprocess: Preprocess | None = None) -> None:
        self.closed = False
        self.shows_heat = False
        self._preprocess = preprocess
        self._windows: dict[str, _Window] = {}

    def show(self, snapshot: Snapshot) -> None:
        """Show a snapshot, unless it is too early for another one. Keep calling: keys and clicks are handled here too."""
        started = time.perf_counter()
        window = self._windows.setdefault(snapshot.source, _Window(escape(snapshot.source)))
        if self.closed or started < window.paused_until:
            return
        if window.is_open:
            image = shrink(snapshot.image, *_MAX_HW)
            if self.shows_heat and self._preprocess and snapshot.heat is not None:
                image = lay_over(image, snapshot.heat, self._preprocess)
            window.show(replace(snapshot, image=image))
        self._handle_events()
        ended = time.perf_counter()
        pause_s = (ended - started) * _PAUSE_FACTOR * len(self._windows)
        window.paused_until = max(started + _FRAME_S, ended + pause_s)

    def close(self) -> None:
        """Close all windows."""
        self.closed = True
        cv2.destroyAllWindows()
        cv2.waitKey(1)  # they disappear only when events are handled

    def _handle_events(self) -> None:
        key = cv2.waitKey(1) & 0xFF  # cv2.pollKey is no faster with Qt, and some builds lack it
        if key == ord("h"):
            self._switch_heat()
        for window in self._windows.values():
            window.update_is_open()
        self.closed = key in (ord("q"), _ESCAPE_KEY) or not any(window.is_open for window in self._windows.values())

    def _switch_heat(self) -> None:
        if self._preprocess is None:
            note(_NO_HEATMAPS)
        else:
            self.shows_heat = not self.shows_heat


@dataclass
class _Window:
    """paused_until: as `time.perf_counter` counts."""

    title: str
    paused_until: float = 0.0
    is_open: bool = True
    _is_made: bool = False
    _was_visible: bool = False

    def show(self, snapshot: Snapshot) -> None:
        image = draw_overlay(snapshot)
        if not self._is_made:
            self._is_made = True
            cv2.namedWindow(self.title, _FLAGS)
            cv2.resizeWindow(self.title, image.shape[1], image.shape[0])
        cv2.imshow(self.title, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))

    def update_is_open(self) -> None:
        """Notice when the user closes the window. Some toolkits report visibility late or never, so only a window that was
        visible before counts as closed.
        """
        try:
            visible = cv2.getWindowProperty(self.title, cv2.WND_PROP_VISIBLE) > 0
        except cv2.error:  # Qt raises this for a closed window
            visible = False
        self.is_open = self.is_open and (visible or not self._was_visible)
        self._was_visible = self._was_visible or visible
