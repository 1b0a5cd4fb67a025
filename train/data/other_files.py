"""Files among labelled images that are not images: counted by kind, so that a sentence can say what was skipped."""

import os
from collections.abc import Mapping

_LISTED = 4
_LONGEST_SUFFIX = 8


def kind_of(path: str) -> str:
    """The suffix in lower case, or what a file without one is."""
    name = os.path.basename(path)
    suffix = os.path.splitext(name)[1].lower()
    if os.path.isdir(path):
        return "linked folder"
    if name.startswith("."):
        return "hidden"
    return suffix if suffix[1:].isalnum() and len(suffix) <= _LONGEST_SUFFIX else "without a suffix"


def describe_kinds(others: Mapping[str, int]) -> str:
    """The most frequent kinds with their counts.

    >>> describe_kinds({".txt": 180, ".mov": 1200})
    '1,200 .mov, 180 .txt'
    """
    kinds = sorted(others.items(), key=lambda item: (-item[1], item[0]))
    listed = ", ".join(f"{count:,} {kind}" for kind, count in kinds[:_LISTED])
    more = sum(count for _, count in kinds[_LISTED:])
    return f"{listed} and {more:,} more" if more else listed
