"""Addresses of network cameras: which text is one, what of it may be shown, and why one cannot be reached."""

import re
import socket
from urllib.parse import urlsplit

_PORTS = {"rtsp": 554, "rtsps": 322, "rtmp": 1935, "http": 80, "https": 443, "tcp": None, "udp": None}
_ADDRESS = re.compile(rf"(?:{'|'.join(_PORTS)})://", re.IGNORECASE)
_USER = re.compile(r"(://)([^\s]*)@")
_SECRET = re.compile(
    r"""((?: pas | pwd | psw | token | secret | auth | jwt | cred | session
           | (?<![a-z]) (?: pw | (?:api|access)?key | code | sig(?:nature)? | access | sid ) (?![a-z])
        )[^=&;/?#\s]*)=[^&;#\s]+""",
    re.IGNORECASE | re.VERBOSE,
)
_PROBE_S = 1.0


def is_address(name: str) -> bool:
    """Whether it begins as `rtsp://`, `http://` and the like do, in any letter case."""
    return _ADDRESS.match(name) is not None


def mask(text: str) -> str:
    """The text without the passwords and tokens of any address in it. Where it is unsure what is secret, it hides more.

    >>> mask("rtsp://ann:secret@10.0.0.7/live?token=5f3a&w=640")
    'rtsp://ann:***@10.0.0.7/live?token=***&w=640'
    """
    return _SECRET.sub(r"\1=***", _USER.sub(_mask_password, text))


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


def _mask_password(match: re.Match[str]) -> str:
    """Up to the last @, for people write passwords with @ and / in them; but an @ in a path behind a plain host is none."""
    user, colon, password = match[2].partition(":")
    in_path = "/" in user or ("/" in password and password.partition("/")[0].isdigit())
    return match[0] if in_path or not colon else f"{match[1]}{user}:***@"
