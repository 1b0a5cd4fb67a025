"""The speed at which somebody watches a video: its own."""

from collections.abc import Callable
from time import monotonic

from edgeclf.runtime.images.frame import Frame

_FRAME_S = 1 / 25
"""Numbered images have no times; FFmpeg, too, plays them at 25 a second."""
_LATE_S = 1.0
_LONGEST_S = 60.0
"""The longest wait for a frame: the times in a damaged video may be anything."""


class Playback:
    """When the frames of videos are due. A delay of more than a second is not made up for by playing faster."""

    def __init__(self, *, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._source = -1
        self._position_s = self._started = 0.0

    def wait_s(self, frame: Frame) -> float:
        """Seconds until this frame is due; 0 if it is late."""
        position_s = self._position_s + _FRAME_S if frame.position_s is None else frame.position_s
        wait_s = self._started + position_s - self._now()
        if frame.source != self._source or position_s < self._position_s or not -_LATE_S < wait_s < _LONGEST_S:
            wait_s = min(max(wait_s, 0.0), _LONGEST_S) if frame.source == self._source else 0.0
            self._started = self._now() + wait_s - position_s
        self._source, self._position_s = frame.source, position_s
        return max(0.0, wait_s)
