"""A camera that plays a script on a simulated clock: hours pass in seconds, and every run is the same."""

import math
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from edgeclf.runtime.cameras.camera import Camera
from edgeclf.runtime.cameras.capture import open_capture
from edgeclf.runtime.cameras.settings import ActualSettings
from edgeclf.runtime.errors import DeviceError, ExitCode
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.images.frame import Frame

FPS = 30.0
DECODING_S = 0.004
TIMEOUT_S = 4.0
SIZES = {"wide": (24, 40)}
SMALL = (24, 32)
NEVER = threading.Event()

Script = Callable[[int, float], str]
"""The state of the camera at a read, by the number of the read (counted from 0) and the time: a state of FakeCamera."""


class ScriptedClock:
    """A clock for a fixed number of threads. One of them runs at a time; when all sleep, time jumps to the next waking."""

    def __init__(self, participants: int = 2) -> None:
        self._now = 1000.0
        self._participants = participants
        self._seen: set[threading.Thread] = set()
        self._sleepers: list[_Sleeper] = []
        self._lock = threading.Lock()

    def now(self) -> float:
        self._seen.add(threading.current_thread())
        return self._now

    def wait(self, event: threading.Event, seconds: float) -> bool:
        if event.is_set() or seconds <= 0:
            return event.is_set()
        sleeper = _Sleeper(event, self._now + seconds)
        sleeper.gate.acquire()
        with self._lock:
            self._sleepers.append(sleeper)
            self._wake_next()
        while not sleeper.gate.acquire(timeout=0.02):
            with self._lock:  # a thread may have ended without calling `leave`
                self._wake_next()
        return event.is_set()

    def leave(self) -> None:
        """The calling thread no longer takes part."""
        with self._lock:
            self._seen.discard(threading.current_thread())
            self._participants -= 1
            self._wake_next()

    def _wake_next(self) -> None:
        ended = {thread for thread in self._seen if not thread.is_alive()}
        self._seen -= ended
        self._participants -= len(ended)
        if not self._sleepers or len(self._sleepers) < self._participants:
            return
        called = [sleeper for sleeper in self._sleepers if sleeper.event.is_set()]
        sleeper = called[0] if called else min(self._sleepers, key=lambda sleeper: sleeper.until)
        if not called:
            self._now = max(self._now, sleeper.until)
        self._sleepers.remove(sleeper)
        sleeper.gate.release()


@dataclass(eq=False)
class _Sleeper:
    event: threading.Event
    until: float
    gate: threading.Lock = field(default_factory=threading.Lock)


class FakeCamera:
    """A camera that gives 30 frames of noise a second, 32 x 24. It can be open only once.

    States: good; wide (good, 40 x 24); equal (the same as the frame before); black; error (a read error); timeout (a read
    error after 4 s); raise (a read raises OSError); gone (the camera is missing); far (missing, noticed after 4 s); late
    (good, but opens only after 4 s); bug (a read raises ZeroDivisionError).
    """

    def __init__(self, clock: ScriptedClock, script: Script) -> None:
        self.opened = self.decoded = self.reads = 0
        self.tries: list[float] = []
        self.last_bad = -1.0
        self.is_open = False
        self._clock = clock
        self._script = script
        self._noise = np.random.default_rng(3)
        self._image = self._new_image("good")

    def open(self) -> "FakeCamera":
        self.tries = [*self.tries[-999:], self._clock.now()]
        state = self._script(self.reads, self._clock.now())
        self._clock.wait(NEVER, TIMEOUT_S if state in ("far", "late") else 0.0)
        if state in ("gone", "far"):
            self.last_bad = self._clock.now()
            raise DeviceError("there is no such camera")
        assert not self.is_open, "opened twice"
        self.is_open = True
        self.opened += 1
        self.actual = ActualSettings(SIZES.get(state, SMALL), FPS, "MJPG", "fake")
        return self

    def grab(self) -> bool:
        next_frame = math.floor(self._clock.now() * FPS + 1e-3) + 1
        self._clock.wait(NEVER, next_frame / FPS - self._clock.now())
        self._state = self._script(self.reads, self._clock.now())
        self.reads += 1
        if self._state not in ("good", "wide", "late"):
            self.last_bad = self._clock.now()
        if self._state == "bug":
            raise ZeroDivisionError("a bug")
        if self._state in ("raise", "gone", "far"):
            raise OSError("No such device")
        if self._state == "timeout":
            self._clock.wait(NEVER, TIMEOUT_S)
        return self._state not in ("error", "timeout")

    def retrieve(self) -> Pixels | None:
        self._clock.wait(NEVER, DECODING_S)
        self.decoded += 1
        if self._state != "equal":
            self._image = self._new_image(self._state)
        return self._image.copy()

    def close(self) -> None:
        self.is_open = False

    def _new_image(self, state: str) -> Pixels:
        if state == "black":
            return np.full((*SMALL, 3), self._noise.integers(0, 16), np.uint8)
        return self._noise.integers(0, 256, (*SIZES.get(state, SMALL), 3), dtype=np.uint8)


class CameraRun:
    """A camera that plays a script, and a consumer that takes a frame whenever there is a new one.

    reports: the sentences that the camera reported, unless `report` is given.
    """

    def __init__(self, script: Script, name: str = "webcam", report: Callable[[str], None] | None = None) -> None:
        self.clock = ScriptedClock()
        self.device = FakeCamera(self.clock, script)
        self.new_frame = threading.Event()
        self.reports: list[str] = []
        self.began = self.clock.now()
        self.camera = Camera(
            name, self.device.open, new_frame=self.new_frame, report=report or self.reports.append, clock=self.clock
        )

    def frames(self, seconds: float, work_s: float = 0.0) -> list[Frame]:
        """Let time pass, and return the frames taken; the consumer works on each for `work_s`."""
        until, taken = self.clock.now() + seconds, []
        while self.clock.now() < until - 1e-6:
            frame = self.next_frame(until - self.clock.now())
            if frame:
                taken.append(frame)
                self.clock.wait(NEVER, work_s)
        return taken

    def next_frame(self, within_s: float) -> Frame | None:
        self.clock.wait(self.new_frame, within_s)
        self.new_frame.clear()
        return self.camera.take()

    def __enter__(self) -> "CameraRun":
        self.actual = self.camera.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.clock.leave()
        self.camera.close()


def over_time(*steps: tuple[float, str]) -> Script:
    """`over_time((2, "good"), (60, "black"))`: good for two seconds, then black for a minute, then good for ever."""

    def script(number: int, now: float) -> str:
        left = now - 1000.0
        for seconds, state in steps:
            left -= seconds
            if left < 0:
                return state
        return "good"

    return script


def over_reads(*steps: tuple[int, str], repeat: bool = False) -> Script:
    """Like `over_time`, but the steps are counted in reads. repeat: start over at the end."""
    states = [state for count, state in steps for _ in range(count)]

    def script(number: int, now: float) -> str:
        if repeat:
            number %= len(states)
        return states[number] if number < len(states) else "good"

    return script


def without_numbers(sentence: str) -> str:
    """The sentence with N in place of each number and size.

    >>> without_numbers("back after 2.5 s; it now gives 40x24")
    'back after N s; it now gives N'
    """
    return re.sub(r"\d[\dx.]*", "N", sentence)


def open_error(name: str) -> str:
    """The message of the DeviceError with which opening the camera fails."""
    with pytest.raises(DeviceError) as caught:
        open_capture(name)
    assert caught.value.exit_code == ExitCode.DEVICE_UNAVAILABLE
    return str(caught.value)
