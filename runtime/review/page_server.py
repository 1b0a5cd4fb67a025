"""The review page as a server: images come from where they lie, and every decision is on the disk before it is confirmed."""

import json
from collections.abc import Mapping
from contextlib import suppress
from hashlib import blake2b
from http import HTTPStatus
from typing import Any, get_args
from urllib.parse import quote

from edgeclf.runtime.errors import ImageError, OutputError
from edgeclf.runtime.images.decode import Checks, decode
from edgeclf.runtime.images.encode import to_jpeg
from edgeclf.runtime.images.preprocess import read_bytes
from edgeclf.runtime.live.web.auth import Request, choose_token, require_loopback, require_token
from edgeclf.runtime.live.web.page_policy import page_policy
from edgeclf.runtime.live.web.server import Reply, Server
from edgeclf.runtime.review.answers import Answer
from edgeclf.runtime.review.corrections import (
    WITH_LABEL,
    Correction,
    CorrectionsFile,
    Decision,
)
from edgeclf.runtime.review.page_content import ROWS_IN_DETAILS, columns, decided, details, head, html
from edgeclf.runtime.review.page_file import Review
from edgeclf.runtime.review.thumbnails import thumbnail
from edgeclf.runtime.terminal.escaping import unescape

_LARGE_SIDE, _LARGE_QUALITY = 1600, 90
_KEEP_S = 3600
"""How long a browser may keep an image."""
_ENTRY = 4
"""Texts in a decision: path, label, decision, time."""


class ReviewServer:
    """Shows a review to everyone who opens `url`, which includes the token if there is one.

    The file of corrections stays locked until `close`, which does not close it. Raises OptionError for an address at which
    it cannot listen.
    """

    def __init__(self, review: Review, corrections: CorrectionsFile, address: str, flag: str = "--serve") -> None:
        self._review = review
        self._corrections = corrections
        self._server = Server(flag, address)
        token = choose_token(is_local=self._server.is_local)
        self.url = self._server.url + (f"?token={quote(token, safe='')}" if token else "")
        key = blake2b(f"{review.title}\0{corrections.path}".encode(errors="surrogateescape"), digest_size=8).hexdigest()
        self._html = html(head(review.index, review.labels, review.title, key, served=True))
        routes = {
            "/": self._page,
            "/rows": self._rows,
            "/details": self._details,
            "/thumbnail": self._thumbnail,
            "/image": self._image,
            "/decided": self._decided,
        }
        access = require_token(token, "clf-review") if token else require_loopback
        self._server.start(routes, access, {"/decide": self._decide})

    def close(self) -> None:
        self._server.close()

    def _page(self, request: Request) -> Reply:
        policy = page_policy(self._html, "'self' data:")
        return Reply(self._html, "text/html; charset=utf-8", headers={"Content-Security-Policy": policy})

    def _rows(self, request: Request) -> Reply:
        return Reply.json(columns(self._review.index, self._review.labels, _number(request)))

    def _details(self, request: Request) -> Reply:
        return Reply.json([details(answer) for answer in self._portion(request, ROWS_IN_DETAILS)])

    def _portion(self, request: Request, size: int) -> list[Answer]:
        start = _number(request) * size
        return self._review.index.rows(start, start + size)

    def _thumbnail(self, request: Request) -> Reply:
        answers = self._portion(request, 1)
        return _jpeg(thumbnail(self._review.places.find(answers[0]))) if answers else Reply.error(HTTPStatus.NOT_FOUND)

    def _image(self, request: Request) -> Reply:
        """Upright and as a JPEG, whatever the format of the file."""
        frame = next(map(self._review.places.find, self._portion(request, 1)), None)
        with suppress(ImageError):
            if frame is not None:
                data = read_bytes(frame.image)  # type: ignore[arg-type]  # none of these images is an array
                pixels = decode(data, Checks().header_of(data), 3)
                return _jpeg(to_jpeg(pixels, _LARGE_SIDE, _LARGE_QUALITY))
        return Reply.error(HTTPStatus.NOT_FOUND)

    def _decided(self, request: Request) -> Reply:
        return Reply.json(decided(self._corrections.counting().values()))

    def _decide(self, request: Request) -> Reply:
        try:
            entries = [self._correction(entry) for entry in json.loads(request.body)]
        except (ValueError, TypeError, RecursionError) as error:
            return Reply.error(HTTPStatus.BAD_REQUEST, str(error))
        try:
            written = self._corrections.append(entries)
        except OutputError as error:
            return Reply.error(HTTPStatus.INSUFFICIENT_STORAGE, str(error))
        return Reply.json({"written": written})

    def _correction(self, entry: Any) -> Correction:
        """Raises ValueError for what the page does not send."""
        if not (isinstance(entry, list) and len(entry) == _ENTRY and all(isinstance(text, str) for text in entry)):
            raise ValueError("a decision is a path, a label, a decision and a time")
        path, label, decision, time = map(unescape, entry)
        if decision not in get_args(Decision):
            raise ValueError(f"there is no decision {decision!r}")
        if (decision in WITH_LABEL) != (label in self._review.labels.names) or (label and decision not in WITH_LABEL):
            raise ValueError(f"there is no class {label!r}")
        if not self._review.index.has(path):
            raise ValueError(f"{path!r} is not among the results")
        if not time:
            raise ValueError("a decision has a time")
        return Correction(path, label, decision, time)  # type: ignore[arg-type]  # checked above


def _number(request: Request) -> int:
    text = request.query.get("n", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 13 else 1 << 40


def _jpeg(data: bytes) -> Reply:
    headers: Mapping[str, str] = {"Cache-Control": f"private, max-age={_KEEP_S}"}
    return Reply(data, "image/jpeg", headers=headers)
