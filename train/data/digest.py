"""Whether two trainings had the same images."""

import hashlib
import os
from collections.abc import Mapping

from edgeclf.train.data.dataset import Split
from edgeclf.train.data.short_names import short_names

_DIGITS = 16


def data_digest(splits: Mapping[str, Split]) -> str:
    """The first 16 digits of a sha256 over split, label, path and size of every image; paths are below their common folder.

    Contents are not read. A file that is gone counts with size -1.
    """
    names = short_names(path for split in splits.values() for path in split.paths)
    lines = sorted(
        f"{name}\0{label}\0{names[path]}\0{_size(path)}"
        for name, split in splits.items()
        for label, path in zip(split.labels, split.paths, strict=True)
    )
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()[:_DIGITS]


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return -1
