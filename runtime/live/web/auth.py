"""Who may send requests to a server of the run: everyone with the token, only this machine's browser, or everyone."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from edgeclf.runtime.live.web.address import is_loopback

_MAX_FIELDS = 20


@dataclass(frozen=True)
class Request:
    """query: by name; a repeated name has its last value. host: the `Host` header."""

    path: str
    query: dict[str, str]
    host: str

    @classmethod
    def parse(cls, target: str, host: str) -> "Request":
        """target: from the request line. Raises ValueError if the query has too many fields."""
        path, _, query = target.partition("?")
        return cls(path, dict(parse_qsl(query, max_num_fields=_MAX_FIELDS)), host)


AccessCheck = Callable[[Request], str]
"""Returns why a request is refused, for people to read; empty if it is allowed."""


def require_token(token: str) -> AccessCheck:
    """Allow requests with the parameter `token=`."""
    secret = token.encode()

    def check(request: Request) -> str:
        given = request.query.get("token", "").encode(errors="replace")
        return "" if hmac.compare_digest(given, secret) else "A token is required: open the address that clf-run printed."

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
