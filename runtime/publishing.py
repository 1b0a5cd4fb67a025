"""Files that appear under their final name only when they are complete and on the disk."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from edgeclf.runtime.errors import OutputError


@contextmanager
def publish(path: Path, *, keep_partial: bool = False) -> Iterator[BinaryIO]:
    """A binary file to write to; it is called `PATH.part` until the block ends well, then synced and renamed.

    When the block raises, the part is removed, or kept with `keep_partial`. A device such as /dev/null is written to
    directly. Raises OutputError when the file cannot be created, written out or renamed.
    """
    special = path.exists() and not path.is_file()
    part = path if special else path.with_name(path.name + ".part")
    try:
        file = open(part, "wb")  # noqa: SIM115 (two ways out, both below)
    except OSError as error:
        raise cannot_write(path, error) from None
    try:
        yield file
        _finish(file, part, path)
    except BaseException:
        with suppress(OSError):
            file.close()
        if not keep_partial and not special:
            part.unlink(missing_ok=True)
        raise


def publish_bytes(path: Path, data: bytes) -> None:
    """Write a whole file at once, or nothing."""
    with publish(path) as file:
        try:
            file.write(data)
        except OSError as error:
            raise cannot_write(path, error) from None


def publish_text(path: Path, text: str) -> None:
    """As `publish_bytes`, in UTF-8; file names that are not UTF-8 must be escaped before."""
    publish_bytes(path, text.encode("utf-8"))


def make_folder(path: Path) -> None:
    """Create a folder and its parents. Raises OutputError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from None


def cannot_write(path: Path, error: OSError) -> OutputError:
    """The sentence for a write that failed."""
    return OutputError(f"cannot write {path}: {error.strerror}; free some space or choose another place with -o")


def _finish(file: BinaryIO, part: Path, path: Path) -> None:
    try:
        file.flush()
        if part != path:
            os.fsync(file.fileno())
        file.close()
        if part != path:
            os.replace(part, path)
    except OSError as error:
        raise cannot_write(path, error) from None
