"""Writing a file under a temporary name: it gets its final name only when it is complete and on the disk."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from edgeclf.runtime.errors import OutputError
from edgeclf.runtime.storage.lock import is_at, try_lock


@contextmanager
def publish(path: Path, *, keep_partial: bool = False, hidden: bool = False) -> Iterator[BinaryIO]:
    """Yield a binary file named `PATH.part`. When the block ends without an error, it is synced and renamed to `path`.

    When the block raises, the temporary file is removed; with `keep_partial` only if it is empty. With `hidden`, its name
    begins with a dot. A device such as /dev/null is written to directly, and a link is followed. Raises OutputError if the
    file cannot be created, written or renamed, or if another process is writing it.
    """
    path = Path(os.path.realpath(path))
    is_device = os.path.exists(path) and not os.path.isfile(path)
    temporary = path if is_device else temporary_path(path, hidden=hidden)
    try:
        file = open(temporary, "wb" if is_device else "ab")  # noqa: SIM115 (closed below, in two ways)
        if not is_device:
            _lock_and_empty(file, path)
    except OSError as error:
        raise cannot_write(path, error) from None
    try:
        yield file
        _finish(file, temporary, path)
    except BaseException:
        with suppress(OSError):
            file.close()
        if not is_device and not (keep_partial and temporary.exists() and temporary.stat().st_size):
            temporary.unlink(missing_ok=True)
        raise


def publish_bytes(path: Path, data: bytes, *, hidden: bool = False) -> None:
    """Write a whole file, or nothing of it. hidden: as in `publish`."""
    with publish(path, hidden=hidden) as file:
        try:
            file.write(data)
        except OSError as error:
            raise cannot_write(path, error) from None


def publish_text(path: Path, text: str) -> None:
    """Like `publish_bytes`, in UTF-8; file names in the text that are not UTF-8 keep their bytes."""
    publish_bytes(path, text.encode("utf-8", "surrogateescape"))


def temporary_path(path: Path, *, hidden: bool = False) -> Path:
    """The name of a file while it is being written."""
    return path.with_name(f"{'.' if hidden else ''}{path.name}.part")


def make_folder(path: Path) -> None:
    """Create a folder and its parents. Raises OutputError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from None


def cannot_write(path: Path, error: OSError) -> OutputError:
    """The error to raise when a write failed."""
    return OutputError(f"cannot write {path}: {error.strerror or error}; {write_advice(error, path.parent)}")


def write_advice(error: OSError, folder: Path) -> str:
    """What to do after a write to `folder` failed."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "free some space or choose another place"
    if error.errno == errno.EFBIG:
        return "choose another place, which takes files of this size"
    if error.errno == errno.ENAMETOOLONG:
        return "choose a shorter name"
    if error.errno == errno.ENOENT:
        return f"make the folder {folder} first"
    return "choose another place"


def _lock_and_empty(file: BinaryIO, path: Path) -> None:
    """Refuse a second writer, then remove what an earlier run may have left in the temporary file."""
    # Between our open and our lock, the other process may have finished: then this is the file that it published.
    if not try_lock(file.fileno()) or not is_at(file.fileno(), file.name):
        file.close()
        raise OutputError(f"another process is writing {path}; wait for it to finish, or choose another place")
    file.truncate(0)


def _finish(file: BinaryIO, temporary: Path, path: Path) -> None:
    try:
        file.flush()
        if temporary != path:
            os.fsync(file.fileno())
        file.close()
        if temporary != path:
            os.replace(temporary, path)
    except OSError as error:
        raise cannot_write(path, error) from None
