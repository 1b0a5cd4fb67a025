"""Hides passwords and tokens in addresses before they are shown."""

import re

_USER = re.compile(r"(://)([^\s]*)@")
_SECRET = re.compile(
    r"""((?: pas | pwd | psw | token | secret | auth | jwt | cred | session
           | (?<![a-z]) (?: pw | (?:api|access)?key | code | sig(?:nature)? | access | sid ) (?![a-z])
        )[^=&;/?#\s]*)=[^&;#\s]+""",
    re.IGNORECASE | re.VERBOSE,
)


def mask(text: str) -> str:
    """The text with the passwords and tokens in its addresses replaced by `***`. In doubt, it hides too much.

    >>> mask("rtsp://ann:secret@10.0.0.7/live?token=5f3a&w=640")
    'rtsp://ann:***@10.0.0.7/live?token=***&w=640'
    """
    return _SECRET.sub(r"\1=***", _USER.sub(_mask_password, text))


def _mask_password(match: re.Match[str]) -> str:
    """Mask up to the last @, because passwords may contain @ and /. An @ in a path after a plain host is not a password."""
    user, colon, password = match[2].partition(":")
    in_path = "/" in user or ("/" in password and password.partition("/")[0].isdigit())
    return match[0] if in_path or not colon else f"{match[1]}{user}:***@"
