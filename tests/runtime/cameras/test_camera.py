"""A camera heals: whatever happens to it, its newest good image is there again soon, and people hear of it once."""

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeclf.runtime.cameras import camera as camera_module
from edgeclf.runtime.cameras import capture
from edgeclf.runtime.cameras import status as status
from edgeclf.runtime.cameras.camera import Camera
from edgeclf.runtime.cameras.clock import RealClock
from edgeclf.runtime.cameras.settings import ActualSettings
from edgeclf.runtime.errors import DeviceError, OptionError
from edgeclf.runtime.images.decode import Pixels
from tests.support.fake_camera import DECODING_S, FPS, NEVER, SMALL, Life, Script, over_reads, over_time

FRAME_S = 1 / FPS


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    left = set(threading.enumerate()) - before
    assert [thread.name for thread in left if thread.name.startswith("camera ")] == []


def said_kinds(said: list[str]) -> dict[str, int]:
    """The sentences, without their numbers."""
    return dict(Counter(re.sub(r"\d[\dx.]*", "N", sentence) for sentence in said))


def test_start_says_what_the_camera_gives() -> None:
    with Life(over_time()) as life:
        assert life.given == ActualSettings(SMALL, FPS, "MJPG", "fake")


def test_camera_that_takes_long_to_open_has_not_been_silent() -> None:
    with Life(over_reads((1, "late"))) as life:
        assert life.camera.silent_s() < FRAME_S


def test_image_is_a_frame_with_its_number_and_time() -> None:
    with Life(over_time()) as life:
        first, second = life.frames(2 * FRAME_S + 2 * DECODING_S)

    assert (first.name, first.path, first.source) == ("webcam#frame=1", "webcam#frame=1", 0)
    assert second.name == "webcam#frame=2"
    assert first.captured_at == pytest.approx(life.began + FRAME_S, abs=FRAME_S)
    assert isinstance(first.image, np.ndarray)
    assert (first.image.shape, first.image.dtype) == ((*SMALL, 3), np.uint8)


def test_no_image_is_taken_twice() -> None:
    with Life(over_time()) as life:
        names = [frame.name for frame in life.frames(3)]
        assert life.camera.take() is None

    assert len(names) == len(set(names)) == pytest.approx(3 * FPS, abs=2)


def test_slow_consumer_gets_the_newest_and_the_others_are_counted() -> None:
    with Life(over_time()) as life:
        taken = life.frames(10, work_s=0.25)
        numbers = [int(frame.name.rpartition("=")[2]) for frame in taken]
        assert life.camera.dropped == pytest.approx(numbers[-1] - len(taken), abs=9)

    assert set(np.diff(numbers)) <= {7, 8}


def test_nothing_is_decoded_while_nobody_wants_an_image() -> None:
    with Life(over_time()) as life:
        while life.device.reads < 60 * FPS:
            if life.next_frame(0.2):
                life.camera.rest_until(life.clock.now() + 1)
            assert life.camera.silent_s() < 2 * FRAME_S
        reads, decoded = life.device.reads, life.device.decoded
        assert life.camera.dropped == pytest.approx(reads - decoded, abs=1)

    assert decoded == pytest.approx(58, abs=3)


def test_two_read_errors_are_tolerated() -> None:
    with Life(over_reads((30, "good"), (2, "error"), (30, "good"), (2, "error"))) as life:
        life.frames(5)

    assert (life.said, life.device.opened, life.camera.losses) == ([], 1, 0)


TROUBLES = {
    "read errors": (over_reads((30, "good"), (5, "error")), "webcam: it gives no images; reconnecting"),
    "an exception": (over_reads((30, "good"), (1, "raise")), "webcam: reading it failed: No such device; reconnecting"),
    "a frozen image": (
        over_reads((30, "good"), (60, "equal")),
        "webcam: the image is frozen (if it may stand still: --accept frozen); reconnecting",
    ),
    "a black image": (
        over_reads((30, "good"), (30, "black")),
        "webcam: the image is black (if it may be: --accept black); reconnecting",
    ),
    "another size": (
        over_reads((30, "good"), (600, "wide")),
        "webcam: the image changed from 32x24 to 40x24; reconnecting",
    ),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_trouble_is_said_once_when_it_begins_and_once_when_it_is_over(trouble: str) -> None:
    script, sentence = TROUBLES[trouble]
    with Life(script) as life:
        life.frames(10)
        assert (life.camera.trouble, life.camera.losses) == ("", 1)
        assert 0 < life.camera.lost_s < 3

    assert life.said[0] == sentence
    assert life.said[1:] == [said for said in life.said if said.startswith("webcam: back after ")]
    assert len(life.said) == 2
    assert life.device.opened >= 2


def test_size_that_changed_is_told_and_goes_on() -> None:
    with Life(over_reads((30, "good"), (600, "wide"))) as life:
        shapes = {frame.image.shape for frame in life.frames(10) if isinstance(frame.image, np.ndarray)}

    assert shapes == {(24, 32, 3), (24, 40, 3)}
    assert life.said[1].endswith("; it gives 40x24, 30 fps, MJPG (fake) now")


def test_trouble_is_why_there_is_no_image() -> None:
    with Life(over_time((1, "good"), (60, "black"))) as life:
        life.frames(10)
        assert life.camera.trouble.startswith("the image is black")
        assert life.camera.silent_s() == pytest.approx(9, abs=1)


def test_frozen_and_black_images_are_not_handed_out() -> None:
    with Life(over_time((1, "good"), (30, "equal"), (30, "black"))) as life:
        life.frames(3)
        frozen = life.frames(27)
        life.frames(2)
        black = life.frames(28)

    assert (frozen, black) == ([], [])


@pytest.mark.parametrize("word", ["equal", "black"])
def test_first_good_image_ends_the_trouble_at_once(word: str) -> None:
    with Life(over_time((1, "good"), (600, word))) as life:
        life.frames(601)
        (first, *_) = life.frames(0.1)

    assert life.device.opened < 20
    assert first.captured_at == pytest.approx(life.began + 601, abs=2 * FRAME_S)


def test_camera_that_is_gone_is_tried_again_every_five_seconds_and_reported_once() -> None:
    with Life(over_time((1, "good"), (3600, "gone"))) as life:
        life.frames(3600)
        tries = np.diff(life.device.tries[1:])
        assert life.camera.trouble == "there is no such camera"
        (first, *_) = life.frames(10)
        assert life.camera.lost_s == pytest.approx(3600, abs=6)

    assert list(tries[:5]) == pytest.approx([0.5, 1, 2, 4, 5])
    assert set(np.round(tries[5:], 6)) == {5}
    assert first.captured_at
    assert first.captured_at - life.began - 3601 < 6
    assert said_kinds(life.said) == {
        "webcam: reading it failed: No such device; reconnecting": 1,
        "webcam: back after N s": 1,
    }


def test_attempts_that_take_long_are_not_made_less_often() -> None:
    with Life(over_time((1, "good"), (60, "far"))) as life:
        life.frames(60)

    assert np.diff(life.device.tries)[-8:] == pytest.approx(5)


def test_one_read_that_timed_out_is_enough() -> None:
    with Life(over_reads((30, "good"), (1, "timeout"))) as life:
        life.frames(10)

    assert life.device.opened == 2
    assert life.said[0] == "webcam: it gives no images; reconnecting"


def test_camera_that_comes_back_with_another_size_is_opened_once() -> None:
    with Life(over_reads((30, "good"), (1, "raise"), (600, "wide"))) as life:
        life.frames(10)

    assert life.device.opened == 2


def test_camera_that_gives_one_image_a_time_is_not_opened_ever_faster() -> None:
    with Life(over_reads((1, "good"), (1, "raise"), repeat=True)) as life:
        life.frames(600)

    assert life.device.opened < 130


def test_back_off_begins_anew_after_two_good_seconds() -> None:
    with Life(over_reads((90, "good"), (1, "raise"), repeat=True)) as life:
        life.frames(100)

    assert life.device.opened == pytest.approx(100 / (91 * FRAME_S + 0.25), abs=2)


def test_scene_that_stands_still_now_and_then_is_soon_no_alarm() -> None:
    with Life(over_reads((60, "good"), (200, "equal"), repeat=True)) as life:
        life.frames(600)

    assert life.camera.losses == 3  # after a patience of 1, 2 and 4 s, for 6.7 s of stillness


def test_camera_that_is_gone_at_the_start_is_an_error() -> None:
    life = Life(over_time((60, "gone")))

    with pytest.raises(DeviceError, match="there is no such camera"), life:
        pass


def test_bug_is_raised_where_images_are_taken() -> None:
    with pytest.raises(ZeroDivisionError, match="a bug"), Life(over_reads((9, "good"), (1, "bug"))) as life:
        life.frames(2)

    assert not life.device.is_open


def test_no_password_is_shown() -> None:
    with Life(over_reads((9, "good"), (9, "error")), "rtsp://ann:secret@10.0.0.7/live?token=5f3a") as life:
        (frame, *_) = life.frames(5)

    assert frame.name == "rtsp://ann:***@10.0.0.7/live?token=***#frame=1"
    assert "secret" not in repr((life.said, frame.name, frame.path, life.camera.name))
    assert "5f3a" not in repr((life.said, frame.name, frame.path, life.camera.name))
    assert len(life.said) == 2


def test_what_is_not_accepted_is_an_option_error() -> None:
    with pytest.raises(OptionError, match="black and frozen, not 'blue'"):
        Camera.named("webcam", accept=frozenset({"blue"}))


def test_camera_by_name_that_is_missing_is_an_error_at_the_start() -> None:
    camera = Camera.named("webcam:987")

    with pytest.raises(DeviceError, match="no camera webcam:987"):
        camera.start()


# A long life

APART: Script = over_reads(
    *((60, "good"), (5, "error"), (40, "good"), (40, "equal"), (40, "good"), (10, "black"), (40, "good"), (1, "raise")),
    *((64, "good"), (100, "wide")),
    repeat=True,
)
TOGETHER: Script = over_reads(
    *((160, "good"), (5, "error"), (40, "equal"), (10, "black"), (1, "raise"), (184, "wide")), repeat=True
)
CYCLE = 400
SAID_APART = {
    "webcam: it gives no images; reconnecting": 1,
    "webcam: the image is frozen (if it may stand still: --accept frozen); reconnecting": 1,
    "webcam: the image is black (if it may be: --accept black); reconnecting": 1,
    "webcam: reading it failed: No such device; reconnecting": 1,
    "webcam: the image changed from N to N; reconnecting": 2,
    "webcam: back after N s": 4,
    "webcam: back after N s; it gives N, N fps, MJPG (fake) now": 2,
}
SAID_TOGETHER = {
    "webcam: it gives no images; reconnecting": 1,
    "webcam: the image is frozen (if it may stand still: --accept frozen); reconnecting": 1,
    "webcam: the image is black (if it may be: --accept black); reconnecting": 1,
    "webcam: the image changed from N to N; reconnecting": 1,
    "webcam: back after N s": 2,
    "webcam: back after N s; it gives N, N fps, MJPG (fake) now": 2,
}


class LongLife:
    """A consumer's observations of a camera, in an amount of memory that does not grow. Ages and times in seconds."""

    WORK_S = (0.01, 0.03, 0.02, 0.06, 0.015)

    def __init__(self, script: Script, cycles: int) -> None:
        self.said: Counter[str] = Counter()
        self.ages = np.full(cycles * CYCLE, np.nan)
        self.longest_recovery = 0.0
        self.resident_bytes = np.zeros(cycles)
        with Life(script, report=self._hear) as life:
            self._watch(life, cycles)
        self.threads_left = threading.active_count() - 1

    def _watch(self, life: Life, cycles: int) -> None:
        taken, bad_at = 0, 0.0
        for cycle in range(cycles):
            while life.device.reads < (cycle + 1) * CYCLE:
                frame = life.next_frame(0.2)
                if frame is None:
                    continue
                assert frame.captured_at
                self.ages[taken] = life.clock.now() - frame.captured_at
                if bad_at < life.device.last_bad < frame.captured_at:
                    bad_at = life.device.last_bad
                    self.longest_recovery = max(self.longest_recovery, frame.captured_at - bad_at)
                life.clock.wait(NEVER, self.WORK_S[taken % len(self.WORK_S)])
                taken += 1
            self.resident_bytes[cycle] = int(Path("/proc/self/statm").read_text().split()[1]) * 4096
        life.frames(1.5)  # and whatever the last cycle ended with is over

    def _hear(self, sentence: str) -> None:
        self.said.update(said_kinds([sentence]))


SCRIPTS = {"apart": (APART, SAID_APART), "together": (TOGETHER, SAID_TOGETHER)}


def lived(name: str, cycles: int) -> LongLife:
    return LongLife(SCRIPTS[name][0], cycles)


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("cycles", [10, pytest.param(500, marks=pytest.mark.slow)])
def test_camera_heals_from_everything_again_and_again(name: str, cycles: int) -> None:
    with ProcessPoolExecutor(1, get_context("fork")) as alone:  # no other thread's memory is measured
        life = alone.submit(lived, name, cycles).result()
    said = SCRIPTS[name][1]

    assert {sentence: count / cycles for sentence, count in life.said.items()} == said
    assert life.threads_left == 0
    assert 0 < life.longest_recovery < 6
    assert np.nanpercentile(life.ages, 99) < 2 * FRAME_S
    assert np.count_nonzero(~np.isnan(life.ages)) > 0.6 * cycles * CYCLE
    settled = life.resident_bytes[cycles // 5 :]
    assert cycles < 500 or np.polyfit(np.arange(len(settled)) * CYCLE, settled, 1)[0] * 100_000 < 1e6


# In real time


class HungCapture:
    """Gives one image; then each read waits until `goes_on` is set."""

    given = ActualSettings(SMALL)

    def __init__(self) -> None:
        self.goes_on = threading.Event()
        self._reads = 0

    def grab(self) -> bool:
        self._reads += 1
        if self._reads > 1:
            self.goes_on.wait()
            time.sleep(0.01)
        return True

    def retrieve(self) -> Pixels:
        return np.random.default_rng(self._reads).integers(0, 256, (*SMALL, 3), dtype=np.uint8)

    def close(self) -> None:
        pass


def eventually(what: Callable[[], object], seconds: float = 30) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if what():
            return True
        time.sleep(0.01)
    return False


def test_read_that_hangs_is_noticed_by_whoever_looks_and_heals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "HANG_S", 0.2)
    capture, said = HungCapture(), list[str]()
    camera = Camera("webcam", lambda: capture, report=said.append)
    camera.start()

    assert eventually(lambda: camera.take() is None and camera.trouble)
    assert camera.silent_s() > 0.2
    assert len(said) == 1
    monkeypatch.setattr(status, "HANG_S", 100)
    capture.goes_on.set()
    assert eventually(camera.take)
    assert eventually(lambda: len(said) == 2)
    assert camera.trouble == ""
    camera.close()


def test_close_does_not_wait_for_a_read_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_module, "CLOSE_S", 0.1)
    capture = HungCapture()
    camera = Camera("webcam", lambda: capture)
    camera.start()
    eventually(camera.take)

    camera.close()

    assert "camera webcam" in [thread.name for thread in threading.enumerate()]
    capture.goes_on.set()
    assert eventually(lambda: "camera webcam" not in [thread.name for thread in threading.enumerate()])


def test_opening_that_hangs_is_an_error_and_ends_when_it_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_module, "OPEN_S", 0.1)
    opens = threading.Event()

    def open_capture() -> HungCapture:
        opens.wait()
        return HungCapture()

    camera = Camera("webcam", open_capture)
    with pytest.raises(DeviceError, match="webcam has not opened within"):
        camera.start()

    opens.set()
    assert eventually(lambda: "camera webcam" not in [thread.name for thread in threading.enumerate()])


class SlowClock(RealClock):
    """Every pause takes an hour."""

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return event.wait(3600)


def test_close_ends_a_pause_at_once() -> None:
    capture = HungCapture()
    capture.grab = lambda: False  # type: ignore[method-assign]
    said: list[str] = []
    camera = Camera("webcam", lambda: capture, clock=SlowClock(), report=said.append)
    camera.start()
    assert eventually(lambda: said)

    camera.close()

    assert "camera webcam" not in [thread.name for thread in threading.enumerate()]


class Streamer:
    """A real server on loopback that streams JPEGs as network cameras do; it can hang, break off, and come back."""

    def __init__(self) -> None:
        self.hangs = False
        self._server: ThreadingHTTPServer | None = None
        self.port = 0
        self.begin()
        self.address = f"http://127.0.0.1:{self.port}/live.mjpg"

    def begin(self) -> None:
        streamer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                streamer.stream(self.wfile)

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}).start()

    def stream(self, file: BufferedIOBase) -> None:
        """Numbered images: the level of all pixels."""
        server, level = self._server, 0
        with suppress(OSError):
            while self._server is server:
                level = (level + 1) % 128
                data = cv2.imencode(".jpg", np.full((48, 64, 3), 60 + level, np.uint8))[1].tobytes()
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                if not self.hangs:
                    file.write(head.encode() + data + b"\r\n")
                time.sleep(0.02)

    def end(self) -> None:
        server, self._server = self._server, None
        if server:
            server.shutdown()
            server.server_close()


@pytest.fixture
def streamer() -> Iterator[Streamer]:
    streamer = Streamer()
    yield streamer
    streamer.end()


@pytest.fixture
def quick_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "TIMEOUT_MS", 500)


def test_stream_that_breaks_off_and_comes_back_heals(streamer: Streamer, quick_timeouts: None) -> None:
    said: list[str] = []
    camera = Camera.named(streamer.address, report=said.append)
    with closing(camera):
        assert camera.start().size_hw == (48, 64)
        assert eventually(camera.take)

        streamer.end()
        assert eventually(lambda: camera.take() is None and camera.trouble)
        streamer.begin()

        assert eventually(camera.take)
        assert eventually(lambda: not camera.trouble)
    assert [sentence.partition(" after ")[0] for sentence in said] == [
        f"{streamer.address}: it gives no images; reconnecting",
        f"{streamer.address}: back",
    ]


def test_stream_that_hangs_and_goes_on_heals(streamer: Streamer, quick_timeouts: None) -> None:
    said: list[str] = []
    camera = Camera.named(streamer.address, report=said.append)
    with closing(camera):
        camera.start()
        assert eventually(camera.take)

        streamer.hangs = True
        assert eventually(lambda: camera.take() is None and camera.trouble)
        streamer.hangs = False

        assert eventually(camera.take)
        assert eventually(lambda: len(said) == 2)
    assert said[0] == f"{streamer.address}: it gives no images; reconnecting"


def test_stream_that_hangs_at_the_start_is_an_error(streamer: Streamer, quick_timeouts: None) -> None:
    streamer.hangs = True
    camera = Camera.named(streamer.address)

    with pytest.raises(DeviceError, match=r"does not open: 127\.0\.0\.1 answers on port \d+, but gives no video"):
        camera.start()
