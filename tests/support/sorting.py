"""Frames to sort: files, and members of archives."""

import os
from pathlib import Path

from edgeclf.runtime.errors import ImageError, Reason
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.results.row import Row
from edgeclf.runtime.results.sorting import Sorter
from tests.support.files import CONTENT

ROW = Row("a.jpg", "ok", "cat", 0.9)
UNSURE = Row("a.jpg", "unsure", "", 0.4)
FAILED = Row("a.jpg", "error", error="empty")


class Member:
    """A file in an archive."""

    def read(self) -> bytes:
        return CONTENT


class Gone:
    """A file in an archive that no longer exists."""

    def read(self) -> bytes:
        raise ImageError(Reason.NOT_FOUND, "gone")


def image(tmp_path: Path, source: str, path: str, content: bytes = CONTENT) -> Frame:
    file = tmp_path / source / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    os.utime(file, ns=(10**18, 10**18))
    return Frame(str(file), str(file), path, size_bytes=len(content), mtime_ns=10**18)


def member(path: str = "day/a.jpg", stored: object = None) -> Frame:
    return Frame(f"a.zip/{path}", stored or Member(), path, size_bytes=len(CONTENT), mtime_ns=77)  # type: ignore[arg-type]


def sort(sorter: Sorter, frame: Frame, row: Row = ROW) -> str:
    destination = sorter.destination(frame, row)
    sorter.perform(frame, destination)
    return destination
