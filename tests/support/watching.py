"""Watching folders in tests without waiting."""

import time
from collections.abc import Callable, Iterator

from edgeclf.runtime.images.frame import Frame

Frames = Iterator[Frame | None]
Watch = Callable[..., Frames]


class Clock:
    """Stands in for the `time` module: sleeping takes no time, and only sleeping lets time pass."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, duration_s: float) -> None:
        self.now_s += duration_s


def arrived(frames: Frames, pauses: int = 25) -> list[str]:
    """The paths that come within this many pauses of 0.2 s by the clock, sorted."""
    found = []
    while pauses:
        frame = next(frames)
        if frame is None:
            pauses -= 1
        else:
            found.append(frame.path)
    time.sleep(0.02)  # file systems count time in steps of up to 10 ms: what changes from now on gets a later one
    return sorted(found)
