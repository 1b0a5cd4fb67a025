"""Counts with their nouns, as people read them."""


def plural(count: int, noun: str) -> str:
    """The count with its noun, in the plural unless it is one.

    >>> plural(1, "image"), plural(1204, "image"), plural(2, "class"), plural(0, "entry")
    ('1 image', '1,204 images', '2 classes', '0 entries')
    """
    return f"{count:,} {noun if count == 1 else _plural(noun)}"


def _plural(noun: str) -> str:
    if noun.endswith(("s", "x", "ch", "sh")):
        return f"{noun}es"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}s"
