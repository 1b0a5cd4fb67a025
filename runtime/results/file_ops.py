"""Copying, moving and linking one file so that nothing is ever overwritten, and so that a kill at any point does no harm.

Each of them may be called again with the same arguments after a kill, and then completes what is left to do. They raise
FileExistsError where something else is at the target, and whatever else the operating system says.
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
"""exFAT says EPERM; so does Linux for a file of somebody else's, which may be renamed all the same."""


def copy_file(source: str, target: str, *, sync: bool = False) -> None:
    """Content, times and mode. sync: it is on the disk when this returns."""
    if is_copy(source, target):
        drop_part(source, target)
        return
    with _part(source, target) as part:
        _copy(source, part, sync)
        _rename(part, target)


def copy_bytes(data: bytes, name: str, target: str) -> None:
    """A file with this content. name: what the data is of, so that its part is found again."""
    if holds(target, data):
        drop_part(name, target)
        return
    with _part(name, target) as part:
        Path(part).write_bytes(data)
        _rename(part, target)


def move_file(source: str, target: str) -> None:
    """A file, also to another disk, or a link: where that is relative, it becomes absolute so that it still leads there."""
    if is_same_entry(source, target):
        return
    if not is_same(source, target):
        _make_parents(target)
        if not os.path.islink(source):
            _move(source, target)
            return
        os.symlink(os.path.realpath(source), target)
    drop_part(source, target)
    os.unlink(source)


def link_file(source: str, target: str) -> None:
    """An absolute symbolic link to `source`."""
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
    """Whether `target` is a link such as `link_file` makes."""
    return os.path.islink(target) and os.readlink(target) == os.path.abspath(source)


def is_same(source: str, target: str) -> bool:
    """Whether both are there and are the same file, have the same content, or are links to the same place."""
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
    """Whether both name the same place, so that unlinking one would lose the other."""
    if not os.path.lexists(target) or os.path.basename(source) != os.path.basename(target):
        return False
    return os.path.samefile(os.path.dirname(source) or ".", os.path.dirname(target) or ".")


def drop_part(source: str, target: str) -> None:
    """Remove what a kill may have left of copying `source` beside `target`."""
    with suppress(FileNotFoundError, NotADirectoryError):
        os.unlink(_part_of(source, target))


def _part_of(source: str, target: str) -> str:
    """Hidden, short whatever the target is called, and another for every pair of the two."""
    pair = os.fsencode(os.path.abspath(source)) + b"\0" + os.fsencode(os.path.abspath(target))
    return os.path.join(os.path.dirname(target), f".edgeclf-{hashlib.sha256(pair).hexdigest()[:16]}.part")


@contextmanager
def _part(source: str, target: str) -> Iterator[str]:
    """The name under which a copy is made. An older part may be the target already, by another name: never written to."""
    _make_parents(target)
    drop_part(source, target)
    try:
        yield _part_of(source, target)
    except BaseException:
        drop_part(source, target)
        raise


def _copy(source: str, part: str, sync: bool) -> None:
    shutil.copyfile(source, part)
    status = os.stat(source)
    os.utime(part, ns=(status.st_atime_ns, status.st_mtime_ns))
    with suppress(OSError):  # exFAT knows no modes
        os.chmod(part, stat.S_IMODE(status.st_mode))
    if sync:
        _sync(part)


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
    """As `os.rename`, which overwrites without a word. Where there are no hard links it checks and then renames."""
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
