"""Passwords and tokens hidden in the addresses that people are shown."""

import re

_USER = re.compile(r"(://)([^\s]*)@")
_SECRET = re.compile(
    r"""((?: pas | pwd | psw | token | secret | auth | jwt | cred | session
           | (?<![a-z]) (?: pw | (?:api|access)?key | code | sig(?:nature)? | access | sid ) (?![a-z])
        )[^=&;/?#\s]*)=[^&;#\s]+""",
    re.IGNORECASE | re.VERBOSE,
)


def mask(text: str) -> str:
    """The text without the passwords and tokens of any address in it. Where it is unsure what is secret, it hides more.

    >>> mask("rtsp://ann:secret@10.0.0.7/live?token=5f3a&w=640")
    'rtsp://ann:***@10.0.0.7/live?token=***&w=640'
    """
    return _SECRET.sub(r"\1=***", _USER.sub(_mask_password, text))


def _mask_password(match: re.Match[str]) -> str:
    """Up to the last @, for people write passwords with @ and / in them; but an @ in a path behind a plain host is none."""
    user, colon, password = match[2].partition(":")
    in_path = "/" in user or ("/" in password and password.partition("/")[0].isdigit())
    return match[0] if in_path or not colon else f"{match[1]}{user}:***@"
