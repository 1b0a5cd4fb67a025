"""A network camera: a real server on the loopback address that streams JPEGs until it is unplugged."""

import itertools
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.images.encode import encode_image

COLOURS = ("red", "green", "blue")
_BOUNDARY = "image"


def coloured(colour: str, seed: int) -> NDArray[np.uint8]:
    """uint8 `[48, 64, 3]` RGB noise in which one colour is the strongest."""
    pixels = np.random.default_rng(seed).integers(0, 60, (48, 64, 3), dtype=np.uint8)
    pixels[..., COLOURS.index(colour)] += 150
    return pixels


class NetworkCamera:
    """Streams `image(number)`, uint8 RGB, 25 times a second to every client of `url`, from `plug_in` to `unplug`."""

    def __init__(self, colour: str = "red") -> None:
        self.image: Callable[[int], NDArray[np.uint8]]
        self.shows(colour)
        self._port = 0
        self._server: ThreadingHTTPServer | None = None
        self._numbers = itertools.count()
        self._plugged = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/live"

    def shows(self, colour: str) -> None:
        """From now on, stream noise in which `red`, `green` or `blue` is the strongest colour."""
        self.image = lambda number: coloured(colour, number)

    def plug_in(self) -> None:
        self._plugged.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), self._handler())
        self._server.daemon_threads = True
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,)).start()

    def unplug(self) -> None:
        self._plugged.clear()
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> "NetworkCamera":
        self.plug_in()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.unplug()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
                self.end_headers()
                while camera._plugged.is_set():
                    data = encode_image(camera.image(next(camera._numbers)), ".jpg")
                    head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                    try:
                        self.wfile.write(head.encode() + data + b"\r\n")
                    except OSError:
                        return
                    time.sleep(0.04)

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        return Handler
