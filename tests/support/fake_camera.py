"""A camera that plays a script, by a clock whose time passes only while everybody sleeps: hours in seconds, always alike."""

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from edgeclf.runtime.cameras.camera import Camera
from edgeclf.runtime.cameras.settings import ActualSettings
from edgeclf.runtime.errors import DeviceError
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.images.frame import Frame

FPS = 30.0
DECODING_S = 0.004
TIMEOUT_S = 4.0
SIZES = {"wide": (24, 40)}
SMALL = (24, 32)
NEVER = threading.Event()

Script = Callable[[int, float], str]
"""What the camera does at its read of this number, counted from 0, at this time: a word of `Device`."""


class ScriptedClock:
    """So many threads take part. One of them runs at a time, and time passes when none does: to the next one's waking."""

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
            with self._lock:  # a thread may have ended without a word
                self._wake_next()
        return event.is_set()

    def leave(self) -> None:
        """The calling thread takes part no more."""
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


class Device:
    """A camera of 30 images a second, 32 x 24, noise.

    Words: good; wide (good, 40 x 24); equal (as the one before); black; error (a read error); timeout (one after 4 s);
    raise (OSError from a read); gone (it is not there); far (so, too, but that takes 4 s); late (good, but opens only after
    4 s); bug. It can be open only once.
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

    def open(self) -> "Device":
        self.tries = [*self.tries[-999:], self._clock.now()]
        word = self._script(self.reads, self._clock.now())
        self._clock.wait(NEVER, TIMEOUT_S if word in ("far", "late") else 0.0)
        if word in ("gone", "far"):
            self.last_bad = self._clock.now()
            raise DeviceError("there is no such camera")
        assert not self.is_open, "opened twice"
        self.is_open = True
        self.opened += 1
        self.given = ActualSettings(SIZES.get(word, SMALL), FPS, "MJPG", "fake")
        return self

    def grab(self) -> bool:
        next_image = math.floor(self._clock.now() * FPS + 1e-3) + 1
        self._clock.wait(NEVER, next_image / FPS - self._clock.now())
        self._word = self._script(self.reads, self._clock.now())
        self.reads += 1
        if self._word not in ("good", "wide", "late"):
            self.last_bad = self._clock.now()
        if self._word == "bug":
            raise ZeroDivisionError("a bug")
        if self._word in ("raise", "gone", "far"):
            raise OSError("No such device")
        if self._word == "timeout":
            self._clock.wait(NEVER, TIMEOUT_S)
        return self._word not in ("error", "timeout")

    def retrieve(self) -> Pixels | None:
        self._clock.wait(NEVER, DECODING_S)
        self.decoded += 1
        if self._word != "equal":
            self._image = self._new_image(self._word)
        return self._image.copy()

    def close(self) -> None:
        self.is_open = False

    def _new_image(self, word: str) -> Pixels:
        if word == "black":
            return np.full((*SMALL, 3), self._noise.integers(0, 16), np.uint8)
        return self._noise.integers(0, 256, (*SIZES.get(word, SMALL), 3), dtype=np.uint8)


class Life:
    """A camera of a script, and what is seen of it by a consumer that takes an image whenever there is a new one.

    said: what was reported, unless `report` is given.
    """

    def __init__(self, script: Script, name: str = "webcam", report: Callable[[str], None] | None = None) -> None:
        self.clock = ScriptedClock()
        self.device = Device(self.clock, script)
        self.new = threading.Event()
        self.said: list[str] = []
        self.began = self.clock.now()
        self.camera = Camera(name, self.device.open, new=self.new, report=report or self.said.append, clock=self.clock)

    def frames(self, seconds: float, work_s: float = 0.0) -> list[Frame]:
        """Let so much time pass; the consumer works on each image for so long."""
        until, taken = self.clock.now() + seconds, []
        while self.clock.now() < until - 1e-6:
            frame = self.next_frame(until - self.clock.now())
            if frame:
                taken.append(frame)
                self.clock.wait(NEVER, work_s)
        return taken

    def next_frame(self, within_s: float) -> Frame | None:
        self.clock.wait(self.new, within_s)
        self.new.clear()
        return self.camera.take()

    def __enter__(self) -> "Life":
        self.given = self.camera.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.clock.leave()
        self.camera.close()


def over_time(*steps: tuple[float, str]) -> Script:
    """`over_time((2, "good"), (60, "black"))`: good for two seconds, then black for a minute, then good for ever."""

    def script(number: int, now: float) -> str:
        left = now - 1000.0
        for seconds, word in steps:
            left -= seconds
            if left < 0:
                return word
        return "good"

    return script


def over_reads(*steps: tuple[int, str], repeat: bool = False) -> Script:
    """As `over_time`, counted in reads; for ever anew with `repeat`."""
    words = [word for count, word in steps for _ in range(count)]

    def script(number: int, now: float) -> str:
        if repeat:
            number %= len(words)
        return words[number] if number < len(words) else "good"

    return script
