"""Addresses of network cameras: which text is one, and why one cannot be reached."""

import re
import socket
from urllib.parse import urlsplit

_PORTS = {"rtsp": 554, "rtsps": 322, "rtmp": 1935, "http": 80, "https": 443, "tcp": None, "udp": None}
_ADDRESS = re.compile(rf"(?:{'|'.join(_PORTS)})://", re.IGNORECASE)
_PROBE_S = 1.0


def is_address(name: str) -> bool:
    """Whether it begins as `rtsp://`, `http://` and the like do, in any letter case."""
    return _ADDRESS.match(name) is not None


def why_unreachable(address: str) -> str:
    """Half a sentence, for people: what a plain connection to the server says. Takes a second at most."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port or _PORTS[parts.scheme.lower()]
    except ValueError:
        return "its host or its port cannot be read"
    if parts.scheme.lower() == "udp":
        return "no video has come in"
    if not host or not port:
        return "it names no host or no port"
    try:
        socket.create_connection((host, port), _PROBE_S).close()
    except socket.gaierror:
        return f"the host {host} is not known"
    except TimeoutError:
        return f"{host} does not answer on port {port}"
    except (OSError, ValueError) as error:  # ValueError: a host name that is none
        return f"{host}, port {port}: {getattr(error, 'strerror', None) or error}"
    return f"{host} answers on port {port}, but gives no video; the path, the user or the password may be wrong"
