"""Copying, moving and linking one file: only `replace_bytes` overwrites, and a kill at any point does no harm.

After a kill, call the same function again with the same arguments: it completes what is left to do. The others raise
FileExistsError if something else is at the target, and OSError for anything else that the operating system refuses.
"""

import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_CHUNK_BYTES = 1 << 20
_NO_HARD_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}
"""exFAT raises EPERM; so does Linux for a file that belongs to another user, which can still be renamed."""


def copy_file(source: str, target: str, *, sync: bool = False) -> None:
    """Copy content, times and mode. With `sync`, the copy is on the disk when this returns."""
    if is_copy(source, target):
        remove_temporary(source, target)
        return
    with _temporary(source, target) as temporary:
        _copy(source, temporary, sync)
        _rename(temporary, target)


def copy_bytes(data: bytes, name: str, target: str) -> None:
    """Write a file with this content. name: identifies the data, so that a temporary file left by a kill is found again."""
    if holds(target, data):
        remove_temporary(name, target)
        return
    with _temporary(name, target) as temporary:
        Path(temporary).write_bytes(data)
        _rename(temporary, target)


def replace_bytes(data: bytes, name: str, target: str) -> None:
    """As `copy_bytes`, in place of the file at `target`."""
    with _temporary(name, target) as temporary:
        Path(temporary).write_bytes(data)
        os.replace(temporary, target)


def move_file(source: str, target: str) -> None:
    """Move a file, also to another disk, or a link. A relative link becomes absolute, so that it still leads there."""
    if is_same_entry(source, target):
        return
    if not is_same(source, target):
        _make_parents(target)
        if not os.path.islink(source):
            _move(source, target)
            return
        os.symlink(os.path.realpath(source), target)
    remove_temporary(source, target)
    os.unlink(source)


def link_file(source: str, target: str) -> None:
    """Create an absolute symbolic link to `source`."""
    if not is_link_to(source, target):
        _make_parents(target)
        os.symlink(os.path.abspath(source), target)


def is_copy(source: str, target: str) -> bool:
    """Whether `target` is a regular file with the content of `source`."""
    if not os.path.isfile(target) or os.path.islink(target) or os.path.getsize(source) != os.path.getsize(target):
        return False
    with open(source, "rb") as one, open(target, "rb") as other:
        while chunk := one.read(_CHUNK_BYTES):
            if chunk != other.read(_CHUNK_BYTES):
                return False
    return True


def is_link_to(source: str, target: str) -> bool:
    """Whether `target` is a link as `link_file` creates it."""
    return os.path.islink(target) and os.readlink(target) == os.path.abspath(source)


def is_same(source: str, target: str) -> bool:
    """Whether both exist and are the same file, have the same content, or are links to the same place."""
    if not os.path.lexists(source) or not os.path.lexists(target):
        return False
    if os.path.islink(source) and os.path.islink(target):
        return os.path.realpath(source) == os.path.realpath(target)
    return os.path.samestat(os.lstat(source), os.lstat(target)) or is_copy(source, target)


def holds(path: str, data: bytes) -> bool:
    """Whether `path` is a regular file with this content."""
    is_file = os.path.isfile(path) and not os.path.islink(path)
    return is_file and os.path.getsize(path) == len(data) and Path(path).read_bytes() == data


def is_same_entry(source: str, target: str) -> bool:
    """Whether both name the same entry of the same folder: removing one would lose the other."""
    if not os.path.lexists(target) or os.path.basename(source) != os.path.basename(target):
        return False
    return os.path.samefile(os.path.dirname(source) or ".", os.path.dirname(target) or ".")


def remove_temporary(source: str, target: str) -> None:
    """Remove what a kill may have left beside `target` while `source` was being copied."""
    with suppress(FileNotFoundError, NotADirectoryError):
        os.unlink(temporary_name(source, target))


def temporary_name(source: str, target: str) -> str:
    """The name of the copy until it is complete: hidden, short, and different for every pair of source and target."""
    pair = os.fsencode(os.path.abspath(source)) + b"\0" + os.fsencode(os.path.abspath(target))
    return os.path.join(os.path.dirname(target), f".edgeclf-{hashlib.sha256(pair).hexdigest()[:16]}.part")


@contextmanager
def _temporary(source: str, target: str) -> Iterator[str]:
    """The name to write to. An older file of that name may be a hard link to the target, so it is removed, not reused."""
    _make_parents(target)
    remove_temporary(source, target)
    try:
        yield temporary_name(source, target)
    except BaseException:
        remove_temporary(source, target)
        raise


def _copy(source: str, temporary: str, sync: bool) -> None:
    shutil.copyfile(source, temporary)
    status = os.stat(source)
    os.utime(temporary, ns=(status.st_atime_ns, status.st_mtime_ns))
    with suppress(OSError):  # exFAT has no modes
        os.chmod(temporary, stat.S_IMODE(status.st_mode))
    if sync:
        _sync(temporary)


def _move(source: str, target: str) -> None:
    try:
        _rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy_file(source, target, sync=True)
        with suppress(OSError):  # not every system can sync a folder
            _sync(os.path.dirname(target))
        os.unlink(source)


def _rename(source: str, target: str) -> None:
    """Rename without overwriting, as `os.rename` would. Where hard links do not work, check first and then rename."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target) from None
        os.rename(source, target)
    else:
        os.unlink(source)


def _sync(path: str) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _make_parents(target: str) -> None:
    os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
