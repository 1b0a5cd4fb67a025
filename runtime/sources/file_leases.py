"""Finds out whether a file is being written, which only Linux can tell."""

import os
import signal

try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None  # type: ignore[assignment]

_MOUNTS = "/proc/self/mountinfo"
_NETWORK = ("nfs", "cifs", "smb", "ceph", "9p", "afs", "glusterfs", "fuse")
"""File systems that refuse leases for reasons of their own, or do not see the writers on other machines."""


def is_being_written(path: str) -> bool:
    """Whether any process has a regular file open for writing; False if that cannot be found out.

    This requests a read lease and gives it back: Linux grants one only while there is no writer. It takes the file's owner
    or CAP_LEASE, and a local file system.
    """
    if fcntl is None or not hasattr(fcntl, "F_SETLEASE"):
        return False
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.fcntl(file, fcntl.F_SETSIG, signal.SIGURG)  # without this, a new writer would raise SIGIO and kill us
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return not _is_on_network(os.fstat(file).st_dev)
    except OSError:
        return False
    finally:
        os.close(file)
    return False


def _is_on_network(device: int) -> bool:
    number = f"{os.major(device)}:{os.minor(device)}"
    with open(_MOUNTS, errors="surrogateescape") as mounts:
        lines = [line.split() for line in mounts]
    kinds = [fields[fields.index("-") + 1] for fields in lines if fields[2] == number]
    return any(kind.startswith(_NETWORK) for kind in kinds)
