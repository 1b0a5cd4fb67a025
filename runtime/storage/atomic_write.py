"""Files that appear under their final name only when they are complete and on the disk."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from edgeclf.runtime.errors import OutputError

try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None  # type: ignore[assignment]


@contextmanager
def publish(path: Path, *, keep_partial: bool = False) -> Iterator[BinaryIO]:
    """A binary file to write to; it is called `PATH.part` until the block ends well, then synced and renamed.

    When the block raises, the part is removed; with `keep_partial` only if it is empty. A device such as /dev/null is
    written to directly, a link is followed. Raises OutputError when the file cannot be created, written out or renamed,
    or when another process is writing it.
    """
    path = Path(os.path.realpath(path))
    special = os.path.exists(path) and not os.path.isfile(path)
    part = path if special else path.with_name(path.name + ".part")
    try:
        file = open(part, "wb" if special else "ab")  # noqa: SIM115 (two ways out, both below)
        if not special:
            _claim(file, path)
    except OSError as error:
        raise cannot_write(path, error) from None
    try:
        yield file
        _finish(file, part, path)
    except BaseException:
        with suppress(OSError):
            file.close()
        if not special and not (keep_partial and part.exists() and part.stat().st_size):
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
    """As `publish_bytes`, in UTF-8; file names that are not UTF-8 keep their bytes."""
    publish_bytes(path, text.encode("utf-8", "surrogateescape"))


def make_folder(path: Path) -> None:
    """Create a folder and its parents. Raises OutputError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from None


def cannot_write(path: Path, error: OSError) -> OutputError:
    """The sentence for a write that failed."""
    return OutputError(f"cannot write {path}: {error.strerror or error}; free some space or choose another place with -o")


def _claim(file: BinaryIO, path: Path) -> None:
    """Lock the part against a second writer, then empty it: an earlier run may have left rows there."""
    busy = OutputError(f"another process is writing {path}; wait for it, or choose another place with -o")
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise busy from None
        # The other may have finished between our open and our lock: then this is its published file, under a new name.
        if not os.path.exists(file.name) or not os.path.samestat(os.fstat(file.fileno()), os.stat(file.name)):
            file.close()
            raise busy
    file.truncate(0)


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
