"""A screen as a camera, with the extra `screen`."""

import time
from contextlib import suppress

import cv2
import numpy as np
from mss import MSS, ScreenShotError

from edgeclf.runtime.cameras.settings import ActualSettings, RequestedSettings
from edgeclf.runtime.errors import DeviceError, first_line
from edgeclf.runtime.images.decode import Pixels

_FPS = 10.0


class ScreenCapture:
    """A Capture of one monitor, numbered from 1, at the requested rate. Use it only in the thread that opened it."""

    def __init__(self, number: int, requested: RequestedSettings) -> None:
        """Raises DeviceError."""
        try:
            self._screens = MSS()
            monitors = self._screens.monitors[1:]
        except ScreenShotError as error:
            advice = "run it in a desktop session, or set DISPLAY"
            raise DeviceError(f"the screen cannot be captured: {first_line(error)}; {advice}") from None
        if not 1 <= number <= len(monitors):
            self._screens.close()
            there = "there is only screen:1" if len(monitors) == 1 else f"there are screen:1 to screen:{len(monitors)}"
            raise DeviceError(f"there is no screen:{number}; {there}")
        self._monitor = monitors[number - 1]
        self._interval_s = 1 / (requested.fps or _FPS)
        self._due = time.monotonic()
        self.actual = ActualSettings((self._monitor["height"], self._monitor["width"]), requested.fps or _FPS, "", "mss")

    def grab(self) -> bool:
        time.sleep(max(0.0, self._due - time.monotonic()))
        self._due = max(self._due, time.monotonic() - self._interval_s) + self._interval_s
        return True

    def retrieve(self) -> Pixels | None:
        """The screen as it is now. Raises OSError when the display is gone."""
        try:
            shot = self._screens.grab(self._monitor)
        except (ScreenShotError, AssertionError) as error:  # mss asserts that the display exists
            raise OSError(f"the display is gone: {first_line(error)}") from None
        pixels = np.frombuffer(shot.bgra, np.uint8).reshape(shot.height, shot.width, 4)
        return cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGB).astype(np.uint8, copy=False)

    def close(self) -> None:
        with suppress(ScreenShotError):  # its display is gone
            self._screens.close()
