"""An exclusive lock on an open file. It ends when the file is closed, so a process that crashes leaves none behind."""

import os
import sys
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    _LOCKED_BYTE = 0x7FFF_FFFF
    """Windows locks bytes, and no one else can read a locked one. This byte lies beyond the end of nearly every file."""

    def try_lock(descriptor: int) -> bool:
        """Lock an open file without waiting; False if it is locked already. Raises OSError where locks are not supported."""
        position = os.lseek(descriptor, 0, os.SEEK_CUR)
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        finally:
            os.lseek(descriptor, position, os.SEEK_SET)
        return True

else:
    import fcntl

    def try_lock(descriptor: int) -> bool:
        """Lock an open file without waiting; False if it is locked already. Raises OSError where locks are not supported."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def is_at(descriptor: int, path: str | Path) -> bool:
    """Whether `path` still names the open file. The previous owner of a lock may have renamed or removed it meanwhile."""
    return os.path.exists(path) and os.path.samestat(os.fstat(descriptor), os.stat(path))
