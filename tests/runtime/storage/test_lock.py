"""Locks: one owner at a time, released when the file is closed and when its process is killed."""

import fcntl
import os
import runpy
import signal
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgeclf.runtime.storage import lock
from edgeclf.runtime.storage.lock import is_at, try_lock

CONTENT = b"content"
TryLock = Callable[[int], bool]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    return path


def _locking(descriptor: int, mode: int, size_bytes: int) -> None:
    """Like `msvcrt.locking`: locks bytes from the current position, and raises PermissionError if they are locked."""
    start = os.lseek(descriptor, 0, os.SEEK_CUR)
    request = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, start, size_bytes, 0)
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, request)
    except BlockingIOError:
        raise PermissionError(13, "Permission denied") from None


@pytest.fixture(params=["here", "windows"])
def try_to_lock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> TryLock:
    """`try_lock` as on this system; and as on Windows, whose lock on a range of bytes Linux has, too."""
    if request.param == "here":
        return try_lock
    if not hasattr(fcntl, "F_OFD_SETLK"):
        pytest.skip("only Linux has locks like those of Windows")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "msvcrt", SimpleNamespace(locking=_locking, LK_NBLCK=2))
        patch.setattr(sys, "platform", "win32")
        windows: TryLock = runpy.run_path(lock.__file__)["try_lock"]
    return windows


def test_a_file_has_one_lock_at_a_time(path: Path, try_to_lock: TryLock) -> None:
    with open(path, "r+b") as first, open(path, "r+b") as second:
        assert try_to_lock(first.fileno())
        assert not try_to_lock(second.fileno())


def test_closing_the_file_releases_the_lock(path: Path, try_to_lock: TryLock) -> None:
    with open(path, "r+b") as first:
        assert try_to_lock(first.fileno())

    with open(path, "r+b") as second:
        assert try_to_lock(second.fileno())


def test_locking_changes_neither_the_content_nor_the_position(path: Path, try_to_lock: TryLock) -> None:
    with open(path, "r+b") as file:
        file.seek(3)
        try_to_lock(file.fileno())
        assert file.tell() == 3
        assert file.read() == CONTENT[3:]

    assert path.read_bytes() == CONTENT


def test_a_process_that_is_killed_leaves_no_lock(path: Path) -> None:
    script = """
import os, signal, sys
from edgeclf.runtime.storage.lock import try_lock
file = open(sys.argv[1], "r+b")
assert try_lock(file.fileno())
print("locked", flush=True)
signal.pause()
"""
    with (
        subprocess.Popen([sys.executable, "-c", script, path], stdout=subprocess.PIPE) as process,
        open(path, "r+b") as file,
    ):
        assert process.stdout
        assert process.stdout.readline() == b"locked\n"
        assert not try_lock(file.fileno())
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert try_lock(file.fileno())


def test_a_path_names_the_open_file_until_it_is_renamed_or_replaced(path: Path) -> None:
    with open(path, "rb") as file:
        assert is_at(file.fileno(), path)
        moved = path.rename(path.with_name("moved"))
        assert not is_at(file.fileno(), path)
        assert is_at(file.fileno(), moved)
        path.write_bytes(CONTENT)
        assert not is_at(file.fileno(), path)
