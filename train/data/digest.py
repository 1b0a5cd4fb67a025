"""Whether two trainings had the same images."""

import hashlib
import os
from collections.abc import Mapping

from edgeclf.train.data.dataset import Split

_DIGITS = 16


def data_digest(splits: Mapping[str, Split]) -> str:
    """The first 16 digits of a sha256 over split, label, path and size of every image; paths are below their common folder.

    Contents are not read. A file that is gone counts with size -1.
    """
    images = [
        (name, label, path) for name, split in splits.items() for label, path in zip(split.labels, split.paths, strict=True)
    ]
    top = os.path.commonpath([os.path.dirname(os.path.abspath(path)) for _, _, path in images])
    lines = sorted(f"{name}\0{label}\0{os.path.relpath(path, top)}\0{_size(path)}" for name, label, path in images)
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()[:_DIGITS]


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return -1
