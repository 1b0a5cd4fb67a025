"""Counts with their nouns."""


def plural(count: int, noun: str) -> str:
    """The count and its noun; the noun is in the plural unless the count is 1.

    >>> plural(1, "image"), plural(1204, "image"), plural(2, "class"), plural(0, "entry")
    ('1 image', '1,204 images', '2 classes', '0 entries')
    """
    return f"{count:,} {noun_for(count, noun)}"


def noun_for(count: int, noun: str) -> str:
    """The noun alone, in the form that goes with the count."""
    if count == 1:
        return noun
    if noun.endswith(("s", "x", "ch", "sh")):
        return f"{noun}es"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}s"
