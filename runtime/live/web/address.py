"""Where a server of the run listens: `:8080` for this machine alone, `0.0.0.0:8080` for all who can reach it."""

import errno
import ipaddress
import re
import socket
from contextlib import suppress

from edgeclf.runtime.errors import OptionError

_ADDRESS = re.compile(r"(?:(?:\[([0-9A-Fa-f:.%\w]+)\]|([^\[\]:/@\s]+))?:)?(\d{1,5})", re.ASCII)
_LOOPBACK = "127.0.0.1"
_NO_PACKET = ("192.0.2.1", 9)
"""An address of nobody's (RFC 5737): naming it makes the system choose a route, and sends nothing."""


def parse_address(flag: str, text: str) -> tuple[str, int]:
    """Host and port of `"8080"`, `":8080"`, `"0.0.0.0:8080"`, `"[::]:8080"`, which was given as `flag`. Raises OptionError.

    >>> parse_address("--view", ":8080")
    ('127.0.0.1', 8080)
    """
    match = _ADDRESS.fullmatch(text.strip())
    port = int(match[3]) if match else -1
    if match is None or port > 65535:
        raise OptionError(f"{flag} takes a port or an address with a port, such as :8080 or 0.0.0.0:8080, not {text!r}")
    return match[1] or match[2] or _LOOPBACK, port


def is_loopback(host: str) -> bool:
    """Whether a host name or an address means this machine, as seen from itself."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(name).is_loopback
    return False


def url_of(host: str, port: int) -> str:
    """What to open in a browser; for a server on every address, one at which others reach it."""
    if host in ("0.0.0.0", "::"):
        host = _own_address()
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def cannot_listen(flag: str, text: str, error: Exception) -> OptionError:
    """The sentence for an address that cannot be had."""
    if isinstance(error, socket.gaierror | UnicodeError):
        return OptionError(
            f"{flag} {text}: there is no such host; name an address of this machine, or :PORT for itself alone"
        )
    match getattr(error, "errno", None):
        case errno.EADDRINUSE:
            return OptionError(f"{flag} {text}: another program listens on that port; choose another port")
        case errno.EACCES:
            return OptionError(f"{flag} {text}: ports below 1024 need more rights; choose a higher one")
        case errno.EADDRNOTAVAIL:
            return OptionError(f"{flag} {text}: that is no address of this machine; 0.0.0.0:PORT is all of them")
    return OptionError(f"{flag} {text}: cannot listen there ({getattr(error, 'strerror', None) or error}); choose another")


def _own_address() -> str:
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(_NO_PACKET)
        return str(probe.getsockname()[0])
    return _LOOPBACK
