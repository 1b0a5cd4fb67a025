"""Time as a camera has it, so that a test can play hours of its life in seconds."""

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time and lets time pass; nothing else in a camera does."""

    def now(self) -> float:
        """Seconds since some moment."""
        ...

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Sleep until the event is set, but no longer than so; whether it is set."""
        ...


class RealClock:
    """As `time.monotonic` counts."""

    def now(self) -> float:
        return time.monotonic()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return event.wait(seconds)
