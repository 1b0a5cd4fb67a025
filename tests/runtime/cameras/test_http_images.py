"""Cameras over HTTP: every dialect of MJPEG, snapshots, passwords. Each server is real, on loopback."""

import base64
import hashlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from edgeclf.runtime.cameras import capture
from edgeclf.runtime.cameras.camera import Camera
from edgeclf.runtime.cameras.capture import open_capture
from edgeclf.runtime.images.encode import encode_image
from tests.support.fake_camera import open_error

LENGTH = b"Content-Length: %d\r\n\r\n"
TYPE = b"Content-Type: image/jpeg\r\n"
DIALECTS = {  # what is sent before and after each image
    "usual": (b"--frame\r\n" + TYPE + LENGTH, b"\r\n"),
    "no boundary before the first part": (TYPE + LENGTH, b"\r\n--frame\r\n"),
    "image/jpg": (b"--frame\r\nContent-Type: image/jpg\r\n" + LENGTH, b"\r\n"),
    "no type": (b"--frame\r\n" + LENGTH, b"\r\n"),
    "LF alone, no length": (b"--frame\nContent-Type: image/jpeg\n\n", b"\n"),
    "boundary without dashes": (b"frame\r\n" + TYPE + LENGTH, b"\r\n"),
    "wrong length": (b"--frame\r\n" + TYPE + b"Content-Length: 17\r\n\r\n", b"\r\n"),
    "nothing between": (b"", b""),
}
MULTIPART = "multipart/x-mixed-replace; boundary=frame"


def image(number: int, size_hw: tuple[int, int] = (48, 64)) -> bytes:
    """A JPEG of one colour, red above the others, whose level counts up."""
    return encode_image(np.full((*size_hw, 3), (200, number * 5 % 100, 30), np.uint8), ".jpg")


Answer = Callable[[BaseHTTPRequestHandler], None]


class Server:
    """Answers each request with `answer`. requests: the number of them so far."""

    def __init__(self, answer: Answer) -> None:
        self.requests = 0
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.requests += 1
                with suppress(OSError):
                    answer(self)

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def end(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], Server]]:
    servers: list[Server] = []

    def start(answer: Answer) -> Server:
        servers.append(Server(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.end()


@pytest.fixture(autouse=True)
def quick_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "TIMEOUT_MS", 1000)


def begin(handler: BaseHTTPRequestHandler, kind: str = MULTIPART, **headers: str) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", kind)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()


def stream(before: bytes = DIALECTS["usual"][0], after: bytes = b"\r\n", images: Callable[[int], bytes] = image) -> Answer:
    """MJPEG without an end."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        begin(handler)
        for number in itertools.count():
            data = images(number)
            handler.wfile.write((before % len(data) if b"%" in before else before) + data + after)
            time.sleep(0.02)

    return answer


def levels(address: str, count: int) -> list[list[int]]:
    """The first pixels of the next images, which can all be read."""
    with closing(open_capture(address)) as camera:
        found = []
        for _ in range(count):
            assert camera.grab()
            pixels = camera.retrieve()
            assert pixels is not None
            found.append(pixels[0, 0].tolist())
    return found


def is_image(level: list[int], number: int) -> bool:
    return bool(np.abs(np.subtract(level, (200, number * 5 % 100, 30))).max() <= 4)


@pytest.mark.parametrize(("before", "after"), DIALECTS.values(), ids=DIALECTS)
def test_every_image_of_every_dialect_is_read(before: bytes, after: bytes, serve: Callable[[Answer], Server]) -> None:
    server = serve(stream(before, after))

    found = levels(f"http://{server.address}/live", 4)

    assert [is_image(level, number) for number, level in enumerate(found)] == [True] * 4
    assert server.requests == 1  # some cameras serve only one client


def test_chunked_stream_is_read(serve: Callable[[Answer], Server]) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.protocol_version = "HTTP/1.1"
        begin(handler, Transfer_Encoding="chunked")
        for number in itertools.count():
            data = b"--frame\r\n\r\n" + image(number) + b"\r\n"
            for start in range(0, len(data), 100):
                part = data[start : start + 100]
                handler.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))

    assert is_image(levels(f"http://{serve(answer).address}/", 3)[2], 2)


def test_snapshots_are_asked_for_again_and_again(serve: Callable[[Answer], Server]) -> None:
    numbers = itertools.count()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        begin(handler, "image/jpeg")
        handler.wfile.write(image(next(numbers)))

    server = serve(answer)

    assert [is_image(level, number) for number, level in enumerate(levels(f"http://{server.address}/a.jpg", 3))] == [
        True
    ] * 3
    assert server.requests == 3


def basic(header: str, method: str) -> bool:
    return header == "Basic " + base64.b64encode(b"ann:p@ss#1").decode()


def digest(header: str, method: str) -> bool:
    def md5(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    facts = {name: value.strip('"') for name, _, value in (part.strip().partition("=") for part in header[7:].split(","))}
    return facts.get("response") == md5(f"{md5('ann:cam:p@ss#1')}:n0nce:{md5(f'{method}:' + facts.get('uri', ''))}")


def guarded(challenge: str, is_right: Callable[[str, str], bool]) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        if is_right(handler.headers.get("Authorization", ""), handler.command):
            stream()(handler)
        handler.send_response(401)
        handler.send_header("WWW-Authenticate", challenge)
        handler.end_headers()

    return answer


GUARDS = {
    "basic": ('Basic realm="cam"', basic),
    "digest": ('Digest realm="cam", nonce="n0nce"', digest),
    "digest with an empty fact": ('Digest realm="cam", nonce="n0nce", opaque=', digest),
}


@pytest.mark.parametrize(("challenge", "is_right"), GUARDS.values(), ids=GUARDS)
def test_user_and_password_of_the_address_are_sent(
    challenge: str, is_right: Callable[[str, str], bool], serve: Callable[[Answer], Server]
) -> None:
    server = serve(guarded(challenge, is_right))

    assert is_image(levels(f"http://ann:p%40ss%231@{server.address}/live?channel=1", 2)[1], 1)


@pytest.mark.parametrize(("challenge", "is_right"), GUARDS.values(), ids=GUARDS)
def test_wrong_password_is_one_sentence_without_it(
    challenge: str, is_right: Callable[[str, str], bool], serve: Callable[[Answer], Server]
) -> None:
    server = serve(guarded(challenge, is_right))

    sentence = open_error(f"http://ann:hunter2@{server.address}/live")

    assert sentence.startswith(f"http://ann:***@{server.address}/live cannot be opened: it answers 401")
    assert "password" in sentence
    assert "hunter2" not in sentence


def test_redirect_is_followed(serve: Callable[[Answer], Server]) -> None:
    target = serve(stream())

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", f"http://{target.address}/live")
        handler.end_headers()

    assert is_image(levels(f"http://{serve(answer).address}/", 1)[0], 0)


@pytest.mark.parametrize("kind", [MULTIPART, "image/jpeg"])
@pytest.mark.parametrize("body", [b"", b"--frame\r\nno image", b"\xff\xd8\xff\xd9"], ids=["empty", "text", "damaged"])
def test_camera_without_an_image_is_an_error(kind: str, body: bytes, serve: Callable[[Answer], Server]) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        begin(handler, kind)
        handler.wfile.write(body)

    assert "cannot be opened" in open_error(f"http://{serve(answer).address}/live")


def test_camera_that_sends_everything_but_an_image_is_an_error(serve: Callable[[Answer], Server]) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        begin(handler)
        while True:
            handler.wfile.write(b"--frame\r\n\r\n")
            time.sleep(0.02)

    assert "cannot be opened" in open_error(f"http://{serve(answer).address}/live")


def test_other_answers_are_left_to_ffmpeg(serve: Callable[[Answer], Server], tmp_path: Path) -> None:
    from tests.support.video_files import noise, write_video

    write_video(tmp_path / "clip.avi", noise(5), 10, "MJPG")

    def answer(handler: BaseHTTPRequestHandler) -> None:
        begin(handler, "video/x-msvideo")
        handler.wfile.write((tmp_path / "clip.avi").read_bytes())

    with closing(open_capture(f"http://{serve(answer).address}/clip.avi")) as camera:
        assert camera.actual.backend == "FFMPEG"
        assert camera.grab()


def test_another_size_is_said_and_the_rows_have_it(serve: Callable[[Answer], Server]) -> None:
    sizes = iter([*[(48, 64)] * 10, *[(24, 32)] * 10_000])
    reports: list[str] = []
    camera = Camera.named(
        f"http://{serve(stream(images=lambda number: image(number, next(sizes)))).address}/", report=reports.append
    )
    with closing(camera):
        assert camera.start().size_hw == (48, 64)
        deadline = time.monotonic() + 10
        while len(reports) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        frame = None
        while (frame is None or np.shape(frame.image) != (24, 32, 3)) and time.monotonic() < deadline:
            frame = camera.take() or frame

    assert "the frame size changed from 64x48 to 32x24" in reports[0]
    assert "it now gives 32x24" in reports[1]
    assert frame is not None


def test_cut_off_image_is_passed_over(serve: Callable[[Answer], Server]) -> None:
    server = serve(stream(images=lambda number: image(number)[: -50 if number % 2 else None]))

    assert [is_image(level, number) for level, number in zip(levels(f"http://{server.address}/", 3), (0, 2, 4), strict=True)]
