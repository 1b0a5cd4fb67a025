"""Counts with their nouns."""


def plural(count: int, noun: str) -> str:
    """The count and its noun; the noun is in the plural unless the count is 1.

    >>> plural(1, "image"), plural(1204, "image"), plural(2, "class"), plural(0, "entry"), plural(8, "epoch")
    ('1 image', '1,204 images', '2 classes', '0 entries', '8 epochs')
    """
    return f"{count:,} {noun_for(count, noun)}"


def per_second(rate: float, noun: str) -> str:
    """The number of things a second, with one digit after the point if there are less than ten.

    >>> [per_second(rate, "image") for rate in (1234.5, 10.2, 1.44, 0.4, 0.03)]
    ['1,234 images/s', '10 images/s', '1.4 images/s', '0.4 images/s', '0.03 images/s']
    """
    if rate < 0.095:
        return f"{rate:.1g} {noun_for(2, noun)}/s"
    return f"{rate:,.{0 if rate >= 9.95 else 1}f} {noun_for(2, noun)}/s"


def noun_for(count: int, noun: str) -> str:
    """The noun alone, in the form that goes with the count."""
    if count == 1:
        return noun
    if noun.endswith(("s", "x", "ch", "sh")) and noun != "epoch":
        return f"{noun}es"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}s"
