r"""Turns any file name into one line of harmless text, and back. Terminals, logs and spreadsheets show the same spelling.

A name may contain newlines, terminal escapes, right-to-left marks and bytes that are not UTF-8. Characters that do not
print are written as in a Python string, and the backslash is doubled, so that `unescape` can restore the name.
"""

import re

_SHORT = {"\\": r"\\", "\n": r"\n", "\r": r"\r", "\t": r"\t"}
_LONG = {spelling: character for character, spelling in _SHORT.items()}
_SPELLING = re.compile(r"\\(?:[\\nrt]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")
_FORMULA_STARTS = ("=", "+", "-", "@")


def escape(text: str) -> str:
    r"""Write out characters that do not print; bytes that are not UTF-8 (surrogate escapes) become `\xhh`.

    >>> escape("bee\n\x1b[31m.jpg")
    'bee\\n\\x1b[31m.jpg'
    """
    if text.isprintable() and "\\" not in text:
        return text
    return "".join(c if c.isprintable() and c != "\\" else _spell(c) for c in text)


def escape_cell(text: str) -> str:
    r"""As `escape`, and safe from being read as a formula by a spreadsheet.

    >>> escape_cell("=HYPERLINK(1).jpg")
    '\\x3dHYPERLINK(1).jpg'
    """
    escaped = escape(text)
    if escaped.startswith(_FORMULA_STARTS):
        return f"\\x{ord(escaped[0]):02x}{escaped[1:]}"
    return escaped


def one_line(sentence: str) -> str:
    """A sentence for people, which stays one printable line even if it quotes a file name with control characters."""
    return escape(sentence).replace("\\\\", "\\")


def unescape(text: str) -> str:
    """Restore the name that `escape` or `escape_cell` was given; the result is ready for `open`."""
    return _SPELLING.sub(lambda match: _read(match[0]), text)


def _spell(character: str) -> str:
    code = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    if 0xDC80 <= code <= 0xDCFF:  # a raw byte, as os.fsdecode keeps it
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _read(spelling: str) -> str:
    if spelling in _LONG:
        return _LONG[spelling]
    code = int(spelling[2:], 16)
    return chr(code + 0xDC00) if spelling[1] == "x" and code >= 0x80 else chr(code)
