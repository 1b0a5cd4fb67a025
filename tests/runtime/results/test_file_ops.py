"""File operations: nothing is overwritten or lost."""

import errno
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from edgeclf.runtime.results import file_ops
from edgeclf.runtime.results.file_ops import copy_bytes, copy_file, link_file, move_file
from tests.support.files import CONTENT, MTIME_NS, OTHER, files

Act = Callable[[str, str], None]
by_act = pytest.mark.parametrize("act", [copy_file, move_file, link_file], ids=["copy", "move", "link"])


@pytest.fixture
def no_hard_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hard links fail, as they do on exFAT."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)


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
