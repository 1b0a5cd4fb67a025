"""Who may ask a server of the run: whoever has the token, this machine's own browser, or anybody."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from edgeclf.runtime.live.web.address import is_loopback

_MAX_FIELDS = 20


@dataclass(frozen=True)
class Request:
    """What was asked for. query: of a name that is given twice, the last value. host: as the `Host` header has it."""

    path: str
    query: dict[str, str]
    host: str

    @classmethod
    def parse(cls, target: str, host: str) -> "Request":
        """target: as in the request line. Raises ValueError where it has very many fields."""
        path, _, query = target.partition("?")
        return cls(path, dict(parse_qsl(query, max_num_fields=_MAX_FIELDS)), host)


Access = Callable[[Request], str]
"""Why a request is refused, for people; empty where it is not."""


def with_token(token: str) -> Access:
    """Whoever sends `token=` with it."""
    secret = token.encode()

    def refusal(request: Request) -> str:
        given = request.query.get("token", "").encode(errors="replace")
        return "" if hmac.compare_digest(given, secret) else "This needs its token: open the address that clf-run printed."

    return refusal


def from_this_machine(request: Request) -> str:
    """Whoever calls it by a loopback name; not a page of others whose name was made to lead here (DNS rebinding)."""
    try:
        name = urlsplit(f"//{request.host}").hostname or ""
    except ValueError:
        name = ""
    return "" if is_loopback(name) else "This is for this machine alone: open it as localhost."


def anybody(request: Request) -> str:
    """No one is refused."""
    return ""
