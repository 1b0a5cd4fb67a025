"""Hides passwords and tokens in addresses before they are shown."""

import re

_USER = re.compile(r"^((?:(?!://)[^\n])*://)([^\n]*)@([^\n]*)", re.MULTILINE)
"""Begins at the start of a line, so that a line with thousands of :// does not take minutes."""
_HOST = re.compile(r"(?:localhost|\[[\da-f:.]+\]|[\w-]+(?:\.[\w-]+)+)(?::\d+)?(?:[/?#]|$)", re.IGNORECASE)
_SECRET = re.compile(
    r"""((?: pas | pwd | psw | token | secret | auth | jwt | cred | session
           | (?<![a-z]) (?: pw | (?:api|access)?key | code | sig(?:nature)? | access | sid ) (?![a-z])
        )[^=&;/?#\s]{0,60})=[^&;#\s]+""",
    re.IGNORECASE | re.VERBOSE,
)


def mask(text: str) -> str:
    """The text with the passwords and tokens in its addresses replaced by `***`. In doubt, it hides too much.

    >>> mask("rtsp://ann:secret@10.0.0.7/live?token=5f3a&w=640")
    'rtsp://ann:***@10.0.0.7/live?token=***&w=640'
    """
    return _SECRET.sub(r"\1=***", _USER.sub(_mask_password, text))


def has_unclear_password(address: str) -> bool:
    """Whether what may be its password holds / ? or #, so that programs look for the host at another place.

    >>> has_unclear_password("rtsp://ann:a#b@10.0.0.7/live"), has_unclear_password("rtsp://ann:a%23b@10.0.0.7/live")
    (True, False)
    """
    match = _USER.search(address)
    return match is not None and _is_password(match) and re.search("[/?#]", match[2]) is not None


def hides_its_host(address: str) -> bool:
    """Whether a program would take a part of the password for the host, and so ask the network for it.

    >>> hides_its_host("rtsp://ann:p@a#b@10.0.0.7/live"), hides_its_host("rtsp://ann:a@10.0.0.7/live/c@d.example")
    (True, False)
    """
    match = _USER.search(address)
    if match is None or not has_unclear_password(address) or not _HOST.match(match[3]):
        return False
    _, at, host = re.split("[/?#]", match[2], maxsplit=1)[0].rpartition("@")
    return not (at and _HOST.match(host))


def _mask_password(match: re.Match[str]) -> str:
    return f"{match[1]}{match[2].partition(':')[0]}:***@{match[3]}" if _is_password(match) else match[0]


def _is_password(match: re.Match[str]) -> bool:
    """Whether all up to the last @ is a user and a password, because passwords may contain @ and /.

    An @ in a path after a plain host is not, unless what follows it looks like a host, too.
    """
    user, colon, password = match[2].partition(":")
    may_be_path = "/" in user or ("/" in password and password.partition("/")[0].isdigit())
    return bool(colon) and not (may_be_path and not _HOST.match(match[3]))
