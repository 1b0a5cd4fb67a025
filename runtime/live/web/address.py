"""Where a server of the run listens: `:8080` for this machine only, `0.0.0.0:8080` for the network."""

import errno
import ipaddress
import re
import socket
from contextlib import suppress

from edgeclf.runtime.errors import OptionError

_ADDRESS = re.compile(r"(?:(?:\[([0-9A-Fa-f:.%\w]+)\]|([^\[\]:/@\s]+))?:)?(\d{1,5})", re.ASCII)
_LOOPBACK = "127.0.0.1"
_UNUSED_ADDRESS = ("192.0.2.1", 9)
"""An address reserved for documentation (RFC 5737). Connecting to it by UDP picks a route but sends nothing."""


def parse_address(flag: str, text: str) -> tuple[str, int]:
    """Parse `"8080"`, `":8080"`, `"0.0.0.0:8080"` or `"[::]:8080"`, the value of `flag`, to host and port.

    Raises OptionError.

    >>> parse_address("--view", ":8080")
    ('127.0.0.1', 8080)
    """
    match = _ADDRESS.fullmatch(text.strip())
    port = int(match[3]) if match else -1
    if match is None or port > 65535:
        raise OptionError(f"{flag} takes a port or an address with a port, such as :8080 or 0.0.0.0:8080, not {text!r}")
    return match[1] or match[2] or _LOOPBACK, port


def is_loopback(host: str) -> bool:
    """Whether a host name or an address always means the machine that uses it."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(name).is_loopback
    return False


def browser_url(host: str, port: int) -> str:
    """The URL to open in a browser. For a server on all addresses, it has one that other machines can reach."""
    if host in ("0.0.0.0", "::"):
        host = _own_address()
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def listen_error(flag: str, text: str, error: Exception) -> OptionError:
    """The error for an address at which the server cannot listen."""
    if isinstance(error, socket.gaierror | UnicodeError):
        return OptionError(f"{flag} {text}: no such host; use an address of this machine, or :PORT for this machine only")
    match getattr(error, "errno", None):
        case errno.EADDRINUSE:
            return OptionError(f"{flag} {text}: another program uses this port; choose another one")
        case errno.EACCES:
            return OptionError(f"{flag} {text}: a port below 1024 needs more rights; choose a higher one")
        case errno.EADDRNOTAVAIL:
            return OptionError(f"{flag} {text}: this is not an address of this machine; 0.0.0.0:PORT means all of them")
    reason = getattr(error, "strerror", None) or error
    return OptionError(f"{flag} {text}: cannot listen there ({reason}); choose another address")


def _own_address() -> str:
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(_UNUSED_ADDRESS)
        return str(probe.getsockname()[0])
    return _LOOPBACK
