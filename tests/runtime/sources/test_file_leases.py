"""Leases: a file that is still being written is recognised, and asking harms neither us nor the writer."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgeclf.runtime.sources.file_leases import is_being_written

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can tell")
Writer = Callable[[str], None]

WRITER = "import sys; file = open(sys.argv[1], sys.argv[2]); print('open', flush=True); sys.stdin.read()"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    path.write_bytes(b"x")
    return path


@pytest.fixture
def writer(image: Path) -> Iterator[Writer]:
    """`writer("ab")` starts another process that has the image open in this mode."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(mode: str) -> None:
        line = [sys.executable, "-c", WRITER, str(image), mode]
        processes.append(subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        assert processes[-1].stdout is not None
        processes[-1].stdout.readline()

    yield start
    for process in processes:
        process.communicate()


@pytest.mark.parametrize("mode", ["ab", "r+b"])
def test_file_that_another_process_has_open_for_writing_is_being_written(mode: str, writer: Writer, image: Path) -> None:
    writer(mode)

    assert is_being_written(str(image))


def test_file_that_another_process_reads_is_not(writer: Writer, image: Path) -> None:
    writer("rb")

    assert not is_being_written(str(image))


def test_file_is_free_once_its_writer_has_closed_it(image: Path) -> None:
    with open(image, "ab"):
        assert is_being_written(str(image))

    assert not is_being_written(str(image))


def test_file_is_not_being_written_if_that_cannot_be_found_out(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")

    assert not is_being_written(str(tmp_path / "missing.png"))
    assert not is_being_written(str(tmp_path / "pipe.png"))
    assert not is_being_written("/dev/null")


def test_writer_that_comes_while_we_ask_does_not_kill_us(image: Path, fresh_python: Callable[..., str]) -> None:
    script = (
        "import fcntl, os, sys\n"
        "from edgeclf.runtime.sources import file_leases\n"
        "real = fcntl.fcntl\n"
        "def ask(file, command, value):\n"  # a writer comes between our two calls
        "    if (command, value) == (fcntl.F_SETLEASE, fcntl.F_UNLCK):\n"
        "        try:\n"
        "            os.open(sys.argv[1], os.O_WRONLY | os.O_NONBLOCK)\n"
        "        except BlockingIOError:\n"
        "            print('lease broken')\n"
        "    return real(file, command, value)\n"
        "file_leases.fcntl.fcntl = ask\n"
        "print(file_leases.is_being_written(sys.argv[1]))\n"
    )

    assert fresh_python(script, image).splitlines() == ["lease broken", "False"]


def test_no_lease_is_left(image: Path) -> None:
    signals: list[int] = []
    former = signal.signal(signal.SIGURG, lambda number, _: signals.append(number))
    try:
        is_being_written(str(image))
        with open(image, "ab"):
            pass
    finally:
        signal.signal(signal.SIGURG, former)

    assert signals == []
