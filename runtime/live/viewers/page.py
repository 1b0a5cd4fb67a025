"""A live run as a page in the browser: images, labels and the last changes."""

import json
import math
import secrets
import time
from collections.abc import Generator
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.live.health import Heartbeat, health_reply
from edgeclf.runtime.live.viewers.broadcaster import Broadcaster, Change
from edgeclf.runtime.live.viewers.snapshot import Snapshot
from edgeclf.runtime.live.web.auth import Request, choose_token, require_loopback, require_token
from edgeclf.runtime.live.web.page_policy import page_policy
from edgeclf.runtime.live.web.server import Reply, Server
from edgeclf.runtime.terminal.escaping import escape

_HTML = Path(__file__).with_name("page.html")
_ALIVE_S = 1.0
"""How often to send a sign of life when nothing is new. The page takes silence for a lost connection."""
_REPEAT_S = 5.0
"""How often a stream repeats its image when nothing is new. Only sending shows whether its viewer has gone."""
_FIRST_IMAGE_S = 5.0
_LAST_IMAGE_S = 0.5
_BOUNDARY = b"--image\r\n"
_NO_SOURCE = "No such source, or it has no image yet."


def open_page(
    address: str, token: str | None = None, heartbeat: Heartbeat | None = None, preprocess: Preprocess | None = None
) -> "PageViewer":
    """Open a page at `:8080` or `8080` for this machine only, or at `0.0.0.0:8080`, `192.168.1.5:8080` or `[::]:8080`.

    token: what a viewer needs to know. Default: the environment variable CLF_VIEW_TOKEN; else none if only this machine can
    reach the page, and a new token if others can. heartbeat: what /health reports. preprocess: of the model, for its
    heatmaps; None if it has none. Raises OptionError.
    """
    server = Server("--view", address)
    return PageViewer(server, token or choose_token(is_local=server.is_local), heartbeat, preprocess)


class PageViewer:
    """Shows snapshots to everyone who opens `url`, which includes the token if there is one."""

    def __init__(
        self, server: Server, token: str, heartbeat: Heartbeat | None, preprocess: Preprocess | None = None
    ) -> None:
        self.url = server.url + (f"?token={quote(token, safe='')}" if token else "")
        self._server = server
        self._heartbeat = heartbeat
        self._has_heatmaps = preprocess is not None
        self._broadcaster = Broadcaster(preprocess)
        self._html = _HTML.read_bytes()
        self._end = ""
        self._run = secrets.token_hex(8)
        routes = {
            "/": self._page,
            "/live": self._live,
            "/stream": self._stream,
            "/snapshot.jpg": self._snapshot,
            "/state": self._state,
            "/health": self._health,
        }
        server.start(routes, require_token(token) if token else require_loopback)

    @property
    def encoded(self) -> int:
        """How many images have been encoded as JPEG."""
        return self._broadcaster.encoded

    @property
    def viewers(self) -> int:
        """How many are watching now."""
        return self._broadcaster.viewers

    @property
    def shows_heat(self) -> bool:
        """Whether anybody looks at heatmaps now."""
        return self._broadcaster.heat_viewers > 0

    def show(self, snapshot: Snapshot) -> None:
        self._broadcaster.show(snapshot)

    def end(self, sentence: str) -> None:
        """Tell viewers that nothing more comes; they keep the last image. sentence: what the page says from now on."""
        self._broadcaster.wait_until_published(_LAST_IMAGE_S)
        self._end = sentence

    def close(self) -> None:
        self._broadcaster.close()
        self._server.close()

    def _page(self, request: Request) -> Reply:
        return Reply(self._html, "text/html; charset=utf-8", headers={"Content-Security-Policy": page_policy(self._html)})

    def _live(self, request: Request) -> Reply:
        heat = self._has_heatmaps and request.query.get("heat") == "1"
        return Reply(self._messages(heat=heat), "application/octet-stream")

    def _messages(self, *, heat: bool) -> Generator[bytes]:
        """Everything that the page shows, over one connection: a browser opens at most six to a server, for all its tabs.

        A message is a line of JSON, followed by a JPEG of `bytes` bytes. heat: images with heatmaps, as soon as there are.
        """
        page = sha256(self._html).hexdigest()
        yield from _message("hello", {"run": self._run, "page": page, "heatmaps": self._has_heatmaps})
        version, has_ended = 0, False
        with self._broadcaster.watching(heat=heat):
            while not self._broadcaster.closed:
                update = self._broadcaster.after(version, _ALIVE_S)
                version = update.version
                for change in update.changes:
                    yield from _message("change", _change_json(change), change.thumbnail)
                for view in update.views:
                    jpeg = (heat and view.heat_jpeg) or view.jpeg
                    yield from _message("source", _source_json(view.source, view.snapshot, view.shown_at), jpeg)
                if self._end and not has_ended:
                    yield from _message("end", {"text": _printable(self._end)})
                    has_ended = True
                elif not update.views:
                    yield from _message("alive", {})
            if self._end and not has_ended:
                yield from _message("end", {"text": _printable(self._end)})

    def _stream(self, request: Request) -> Reply:
        number = self._source_number(request)
        if number is None:
            return Reply.error(HTTPStatus.NOT_FOUND, _NO_SOURCE)
        return Reply(self._motion_jpeg(number), "multipart/x-mixed-replace; boundary=image")

    def _motion_jpeg(self, number: int) -> Generator[bytes]:
        """Motion JPEG for other programs. The boundary follows each image at once: some programs show it only then."""
        yield _BOUNDARY
        view = None
        with self._broadcaster.watching(number):
            while not self._broadcaster.closed:
                view = self._broadcaster.view_after(view.version if view else 0, number, _REPEAT_S) or view
                if view:
                    yield b"Content-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(view.jpeg)
                    yield view.jpeg + b"\r\n" + _BOUNDARY

    def _snapshot(self, request: Request) -> Reply:
        number = self._source_number(request)
        if number is None:
            return Reply.error(HTTPStatus.NOT_FOUND, _NO_SOURCE)
        with self._broadcaster.watching(number):
            view = self._broadcaster.view_after(0, number, _FIRST_IMAGE_S)
        if view is None or not view.jpeg:
            return Reply.error(HTTPStatus.SERVICE_UNAVAILABLE, "No image is available.")
        return Reply(view.jpeg, "image/jpeg")

    def _source_number(self, request: Request) -> int | None:
        """The number of the requested source, by default the first one; None if it does not exist."""
        text = request.query.get("source", "0")
        return next((number for number, *_ in self._broadcaster.newest() if str(number) == text), None)

    def _state(self, request: Request) -> Reply:
        sources = [_source_json(*newest) for newest in self._broadcaster.newest()]
        changes = [_change_json(change) for change in self._broadcaster.changes()]
        return Reply.json({"sources": sources, "changes": changes})

    def _health(self, request: Request) -> Reply:
        return health_reply(self._heartbeat) if self._heartbeat else Reply.error(HTTPStatus.NOT_FOUND)


def _source_json(number: int, snapshot: Snapshot, shown_at: float) -> dict[str, Any]:
    return {
        "source": number,
        "name": _printable(snapshot.source),
        "label": _printable(snapshot.label),
        "confidence": _rounded(snapshot.confidence),
        "scores": [[_printable(label), _rounded(score)] for label, score in snapshot.scores],
        "fps": _rounded(snapshot.fps),
        "age_ms": _rounded(snapshot.age_ms),
        "time": snapshot.time,
        "silent_s": _rounded(time.monotonic() - shown_at),
        "trouble": _printable(snapshot.trouble),
    }


def _change_json(change: Change) -> dict[str, Any]:
    return {
        "number": change.version,
        "name": _printable(change.source),
        "label": _printable(change.label),
        "confidence": _rounded(change.confidence),
        "time": change.time,
    }


def _message(kind: str, content: dict[str, Any], jpeg: bytes = b"") -> Generator[bytes]:
    yield json.dumps({"kind": kind, **content, "bytes": len(jpeg)}).encode() + b"\n"
    if jpeg:
        yield jpeg


def _printable(text: str) -> str:
    """Printable text for people. Unlike in rows, a backslash is not doubled."""
    return escape(text).replace("\\\\", "\\")


def _rounded(value: float | None) -> float | None:
    """Rounded to four decimals; None for infinity and NaN, which JSON does not have."""
    return round(value, 4) if value is not None and math.isfinite(value) else None
