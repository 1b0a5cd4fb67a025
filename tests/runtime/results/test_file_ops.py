"""Filing: nothing is overwritten, nothing is lost, and a kill at any point is made good by doing it again."""

import errno
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

from edgeclf.runtime.results import file_ops as filing
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
    """As on exFAT."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


def test_copy_has_content_time_and_mode(source: Path, target: Path) -> None:
    source.chmod(0o640)

    copy_file(str(source), str(target))

    assert (target.read_bytes(), source.read_bytes()) == (CONTENT, CONTENT)
    assert (target.stat().st_mtime_ns, target.stat().st_mode) == (MTIME_NS, source.stat().st_mode)


def test_move_leaves_nothing_behind_and_keeps_the_file_itself(source: Path, target: Path, tmp_path: Path) -> None:
    inode = source.stat().st_ino

    move_file(str(source), str(target))

    assert files(tmp_path) == [f"out/cat/{source.name}"]
    assert (target.stat().st_ino, target.stat().st_nlink, target.read_bytes()) == (inode, 1, CONTENT)


def test_link_is_absolute(source: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(source.parent)

    link_file(source.name, str(target))

    assert os.readlink(target) == str(source)


@pytest.mark.parametrize("act", [copy_file, link_file], ids=["copy", "link"])
def test_done_twice_is_done_once(act: Act, source: Path, target: Path, tmp_path: Path) -> None:
    act(str(source), str(target))
    act(str(source), str(target))

    assert files(tmp_path) == [f"in/{source.name}", f"out/cat/{source.name}"]


@by_act
@pytest.mark.parametrize("there", ["file", "folder", "link", "link-to-the-same", "dangling"])
def test_what_is_there_is_never_overwritten(act: Act, there: str, source: Path, target: Path, tmp_path: Path) -> None:
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
def test_without_hard_links_nothing_is_overwritten_either(act: Act, source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True)
    target.write_bytes(OTHER)

    with pytest.raises(FileExistsError):
        act(str(source), str(target))

    assert (source.read_bytes(), target.read_bytes()) == (CONTENT, OTHER)


@pytest.mark.usefixtures("no_hard_links")
@pytest.mark.parametrize("act", [copy_file, move_file], ids=["copy", "move"])
def test_without_hard_links_it_arrives(act: Act, source: Path, target: Path) -> None:
    act(str(source), str(target))

    assert [path.name for path in target.parent.iterdir()] == [target.name]
    assert target.read_bytes() == CONTENT


def test_move_to_another_disk(source: Path, elsewhere: Path) -> None:
    move_file(str(source), str(elsewhere / "cat" / "a.jpg"))

    assert not source.exists()
    assert files(elsewhere) == ["cat/a.jpg"]
    assert (elsewhere / "cat" / "a.jpg").read_bytes() == CONTENT
    assert (elsewhere / "cat" / "a.jpg").stat().st_mtime_ns == MTIME_NS


def test_move_to_another_disk_overwrites_nothing(source: Path, elsewhere: Path) -> None:
    (elsewhere / "a.jpg").write_bytes(OTHER)

    with pytest.raises(FileExistsError):
        move_file(str(source), str(elsewhere / "a.jpg"))

    assert (source.read_bytes(), (elsewhere / "a.jpg").read_bytes()) == (CONTENT, OTHER)


DYING = """
import os, signal, sys
from edgeclf.runtime.results import file_ops as filing

act, source, target, steps = sys.argv[1:]
left = int(steps)

def dying(function):
    def call(*arguments, **options):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)
    return call

for name in ("chmod", "fsync", "link", "makedirs", "open", "rename", "symlink", "unlink", "utime"):
    setattr(os, name, dying(getattr(os, name)))
getattr(filing, act)(source, target)
"""
"""A process that kills itself after so many steps."""


def die(act: Act, source: Path, target: Path, steps: int) -> None:
    line = [sys.executable, "-c", DYING, act.__name__, str(source), str(target), str(steps)]
    assert subprocess.run(line, check=False).returncode in (0, -signal.SIGKILL)


def complete(act: Act, source: Path, target: Path) -> None:
    """As Sorter.perform does it."""
    if source.exists():
        act(str(source), str(target))


class TestKilled:
    """Every state that a kill can leave ends as if there had been none."""

    @pytest.mark.parametrize("steps", range(8))
    @pytest.mark.parametrize("act", [copy_file, move_file, link_file], ids=["copy", "move", "link"])
    def test_at_any_step(self, act: Act, steps: int, source: Path, target: Path, tmp_path: Path) -> None:
        die(act, source, target, steps)

        complete(act, source, target)

        assert [path.name for path in target.parent.iterdir()] == [target.name]
        assert target.read_bytes() == CONTENT
        assert source.exists() == (act is not move_file)

    @pytest.mark.parametrize("steps", range(15))
    def test_at_any_step_to_another_disk(self, steps: int, source: Path, elsewhere: Path) -> None:
        die(move_file, source, elsewhere / "cat" / "a.jpg", steps)

        complete(move_file, source, elsewhere / "cat" / "a.jpg")

        assert files(elsewhere) == ["cat/a.jpg"]
        assert (elsewhere / "cat" / "a.jpg").read_bytes() == CONTENT
        assert not source.exists()

    def test_move_that_was_linked_and_not_unlinked(self, source: Path, target: Path, tmp_path: Path) -> None:
        target.parent.mkdir(parents=True)
        os.link(source, target)

        move_file(str(source), str(target))

        assert files(tmp_path) == [f"out/cat/{source.name}"]
        assert target.read_bytes() == CONTENT

    def test_move_to_another_disk_that_was_copied_and_not_unlinked(self, source: Path, target: Path, tmp_path: Path) -> None:
        copy_file(str(source), str(target))

        move_file(str(source), str(target))

        assert files(tmp_path) == [f"out/cat/{source.name}"]
        assert target.read_bytes() == CONTENT

    @pytest.mark.parametrize("act", [copy_file, move_file], ids=["copy", "move"])
    def test_part_that_is_the_target_already(self, act: Act, source: Path, target: Path) -> None:
        copy_file(str(source), str(target))
        os.link(target, filing._part_of(str(source), str(target)))

        act(str(source), str(target))

        assert [path.name for path in target.parent.iterdir()] == [target.name]
        assert target.read_bytes() == CONTENT

    def test_part_of_bytes_that_is_the_target_already(self, target: Path) -> None:
        copy_bytes(CONTENT, "a.zip/a.jpg", str(target))
        os.link(target, filing._part_of("a.zip/a.jpg", str(target)))

        copy_bytes(CONTENT, "a.zip/a.jpg", str(target))

        assert [path.name for path in target.parent.iterdir()] == [target.name]

    def test_moved_link_that_was_made_and_not_unlinked(self, source: Path, target: Path, tmp_path: Path) -> None:
        target.parent.mkdir(parents=True)
        for link in (tmp_path / "a.jpg", target):
            link.symlink_to(source)

        move_file(str(tmp_path / "a.jpg"), str(target))

        assert files(tmp_path) == [f"in/{source.name}", f"out/cat/{source.name}"]

    def test_part_that_is_another_file_by_now_does_not_change_it(self, source: Path, target: Path, tmp_path: Path) -> None:
        target.parent.mkdir(parents=True)
        (tmp_path / "other").write_bytes(OTHER)
        os.link(tmp_path / "other", filing._part_of(str(source), str(target)))

        copy_file(str(source), str(target))

        assert (tmp_path / "other").read_bytes() == OTHER

    def test_half_a_copy(self, source: Path, target: Path) -> None:
        target.parent.mkdir(parents=True)
        Path(filing._part_of(str(source), str(target))).write_bytes(CONTENT[:100])

        copy_file(str(source), str(target))

        assert [path.name for path in target.parent.iterdir()] == [target.name]
        assert target.read_bytes() == CONTENT

    def test_half_a_copy_of_bytes(self, target: Path) -> None:
        target.parent.mkdir(parents=True)
        Path(filing._part_of("a.zip/a.jpg", str(target))).write_bytes(CONTENT[:100])

        copy_bytes(CONTENT, "a.zip/a.jpg", str(target))

        assert [path.name for path in target.parent.iterdir()] == [target.name]
        assert target.read_bytes() == CONTENT


def test_bytes_overwrite_nothing(target: Path) -> None:
    target.parent.mkdir(parents=True)
    target.write_bytes(OTHER)

    with pytest.raises(FileExistsError):
        copy_bytes(CONTENT, "a.zip/a.jpg", str(target))

    assert target.read_bytes() == OTHER


def test_file_that_is_moved_to_where_it_is_stays(source: Path, tmp_path: Path) -> None:
    (tmp_path / "linked").symlink_to("in")

    move_file(str(source), str(tmp_path / "linked" / source.name))

    assert source.read_bytes() == CONTENT


def test_file_with_a_second_name_that_is_moved_to_where_it_is_keeps_both(source: Path, tmp_path: Path) -> None:
    os.link(source, tmp_path / "second")

    move_file(str(source), str(source))

    assert (source.read_bytes(), (tmp_path / "second").read_bytes()) == (CONTENT, CONTENT)


def test_linked_image_moves_as_a_link_that_still_leads_there(source: Path, target: Path, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").symlink_to(Path("in") / source.name)

    move_file(str(tmp_path / "a.jpg"), str(target))

    assert not os.path.lexists(tmp_path / "a.jpg")
    assert (os.readlink(target), target.read_bytes()) == (str(source), CONTENT)


@pytest.mark.parametrize("size", [0, 1, (1 << 20) + 1])
def test_one_byte_makes_another_file(size: int, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(size) + b"x")
    (tmp_path / "b").write_bytes(bytes(size) + b"y")

    assert not filing.is_copy(str(tmp_path / "a"), str(tmp_path / "b"))
    assert filing.is_copy(str(tmp_path / "a"), str(tmp_path / "a"))


def test_full_disk_leaves_nothing_of_a_copy(
    source: Path, target: Path, full_disk: Callable[[int], AbstractContextManager[None]]
) -> None:
    with full_disk(1000), pytest.raises(OSError, match="too large"):
        copy_file(str(source), str(target))

    assert list(target.parent.iterdir()) == []


def test_full_disk_elsewhere_keeps_the_source(
    source: Path, elsewhere: Path, full_disk: Callable[[int], AbstractContextManager[None]]
) -> None:
    with full_disk(1000), pytest.raises(OSError, match="too large"):
        move_file(str(source), str(elsewhere / "a.jpg"))

    assert source.read_bytes() == CONTENT
    assert list(elsewhere.iterdir()) == []
