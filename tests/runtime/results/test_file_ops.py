"""File operations: nothing is overwritten or lost, and after a kill at any point a second call completes the first."""

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from edgeclf.runtime.results import file_ops
from edgeclf.runtime.results.file_ops import copy_bytes, copy_file, link_file, move_file

CONTENT = b"an image" * 1000
OTHER = b"different" * 1000
MTIME_NS = 1_700_000_000_123_456_789
Act = Callable[[str, str], None]
by_act = pytest.mark.parametrize("act", [copy_file, move_file, link_file], ids=["copy", "move", "link"])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in" / os.fsdecode(b"caf\xe9\n.jpg")
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    os.utime(path, ns=(MTIME_NS, MTIME_NS))
    return path


@pytest.fixture
def target(source: Path, tmp_path: Path) -> Path:
    return tmp_path / "out" / "cat" / source.name


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder on another file system."""
    if not os.path.isdir("/dev/shm") or os.stat("/dev/shm").st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system here")
    with TemporaryDirectory(prefix="edgeclf-test-", dir="/dev/shm") as folder:
        yield Path(folder)


@pytest.fixture
def no_hard_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hard links fail, as they do on exFAT."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


def test_a_copy_has_the_content_time_and_mode(source: Path, target: Path) -> None:
    source.chmod(0o640)

    copy_file(str(source), str(target))

    assert (target.read_bytes(), source.read_bytes()) == (CONTENT, CONTENT)
    assert (target.stat().st_mtime_ns, target.stat().st_mode) == (MTIME_NS, source.stat().st_mode)


def test_a_move_keeps_the_inode_and_leaves_nothing_behind(source: Path, target: Path, tmp_path: Path) -> None:
    inode = source.stat().st_ino

    move_file(str(source), str(target))

    assert files(tmp_path) == [f"out/cat/{source.name}"]
    assert (target.stat().st_ino, target.stat().st_nlink, target.read_bytes()) == (inode, 1, CONTENT)


def test_a_link_is_absolute(source: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(source.parent)

    link_file(source.name, str(target))

    assert os.readlink(target) == str(source)


@pytest.mark.parametrize("act", [copy_file, link_file], ids=["copy", "link"])
def test_a_second_call_changes_nothing(act: Act, source: Path, target: Path, tmp_path: Path) -> None:
    act(str(source), str(target))
    act(str(source), str(target))

    assert files(tmp_path) == [f"in/{source.name}", f"out/cat/{source.name}"]


@by_act
@pytest.mark.parametrize("there", ["file", "folder", "link", "link-to-the-same", "dangling"])
def test_an_existing_target_is_never_overwritten(act: Act, there: str, source: Path, target: Path, tmp_path: Path) -> None:
    target.parent.mkdir(parents=True)
    (tmp_path / "other").write_bytes(OTHER)
    (tmp_path / "same").write_bytes(CONTENT)
    make: dict[str, Callable[[], Any]] = {
        "file": lambda: target.write_bytes(OTHER),
        "folder": target.mkdir,
        "link": lambda: target.symlink_to(tmp_path / "other"),
        "link-to-the-same": lambda: target.symlink_to(tmp_path / "same"),
        "dangling": lambda: target.symlink_to("nowhere"),
    }
    make[there]()
    before = files(tmp_path)

    with pytest.raises(FileExistsError):
        act(str(source), str(target))

    assert files(tmp_path) == before
    assert source.read_bytes() == CONTENT
    assert (tmp_path / "other").read_bytes() == OTHER


@pytest.mark.usefixtures("no_hard_links")
@pytest.mark.parametrize("act", [copy_file, move_file], ids=["copy", "move"])
def test_without_hard_links_an_existing_target_is_not_overwritten(act: Act, source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True)
    target.write_bytes(OTHER)

    with pytest.raises(FileExistsError):
        act(str(source), str(target))

    assert (source.read_bytes(), target.read_bytes()) == (CONTENT, OTHER)


@pytest.mark.usefixtures("no_hard_links")
@pytest.mark.parametrize("act", [copy_file, move_file], ids=["copy", "move"])
def test_copy_and_move_work_without_hard_links(act: Act, source: Path, target: Path) -> None:
    act(str(source), str(target))

    assert [path.name for path in target.parent.iterdir()] == [target.name]
    assert target.read_bytes() == CONTENT


def test_a_move_to_another_disk_keeps_content_and_time(source: Path, elsewhere: Path) -> None:
    move_file(str(source), str(elsewhere / "cat" / "a.jpg"))

    assert not source.exists()
    assert files(elsewhere) == ["cat/a.jpg"]
    assert (elsewhere / "cat" / "a.jpg").read_bytes() == CONTENT
    assert (elsewhere / "cat" / "a.jpg").stat().st_mtime_ns == MTIME_NS


def test_a_move_to_another_disk_overwrites_nothing(source: Path, elsewhere: Path) -> None:
    (elsewhere / "a.jpg").write_bytes(OTHER)

    with pytest.raises(FileExistsError):
        move_file(str(source), str(elsewhere / "a.jpg"))

    assert (source.read_bytes(), (elsewhere / "a.jpg").read_bytes()) == (CONTENT, OTHER)


KILLER = """
import json, os, signal, sys
from edgeclf.runtime.results import file_ops

def counting(function):
    def call(*arguments, **options):
        global steps
        steps -= 1
        if steps < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)
    return call

for line in sys.stdin:
    act, source, target, steps = json.loads(line)
    child = os.fork()
    if not child:
        for name in ("chmod", "fsync", "link", "makedirs", "open", "rename", "symlink", "unlink", "utime"):
            setattr(os, name, counting(getattr(os, name)))
        getattr(file_ops, act)(source, target)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""For each line on stdin, forks a process that kills itself after this many steps, and prints its exit code."""


@pytest.fixture(scope="module")
def killer() -> Iterator["subprocess.Popen[str]"]:
    line = [sys.executable, "-c", KILLER]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.communicate()


Die = Callable[[Act, Path, Path, int], None]


@pytest.fixture
def die(killer: "subprocess.Popen[str]") -> Die:
    """Call a function in a process of its own, which is killed after some steps."""

    def call(act: Act, source: Path, target: Path, steps: int) -> None:
        assert killer.stdin
        assert killer.stdout
        killer.stdin.write(json.dumps([act.__name__, str(source), str(target), steps]) + "\n")
        killer.stdin.flush()
        assert int(killer.stdout.readline()) in (0, -signal.SIGKILL)

    return call


def complete(act: Act, source: Path, target: Path) -> None:
    """Call a function again, as Sorter.perform does."""
    if source.exists():
        act(str(source), str(target))


class TestKilled:
    """From every state that a kill can leave, a second call ends as if there had been no kill."""

    @pytest.mark.parametrize("steps", range(8))
    @pytest.mark.parametrize("act", [copy_file, move_file, link_file], ids=["copy", "move", "link"])
    def test_at_any_step(self, act: Act, steps: int, source: Path, target: Path, die: Die) -> None:
        die(act, source, target, steps)

        complete(act, source, target)

        assert [path.name for path in target.parent.iterdir()] == [target.name]
        assert target.read_bytes() == CONTENT
        assert source.exists() == (act is not move_file)

    @pytest.mark.parametrize("steps", range(15))
    def test_at_any_step_to_another_disk(self, steps: int, source: Path, elsewhere: Path, die: Die) -> None:
        die(move_file, source, elsewhere / "cat" / "a.jpg", steps)

        complete(move_file, source, elsewhere / "cat" / "a.jpg")

        assert files(elsewhere) == ["cat/a.jpg"]
        assert (elsewhere / "cat" / "a.jpg").read_bytes() == CONTENT
        assert not source.exists()

    def test_during_a_move_between_link_and_unlink(self, source: Path, target: Path, tmp_path: Path) -> None:
        target.parent.mkdir(parents=True)
        os.link(source, target)

        move_file(str(source), str(target))

        assert files(tmp_path) == [f"out/cat/{source.name}"]
        assert target.read_bytes() == CONTENT

    def test_during_a_move_to_another_disk_between_copy_and_unlink(self, source: Path, target: Path, tmp_path: Path) -> None:
        copy_file(str(source), str(target))

        move_file(str(source), str(target))

        assert files(tmp_path) == [f"out/cat/{source.name}"]
        assert target.read_bytes() == CONTENT

    @pytest.mark.parametrize("act", [copy_file, move_file], ids=["copy", "move"])
    def test_when_the_temporary_file_is_the_target_already(self, act: Act, source: Path, target: Path) -> None:
        copy_file(str(source), str(target))
        os.link(target, file_ops.temporary_name(str(source), str(target)))

        act(str(source), str(target))

        assert [path.name for path in target.parent.iterdir()] == [target.name]
        assert target.read_bytes() == CONTENT

    def test_when_the_temporary_file_of_bytes_is_the_target_already(self, target: Path) -> None:
        copy_bytes(CONTENT, "a.zip/a.jpg", str(target))
        os.link(target, file_ops.temporary_name("a.zip/a.jpg", str(target)))

        copy_bytes(CONTENT, "a.zip/a.jpg", str(target))

        assert [path.name for path in target.parent.iterdir()] == [target.name]

    def test_during_the_move_of_a_link_between_creation_and_unlink(self, source: Path, target: Path, tmp_path: Path) -> None:
        target.parent.mkdir(parents=True)
        for link in (tmp_path / "a.jpg", target):
            link.symlink_to(source)

        move_file(str(tmp_path / "a.jpg"), str(target))

        assert files(tmp_path) == [f"in/{source.name}", f"out/cat/{source.name}"]

    def test_a_temporary_name_that_is_another_file_does_not_change_that_file(
        self, source: Path, target: Path, tmp_path: Path
    ) -> None:
        target.parent.mkdir(parents=True)
        (tmp_path / "other").write_bytes(OTHER)
        os.link(tmp_path / "other", file_ops.temporary_name(str(source), str(target)))

        copy_file(str(source), str(target))

        assert (tmp_path / "other").read_bytes() == OTHER

    def test_during_a_copy(self, source: Path, target: Path) -> None:
        target.parent.mkdir(parents=True)
        Path(file_ops.temporary_name(str(source), str(target))).write_bytes(CONTENT[:100])

        copy_file(str(source), str(target))

        assert [path.name for path in target.parent.iterdir()] == [target.name]
        assert target.read_bytes() == CONTENT

    def test_during_a_copy_of_bytes(self, target: Path) -> None:
        target.parent.mkdir(parents=True)
        Path(file_ops.temporary_name("a.zip/a.jpg", str(target))).write_bytes(CONTENT[:100])

        copy_bytes(CONTENT, "a.zip/a.jpg", str(target))

        assert [path.name for path in target.parent.iterdir()] == [target.name]
        assert target.read_bytes() == CONTENT


def test_copying_bytes_overwrites_nothing(target: Path) -> None:
    target.parent.mkdir(parents=True)
    target.write_bytes(OTHER)

    with pytest.raises(FileExistsError):
        copy_bytes(CONTENT, "a.zip/a.jpg", str(target))

    assert target.read_bytes() == OTHER


def test_a_file_that_is_moved_onto_itself_through_a_link_stays(source: Path, tmp_path: Path) -> None:
    (tmp_path / "linked").symlink_to("in")

    move_file(str(source), str(tmp_path / "linked" / source.name))

    assert source.read_bytes() == CONTENT


def test_a_file_that_is_moved_onto_itself_keeps_its_second_hard_link(source: Path, tmp_path: Path) -> None:
    os.link(source, tmp_path / "second")

    move_file(str(source), str(source))

    assert (source.read_bytes(), (tmp_path / "second").read_bytes()) == (CONTENT, CONTENT)


def test_a_moved_link_still_leads_to_its_target(source: Path, target: Path, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").symlink_to(Path("in") / source.name)

    move_file(str(tmp_path / "a.jpg"), str(target))

    assert not os.path.lexists(tmp_path / "a.jpg")
    assert (os.readlink(target), target.read_bytes()) == (str(source), CONTENT)


@pytest.mark.parametrize("size", [0, 1, (1 << 20) + 1])
def test_files_that_differ_in_one_byte_are_not_copies(size: int, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(size) + b"x")
    (tmp_path / "b").write_bytes(bytes(size) + b"y")

    assert not file_ops.is_copy(str(tmp_path / "a"), str(tmp_path / "b"))
    assert file_ops.is_copy(str(tmp_path / "a"), str(tmp_path / "a"))


def test_a_full_disk_leaves_nothing_of_a_copy(
    source: Path, target: Path, full_disk: Callable[[int], AbstractContextManager[None]]
) -> None:
    with full_disk(1000), pytest.raises(OSError, match="too large"):
        copy_file(str(source), str(target))

    assert list(target.parent.iterdir()) == []


def test_a_full_target_disk_keeps_the_source(
    source: Path, elsewhere: Path, full_disk: Callable[[int], AbstractContextManager[None]]
) -> None:
    with full_disk(1000), pytest.raises(OSError, match="too large"):
        move_file(str(source), str(elsewhere / "a.jpg"))

    assert source.read_bytes() == CONTENT
    assert list(elsewhere.iterdir()) == []
