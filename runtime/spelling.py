"""What a mistyped word may have meant."""

import os
from collections.abc import Collection, Iterable
from contextlib import suppress
from difflib import get_close_matches
from itertools import islice

from edgeclf.runtime.errors import OptionError

_LONGEST_LIST = 100  # characters; an error is one line
_LEAST_PART = 4  # letters of a part of a name, such as `cubic` of `pillow-bicubic`
_MAX_ENTRIES = 1_000  # of a folder; comparing more names takes seconds


def close_to(word: str, known: Iterable[str], least: float = 0.6) -> list[str]:
    """The best matches, at most two, or names that contain the word. Letter case, hyphens and underscores do not count.

    least: of 0 to 1, how alike.

    >>> close_to("MobilenetV2", ["mobilenet-v2", "cnn"]), close_to("--epoch", ["--epochs", "--batch"])
    (['mobilenet-v2'], ['--epochs'])
    """
    by_plain, sought = {plain(name): name for name in known}, plain(word)
    close = get_close_matches(sought, by_plain, n=2, cutoff=least)
    if not close and len(sought) >= _LEAST_PART:
        close = [name for name in by_plain if sought in name][:2]
    return [by_plain[match] for match in close]


def plain(name: str) -> str:
    """A name without what people write differently.

    >>> plain("EfficientNet-Lite_0")
    'efficientnetlite0'
    """
    return name.lower().replace("-", "").replace("_", "")


def did_you_mean(close: Collection[str]) -> str:
    """The question at the end of a sentence; empty without a match.

    >>> did_you_mean(["crop", "pad"]), did_you_mean([])
    ('did you mean crop or pad?', '')
    """
    return f"did you mean {' or '.join(close)}?" if close else ""


def near(path: str | os.PathLike[str]) -> str:
    """For a path that does not exist: what is there and may have been meant, as a question; empty if there is nothing."""
    folder, name = os.path.split(os.fspath(path).rstrip("/"))
    with suppress(OSError, ValueError):
        with os.scandir(folder or ".") as entries:
            there = [entry.name for entry in islice(entries, _MAX_ENTRIES) if not entry.name.startswith(".")]
        return did_you_mean([os.path.join(folder, entry) for entry in close_to(name, there)])
    return ""


def advice(word: str, known: Iterable[str]) -> str:
    """The end of a sentence about a name that does not exist: what it may have meant, or what there is.

    >>> advice("pads", ["crop", "pad"]), advice("wide", ["crop", "pad"])
    ('did you mean pad?', 'choose from crop, pad')
    """
    names = list(known)
    if close := close_to(word, names):
        return did_you_mean(close)
    listed = ", ".join(names)
    return f"choose from {listed}" if len(listed) <= _LONGEST_LIST else "see --help-all for those that there are"


def require_choice(flag: str, value: object, known: Iterable[object], *, is_optional: bool = False) -> None:
    """Raise OptionError if the value of `flag` is not in `known`. is_optional: None is a value, too."""
    names = list(known)
    if value not in names and not (is_optional and value is None):
        raise OptionError(f"{flag} cannot be {value!r}; {advice(str(value), map(str, names))}")
