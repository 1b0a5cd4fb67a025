"""Cameras that send JPEGs over HTTP: one after the other in a response without an end (MJPEG), or one for each request.

FFmpeg accepts only one dialect of MJPEG. Here, as in browsers, it does not matter what a camera writes between its images.
"""

import ssl
import time
from base64 import b64encode
from collections.abc import Iterable
from http.client import HTTPException, HTTPResponse
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import (
    HTTPDigestAuthHandler,
    HTTPPasswordMgrWithDefaultRealm,
    HTTPSHandler,
    Request,
    build_opener,
    parse_http_list,
    parse_keqv_list,
)

from edgeclf.runtime.cameras.jpeg_finder import JpegFinder
from edgeclf.runtime.cameras.network import why_unreachable
from edgeclf.runtime.cameras.settings import ActualSettings
from edgeclf.runtime.errors import DeviceError, ImageError
from edgeclf.runtime.images.decode import Checks, Pixels, decode
from edgeclf.runtime.terminal.masking import mask

_CHUNK_BYTES = 1 << 16
_REQUEST_INTERVAL_S = 0.2


def open_http_images(address: str, timeout_s: float) -> "HttpImages | None":
    """The camera at this address; None if it sends something else, such as a video. Raises DeviceError.

    timeout_s: how long the camera may take to answer, and to send the next image.
    """
    try:
        response = _request(address, timeout_s)
        kind = response.headers.get_content_maintype()
        if kind in ("multipart", "image"):
            return HttpImages(address, timeout_s, response, is_snapshot=kind == "image")
        response.close()
    except HTTPError as error:
        error.close()
        advice = "the user and the password" if error.code in (401, 403) else "the address"
        answer = f"it answers {error.code} ({error.reason or 'no reason given'})"
        raise DeviceError(f"{mask(address)} cannot be opened: {answer}; check {advice}") from None
    except (HTTPException, ValueError):  # not quite HTTP
        return None
    except OSError:
        raise DeviceError(f"{mask(address)} cannot be opened: {why_unreachable(address)}") from None
    return None


class HttpImages:
    """A Capture. is_snapshot: a response holds one image, so there is a new request for each, at most five a second."""

    def __init__(self, address: str, timeout_s: float, response: HTTPResponse, *, is_snapshot: bool) -> None:
        """Waits for the first image. Raises DeviceError if none comes."""
        self._address = address
        self._timeout_s = timeout_s
        self._response = response
        self._is_snapshot = is_snapshot
        self._asked_at = time.monotonic()
        self._finder = JpegFinder()
        self._jpeg: bytes | None = None
        self._is_first = False
        first = self.retrieve() if self.grab() else None
        if first is None:
            self.close()
            why = "it sends no JPEG that can be decoded" if self._jpeg else why_unreachable(address)
            raise DeviceError(f"{mask(address)} cannot be opened: {why}")
        self._is_first = True
        self.actual = ActualSettings(first.shape[:2], None, "MJPG", "HTTP")

    def grab(self) -> bool:
        if self._is_first:  # it is there already
            self._is_first = False
            return True
        try:
            self._jpeg = self._next_jpeg()
        except (OSError, HTTPException, ValueError):
            self._jpeg = None
        return self._jpeg is not None

    def retrieve(self) -> Pixels | None:
        try:
            return decode(self._jpeg, Checks().header_of(self._jpeg), 3) if self._jpeg else None
        except ImageError:
            return None

    def close(self) -> None:
        self._response.close()

    def _next_jpeg(self) -> bytes | None:
        deadline = time.monotonic() + self._timeout_s
        while (jpeg := self._finder.take()) is None and time.monotonic() < deadline:
            data = self._response.read1(_CHUNK_BYTES)
            if data:
                self._finder.feed(data)
            elif self._is_snapshot and self._jpeg:
                self._ask_again()
            else:
                return None
        return jpeg

    def _ask_again(self) -> None:
        self._response.close()
        self._jpeg = None
        time.sleep(max(0.0, self._asked_at + _REQUEST_INTERVAL_S - time.monotonic()))
        self._asked_at = time.monotonic()
        self._response = _request(self._address, self._timeout_s)


def _request(address: str, timeout_s: float) -> HTTPResponse:
    """The response, with the user and the password of the address, if the camera asks for them."""
    parts = urlsplit(address)
    url = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, parts.query, ""))
    try:
        return _get(url, "", timeout_s)
    except HTTPError as error:
        if error.code != 401 or parts.username is None or urlsplit(error.url).hostname != parts.hostname:
            raise
        error.close()
        user, password = unquote(parts.username), unquote(parts.password or "")
        challenges = error.headers.get_all("WWW-Authenticate") or []
        return _get(error.url, _authorization(challenges, error.url, user, password), timeout_s)


def _get(url: str, authorization: str, timeout_s: float) -> HTTPResponse:
    certificates = ssl.create_default_context()
    certificates.check_hostname, certificates.verify_mode = False, ssl.CERT_NONE  # cameras sign their own
    request = Request(url, headers={"User-Agent": "edgeclf", "Accept": "*/*"})
    if authorization:
        request.add_unredirected_header("Authorization", authorization)
    response: HTTPResponse = build_opener(HTTPSHandler(context=certificates)).open(request, timeout=timeout_s)
    return response


def _authorization(challenges: Iterable[str], url: str, user: str, password: str) -> str:
    """The header that answers the challenges: with a digest where the camera offers that."""
    for challenge in challenges:
        scheme, _, facts = challenge.partition(" ")
        if scheme.lower() == "digest":
            passwords = HTTPPasswordMgrWithDefaultRealm()
            passwords.add_password(None, url, user, password)
            values = parse_keqv_list([fact for fact in parse_http_list(facts) if fact.partition("=")[2]])
            answer = HTTPDigestAuthHandler(passwords).get_authorization(Request(url), values)
            return f"Digest {answer}"
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"
