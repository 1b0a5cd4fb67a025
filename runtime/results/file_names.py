"""File names for what becomes of an image: below the chosen folder, valid, and different for any two images."""

import os
from collections.abc import Iterator
from itertools import count
from pathlib import PurePath

from edgeclf.runtime.images.frame import Frame

NAME_BYTES = 255
"""The longest file name that all file systems in use accept."""
_SUFFIX_LENGTH = 20
"""A longer suffix is part of the name."""


def path_parts(frame: Frame) -> list[str]:
    """The image's path in its source as valid file names, none of which leads up or to the root."""
    path = PurePath(frame.path or frame.name)
    names = [name.replace("\0", "%00") for name in path.parts if name not in (path.anchor, "..")]
    return [next(numbered_names(name)) for name in names] or ["image"]


def numbered_names(name: str) -> Iterator[str]:
    """`a.jpg`, `a (2).jpg`, `a (3).jpg`, ..."""
    stem, suffix = os.path.splitext(name)
    if len(suffix) > _SUFFIX_LENGTH:
        stem, suffix = name, ""
    yield shortened(stem, suffix)
    for number in count(2):
        yield shortened(stem, f" ({number}){suffix}")


def shortened(text: str, end: str) -> str:
    """Text and end as one name; the text is cut if the name would be too long."""
    while len(os.fsencode(text + end)) > NAME_BYTES:
        text = text[:-1]
    return text + end


def path_of(frame: Frame) -> str | None:
    """The frame's file; None if it lies in an archive or comes from a video."""
    image = frame.image
    return os.fspath(image) if isinstance(image, str | os.PathLike) else None
