"""Who may send requests to a server of the run: everyone with the token, only this machine's browser, or everyone."""

import hmac
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from edgeclf.runtime.live.web.address import is_loopback

TOKEN_VARIABLE = "CLF_VIEW_TOKEN"
_MAX_FIELDS = 20


@dataclass(frozen=True)
class Request:
    """query: by name; a repeated name has its last value. host: the `Host` header. body: of a POST."""

    path: str
    query: dict[str, str]
    host: str
    body: bytes = b""

    @classmethod
    def parse(cls, target: str, host: str, body: bytes = b"") -> "Request":
        """target: from the request line. Raises ValueError if the query has too many fields."""
        path, _, query = target.partition("?")
        return cls(path, dict(parse_qsl(query, max_num_fields=_MAX_FIELDS)), host, body)


AccessCheck = Callable[[Request], str]
"""Returns why a request is refused, for people to read; empty if it is allowed."""


def choose_token(*, is_local: bool) -> str:
    """What a viewer needs to know: the environment variable CLF_VIEW_TOKEN; else nothing if only this machine can reach the
    server, and a new token if others can.
    """
    return os.environ.get(TOKEN_VARIABLE) or ("" if is_local else secrets.token_urlsafe())


def require_token(token: str, command: str = "clf-run") -> AccessCheck:
    """Allow requests with the parameter `token=`. command: the one that printed the address."""
    secret = token.encode()

    def check(request: Request) -> str:
        given = request.query.get("token", "").encode(errors="replace")
        return "" if hmac.compare_digest(given, secret) else f"A token is required: open the address that {command} printed."

    return check


def require_loopback(request: Request) -> str:
    """Allow requests to a loopback name. This refuses a website whose own name leads to this machine (DNS rebinding)."""
    try:
        name = urlsplit(f"//{request.host}").hostname or ""
    except ValueError:
        name = ""
    return "" if is_loopback(name) else "This page is for this machine only: open it as localhost."


def allow_all(request: Request) -> str:
    """Allow every request."""
    return ""
