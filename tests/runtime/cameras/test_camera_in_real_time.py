"""A camera in real time: reads that hang, streams that break off, and closing without waiting."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase

import numpy as np
import pytest

from edgeclf.runtime.cameras import camera as camera_module
from edgeclf.runtime.cameras import capture, status
from edgeclf.runtime.cameras.camera import Camera
from edgeclf.runtime.cameras.clock import RealClock
from edgeclf.runtime.cameras.settings import ActualSettings
from edgeclf.runtime.errors import DeviceError
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.images.encode import encode_image
from tests.support.fake_camera import SMALL


class HungCapture:
    """Gives one frame; then each read waits until `go_on` is set."""

    actual = ActualSettings(SMALL)

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self._reads = 0

    def grab(self) -> bool:
        self._reads += 1
        if self._reads > 1:
            self.go_on.wait()
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


def test_hanging_read_is_noticed_by_take_and_recovers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "HANG_S", 0.2)
    capture, reports = HungCapture(), list[str]()
    camera = Camera("webcam", lambda: capture, report=reports.append)
    camera.start()

    assert eventually(lambda: camera.take() is None and camera.trouble)
    assert camera.silent_s() > 0.2
    assert len(reports) == 1
    monkeypatch.setattr(status, "HANG_S", 100)
    capture.go_on.set()
    assert eventually(camera.take)
    assert eventually(lambda: len(reports) == 2)
    assert camera.trouble == ""
    camera.close()


def test_close_does_not_wait_for_a_hanging_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_module, "CLOSE_S", 0.1)
    capture = HungCapture()
    camera = Camera("webcam", lambda: capture)
    camera.start()
    eventually(camera.take)

    camera.close()

    assert "camera webcam" in [thread.name for thread in threading.enumerate()]
    capture.go_on.set()
    assert eventually(lambda: "camera webcam" not in [thread.name for thread in threading.enumerate()])


def test_hanging_open_is_an_error_and_its_thread_ends_once_it_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_module, "OPEN_S", 0.1)
    opens = threading.Event()

    def open_capture() -> HungCapture:
        opens.wait()
        return HungCapture()

    camera = Camera("webcam", open_capture)
    with pytest.raises(DeviceError, match="webcam has not opened"):
        camera.start()

    opens.set()
    assert eventually(lambda: "camera webcam" not in [thread.name for thread in threading.enumerate()])


class SlowClock(RealClock):
    """A clock on which every pause takes an hour."""

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return event.wait(3600)


def test_close_ends_a_pause_immediately() -> None:
    capture = HungCapture()
    capture.grab = lambda: False  # type: ignore[method-assign]
    reports: list[str] = []
    camera = Camera("webcam", lambda: capture, clock=SlowClock(), report=reports.append)
    camera.start()
    assert eventually(lambda: reports)

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
        """Images that are all different: the level of their pixels counts up."""
        server, level = self._server, 0
        with suppress(OSError):
            while self._server is server:
                level = (level + 1) % 128
                data = encode_image(np.full((48, 64, 3), 60 + level, np.uint8), ".jpg")
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


def test_stream_that_breaks_off_and_comes_back_recovers(streamer: Streamer, quick_timeouts: None) -> None:
    reports: list[str] = []
    camera = Camera.named(streamer.address, report=reports.append)
    with closing(camera):
        assert camera.start().size_hw == (48, 64)
        assert eventually(camera.take)

        streamer.end()
        assert eventually(lambda: camera.take() is None and camera.trouble)
        streamer.begin()

        assert eventually(camera.take)
        assert eventually(lambda: not camera.trouble)
    assert [sentence.partition(" after ")[0] for sentence in reports] == [
        f"{streamer.address}: it gives no frames; reconnecting",
        f"{streamer.address}: back",
    ]


def test_stream_that_hangs_and_continues_recovers(streamer: Streamer, quick_timeouts: None) -> None:
    reports: list[str] = []
    camera = Camera.named(streamer.address, report=reports.append)
    with closing(camera):
        camera.start()
        assert eventually(camera.take)

        streamer.hangs = True
        assert eventually(lambda: camera.take() is None and camera.trouble)
        streamer.hangs = False

        assert eventually(camera.take)
        assert eventually(lambda: len(reports) == 2)
    assert reports[0] == f"{streamer.address}: it gives no frames; reconnecting"


def test_stream_that_hangs_at_the_start_is_an_error(streamer: Streamer, quick_timeouts: None) -> None:
    streamer.hangs = True
    camera = Camera.named(streamer.address)

    with pytest.raises(DeviceError, match=r"127\.0\.0\.1 answers on port \d+ but sends no video"):
        camera.start()
