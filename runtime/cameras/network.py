"""Addresses of network cameras: recognising one, and finding out why it cannot be reached."""

import re
import socket
from urllib.parse import urlsplit

from edgeclf.runtime.terminal.masking import has_unclear_password

_PORTS = {"rtsp": 554, "rtsps": 322, "rtmp": 1935, "http": 80, "https": 443, "tcp": None, "udp": None}
_ADDRESS = re.compile(rf"(?:{'|'.join(_PORTS)})://", re.IGNORECASE)
_PROBE_S = 1.0
_WRITE_AS = "write @ / ? # : in a user, a password or a path as %40 %2F %3F %23 %3A"


def is_address(name: str) -> bool:
    """Whether it starts with `rtsp://`, `http://` or a similar scheme, in any letter case."""
    return _ADDRESS.match(name) is not None


def why_unreachable(address: str) -> str:
    """The reason as half a sentence, found by connecting to the server; takes at most a second.

    Nothing of the password is in it, even if it is not clear where that ends.
    """
    if has_unclear_password(address):
        return f"it is not clear where its password ends; {_WRITE_AS}"
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port or _PORTS[parts.scheme.lower()]
    except ValueError:
        return f"its host or its port is not valid; {_WRITE_AS}" if "@" in address else "its host or its port is not valid"
    if parts.scheme.lower() == "udp":
        return "no video was received"
    if not host or not port:
        return "its host or its port is missing"
    try:
        socket.create_connection((host, port), _PROBE_S).close()
    except socket.gaierror:
        return f"the host {host} is unknown"
    except TimeoutError:
        return f"{host} does not answer on port {port}"
    except (OSError, ValueError) as error:  # ValueError: an invalid host name
        return f"{host}, port {port}: {getattr(error, 'strerror', None) or error}"
    return f"{host} answers on port {port} but sends no video; check the path, the user and the password"
