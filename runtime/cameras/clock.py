"""The clock of a camera, which tests replace to simulate hours in seconds."""

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """The only way in which a camera reads the time and waits."""

    def now(self) -> float:
        """Seconds since an arbitrary moment."""
        ...

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Sleep until the event is set, or for `seconds`. Returns whether it is set."""
        ...


class RealClock:
    """The clock of `time.monotonic`."""

    def now(self) -> float:
        return time.monotonic()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return event.wait(seconds)
