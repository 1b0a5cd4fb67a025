"""A camera that heals: a thread keeps its newest good picture, and opens it anew whenever it gives none."""

import threading
from collections.abc import Callable
from functools import partial

from edgeclf.runtime.console import note
from edgeclf.runtime.errors import DeviceError
from edgeclf.runtime.frames.capture import ANYTHING, Capture, Given, Wanted, open_capture, shown_name
from edgeclf.runtime.frames.clock import Clock, RealClock
from edgeclf.runtime.frames.decode import Pixels
from edgeclf.runtime.frames.frame import Frame
from edgeclf.runtime.frames.reader import Reader
from edgeclf.runtime.frames.symptoms import Judge, judge_for
from edgeclf.runtime.frames.vitals import Vitals

OPEN_S = 20.0
CLOSE_S = 3.0


class Camera:
    """One camera, read by a thread of its own from `start` to `close`.

    name: as rows and notes show it. new is set whenever there is a new picture, so that one loop can wait for several
    cameras: wait, clear, then take from each. report: gets a sentence when good pictures stop, and when they are back.
    """

    def __init__(
        self,
        name: str,
        open_capture: Callable[[], Capture],
        *,
        source: int = 0,
        judge: Judge | None = None,
        new: threading.Event | None = None,
        report: Callable[[str], None] = note,
        clock: Clock | None = None,
    ) -> None:
        self.name = shown_name(name)
        self._source = source
        self._new = new or threading.Event()
        self._clock = clock or RealClock()
        self._vitals = Vitals(self.name, report, self._clock.now())
        self._closing = threading.Event()
        self._opened = threading.Event()
        self._failure: Exception | None = None
        self._lock = threading.Lock()
        self._newest: Frame | None = None
        self._untaken = 0
        self._reader = Reader(open_capture, judge or judge_for(name), self._vitals, self._clock, self._closing, self._put)
        self._thread = threading.Thread(target=self._run, name=f"camera {self.name}", daemon=True)

    @classmethod
    def named(
        cls,
        name: str,
        wanted: Wanted = ANYTHING,
        *,
        accept: frozenset[str] = frozenset(),
        source: int = 0,
        new: threading.Event | None = None,
        report: Callable[[str], None] = note,
    ) -> "Camera":
        """The camera, stream or screen of one of `camera_names`. accept: as in Judge. Raises OptionError."""
        opener = partial(open_capture, name, wanted)
        return cls(name, opener, source=source, judge=judge_for(name, accept), new=new, report=report)

    def start(self) -> Given:
        """Wait until it is open. Raises DeviceError; then it is closed."""
        self._thread.start()
        if not self._clock.wait(self._opened, OPEN_S):
            self._closing.set()  # should it open yet, it is closed at once
            cure = "check its cable, its power or its network"
            raise DeviceError(f"camera {self.name} has not opened within {OPEN_S:.0f} s; {cure}")
        if self._failure:
            self._thread.join()
            raise self._failure
        assert self._reader.given
        return self._reader.given

    def take(self) -> Frame | None:
        """The newest good picture if nobody took it yet, at once. A bug that ended the thread is raised here."""
        if self._failure:
            raise self._failure
        self._vitals.check(self._clock.now())
        with self._lock:
            frame, self._newest = self._newest, None
        return frame

    def rest_until(self, moment: float) -> None:
        """Nobody wants a picture before this moment of the clock: until then none is decoded, which saves that work."""
        self._reader.rest_until = moment

    @property
    def dropped(self) -> int:
        """Good pictures that nobody took, and those that were not even decoded."""
        return self._untaken + self._reader.undecoded

    @property
    def trouble(self) -> str:
        """Why there is no good picture at present, half a sentence for people; empty while there are some."""
        return self._vitals.trouble

    @property
    def losses(self) -> int:
        """How often good pictures have stopped."""
        return self._vitals.losses

    @property
    def lost_s(self) -> float:
        """For how long in all, each time from the last good picture to the next."""
        return self._vitals.lost_s(self._clock.now())

    def silent_s(self) -> float:
        """How long ago the last good picture was, or the start; it grows while a read hangs, too."""
        return self._vitals.silent_s(self._clock.now())

    def close(self) -> None:
        """End the thread. One that hangs in a driver is left behind: it ends when that lets go, or with the process."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_S)

    def _run(self) -> None:
        try:
            capture = self._reader.open()
            self._vitals.good(self._clock.now())
            self._opened.set()
            self._reader.run(capture)
        except Exception as error:
            self._failure = error
        finally:
            self._opened.set()
            self._new.set()

    def _put(self, picture: Pixels, number: int, moment: float) -> None:
        name = f"{self.name}#frame={number}"
        picture.setflags(write=False)  # the judge compares the next one with it
        frame = Frame(name, picture, name, self._source, captured_at=moment)
        with self._lock:
            self._untaken += self._newest is not None
            self._newest = frame
        self._new.set()
