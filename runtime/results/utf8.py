"""Text for formats that only accept valid UTF-8, which a file name need not be."""

from edgeclf.runtime.terminal.escaping import escape, unescape


def as_utf8(text: str) -> str:
    r"""The text itself if possible, else escaped by `escape`; `unescape` restores every text.

    For that, text that only looks escaped is escaped too.

    >>> as_utf8("a\nb.jpg"), as_utf8("caf\udce9.jpg"), as_utf8("a\\nb.jpg"), as_utf8("C:\\cat.jpg")
    ('a\nb.jpg', 'caf\\xe9.jpg', 'a\\\\nb.jpg', 'C:\\cat.jpg')
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return escape(text)
    return text if "\\" not in text or unescape(text) == text else escape(text)
