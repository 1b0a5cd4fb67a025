"""A live run as a page in the browser: images, labels and the last changes, on a laptop or a phone."""

import json
import math
import os
import re
import secrets
import time
from base64 import b64encode
from collections.abc import Generator
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

from edgeclf.runtime.live.health import Pulse, health_reply
from edgeclf.runtime.live.viewers.broadcaster import Board, Change
from edgeclf.runtime.live.viewers.snapshot import Snapshot
from edgeclf.runtime.live.web.auth import Request, from_this_machine, with_token
from edgeclf.runtime.live.web.server import Reply, Server
from edgeclf.runtime.terminal.escaping import escape

TOKEN_VARIABLE = "CLF_VIEW_TOKEN"
_HTML = Path(__file__).with_name("page.html")
_ALIVE_S = 1.0
"""Without news, a sign of life so often: the page takes silence for a lost connection."""
_REPEAT_S = 5.0
"""Without news, the same image again so often: or nobody would notice that a stream's viewer has gone."""
_FIRST_IMAGE_S = 5.0
_BOUNDARY = b"--image\r\n"
_NO_SOURCE = "There is no such source, or not yet."


def open_page(address: str, token: str | None = None, pulse: Pulse | None = None) -> "PageViewer":
    """A page at `:8080` or `8080`, for this machine alone, or at `0.0.0.0:8080`, `192.168.1.5:8080`, `[::]:8080` for others.

    token: what a viewer must know; else that of the environment variable CLF_VIEW_TOKEN, else a new one, or none where only
    this machine reaches it. pulse: what /health tells of. Raises OptionError.
    """
    server = Server("--view", address)
    token = token or os.environ.get(TOKEN_VARIABLE) or ("" if server.is_local else secrets.token_urlsafe())
    return PageViewer(server, token, pulse)


class PageViewer:
    """Shows snapshots to whoever opens `url`, which holds the token where there is one."""

    def __init__(self, server: Server, token: str, pulse: Pulse | None) -> None:
        self.url = server.url + (f"?token={quote(token, safe='')}" if token else "")
        self._server = server
        self._pulse = pulse
        self._board = Board()
        self._html = _HTML.read_bytes()
        self._run = secrets.token_hex(8)
        routes = {
            "/": self._page,
            "/live": self._live,
            "/stream": self._stream,
            "/snapshot.jpg": self._snapshot,
            "/state": self._state,
            "/health": self._health,
        }
        server.start(routes, with_token(token) if token else from_this_machine)

    @property
    def encoded(self) -> int:
        """How many images became a JPEG so far."""
        return self._board.encoded

    def show(self, snapshot: Snapshot) -> None:
        self._board.show(snapshot)

    def close(self) -> None:
        self._board.close()
        self._server.close()

    def _page(self, request: Request) -> Reply:
        return Reply(self._html, "text/html; charset=utf-8", headers={"Content-Security-Policy": _policy(self._html)})

    def _live(self, request: Request) -> Reply:
        return Reply(self._messages(), "application/octet-stream")

    def _messages(self) -> Generator[bytes]:
        """All that the page shows, in one connection: a browser has six for all its tabs.

        A message is a line of JSON and then as many bytes of JPEG as its `bytes` says.
        """
        yield from _message("hello", {"run": self._run, "page": sha256(self._html).hexdigest()})
        version = 0
        with self._board.looking():
            while not self._board.closed:
                news = self._board.after(version, _ALIVE_S)
                version = news.version
                for change in news.changes:
                    yield from _message("change", _change(change), change.thumbnail)
                for view in news.views:
                    yield from _message("source", _source(view.source, view.snapshot, view.shown_at), view.jpeg)
                if not news.views:
                    yield from _message("alive", {})

    def _stream(self, request: Request) -> Reply:
        number = self._number(request)
        if number is None:
            return Reply.error(HTTPStatus.NOT_FOUND, _NO_SOURCE)
        return Reply(self._parts(number), "multipart/x-mixed-replace; boundary=image")

    def _parts(self, number: int) -> Generator[bytes]:
        """Motion JPEG, for other programs. The boundary follows at once: some show an image only when they have seen it."""
        yield _BOUNDARY
        view = None
        with self._board.looking(number):
            while not self._board.closed:
                view = self._board.view_after(view.version if view else 0, number, _REPEAT_S) or view
                if view:
                    yield b"Content-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(view.jpeg)
                    yield view.jpeg + b"\r\n" + _BOUNDARY

    def _snapshot(self, request: Request) -> Reply:
        number = self._number(request)
        if number is None:
            return Reply.error(HTTPStatus.NOT_FOUND, _NO_SOURCE)
        with self._board.looking(number):
            view = self._board.view_after(0, number, _FIRST_IMAGE_S)
        if view is None or not view.jpeg:
            return Reply.error(HTTPStatus.SERVICE_UNAVAILABLE, "There is no image.")
        return Reply(view.jpeg, "image/jpeg")

    def _number(self, request: Request) -> int | None:
        """Of the source that is asked for, by default the first; None where there is none such."""
        text = request.query.get("source", "0")
        return next((number for number, *_ in self._board.newest() if str(number) == text), None)

    def _state(self, request: Request) -> Reply:
        sources = [_source(*newest) for newest in self._board.newest()]
        changes = [_change(change) for change in self._board.changes()]
        return Reply.json({"sources": sources, "changes": changes})

    def _health(self, request: Request) -> Reply:
        return health_reply(self._pulse) if self._pulse else Reply.error(HTTPStatus.NOT_FOUND)


def _source(number: int, snapshot: Snapshot, shown_at: float) -> dict[str, Any]:
    return {
        "source": number,
        "name": _text(snapshot.source),
        "label": _text(snapshot.label),
        "confidence": _number(snapshot.confidence),
        "scores": [[_text(label), _number(score)] for label, score in snapshot.scores],
        "fps": _number(snapshot.fps),
        "age_ms": _number(snapshot.age_ms),
        "time": snapshot.time,
        "silent_s": _number(time.monotonic() - shown_at),
        "trouble": _text(snapshot.trouble),
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "number": change.version,
        "name": _text(change.source),
        "label": _text(change.label),
        "confidence": _number(change.confidence),
        "time": change.time,
    }


def _message(kind: str, content: dict[str, Any], jpeg: bytes = b"") -> Generator[bytes]:
    yield json.dumps({"kind": kind, **content, "bytes": len(jpeg)}).encode() + b"\n"
    if jpeg:
        yield jpeg


def _text(text: str) -> str:
    """Printable, whatever a file name holds; but a backslash stays one, as in all that people read."""
    return escape(text).replace("\\\\", "\\")


def _number(value: float | None) -> float | None:
    """JSON knows no infinity, and nobody wants sixteen digits."""
    return round(value, 4) if value is not None and math.isfinite(value) else None


def _policy(html: bytes) -> str:
    """Nothing runs and nothing colours the page but what is in our own file; nothing comes from elsewhere."""
    scripts, styles = (_digests(html, tag) for tag in (b"script", b"style"))
    return (
        f"default-src 'none'; script-src {scripts}; style-src {styles}; img-src data:; connect-src 'self'; base-uri 'none'; "
        f"form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _digests(html: bytes, tag: bytes) -> str:
    contents = re.findall(rb"<%b>(.*?)</%b>" % (tag, tag), html, re.DOTALL)
    return " ".join(f"'sha256-{b64encode(sha256(content).digest()).decode()}'" for content in contents)
