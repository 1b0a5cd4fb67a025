"""File operations that are killed: from every state that a kill can leave, a second call ends as if there had been none."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgeclf.runtime.results import file_ops
from edgeclf.runtime.results.file_ops import copy_bytes, copy_file, link_file, move_file
from tests.support.files import CONTENT, OTHER, files

Act = Callable[[str, str], None]

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


@pytest.mark.parametrize("steps", range(8))
@pytest.mark.parametrize("act", [copy_file, move_file, link_file], ids=["copy", "move", "link"])
def test_a_second_call_completes_what_was_killed_at_any_step(
    act: Act, steps: int, source: Path, target: Path, die: Die
) -> None:
    die(act, source, target, steps)

    complete(act, source, target)

    assert [path.name for path in target.parent.iterdir()] == [target.name]
    assert target.read_bytes() == CONTENT
    assert source.exists() == (act is not move_file)


@pytest.mark.parametrize("steps", range(15))
def test_a_second_call_completes_a_move_to_another_disk_killed_at_any_step(
    steps: int, source: Path, elsewhere: Path, die: Die
) -> None:
    die(move_file, source, elsewhere / "cat" / "a.jpg", steps)

    complete(move_file, source, elsewhere / "cat" / "a.jpg")

    assert files(elsewhere) == ["cat/a.jpg"]
    assert (elsewhere / "cat" / "a.jpg").read_bytes() == CONTENT
    assert not source.exists()


def test_a_move_killed_between_link_and_unlink_is_completed(source: Path, target: Path, tmp_path: Path) -> None:
    target.parent.mkdir(parents=True)
    os.link(source, target)

    move_file(str(source), str(target))

    assert files(tmp_path) == [f"out/cat/{source.name}"]
    assert target.read_bytes() == CONTENT


def test_a_move_to_another_disk_killed_between_copy_and_unlink_is_completed(
    source: Path, target: Path, tmp_path: Path
) -> None:
    copy_file(str(source), str(target))

    move_file(str(source), str(target))

    assert files(tmp_path) == [f"out/cat/{source.name}"]
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("act", [copy_file, move_file], ids=["copy", "move"])
def test_a_copy_or_move_killed_before_its_temporary_name_was_removed_is_completed(
    act: Act, source: Path, target: Path
) -> None:
    copy_file(str(source), str(target))
    os.link(target, file_ops.temporary_name(str(source), str(target)))

    act(str(source), str(target))

    assert [path.name for path in target.parent.iterdir()] == [target.name]
    assert target.read_bytes() == CONTENT


def test_a_copy_of_bytes_killed_before_its_temporary_name_was_removed_is_completed(target: Path) -> None:
    copy_bytes(CONTENT, "a.zip/a.jpg", str(target))
    os.link(target, file_ops.temporary_name("a.zip/a.jpg", str(target)))

    copy_bytes(CONTENT, "a.zip/a.jpg", str(target))

    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_a_move_of_a_link_killed_before_the_unlink_is_completed(source: Path, target: Path, tmp_path: Path) -> None:
    target.parent.mkdir(parents=True)
    for link in (tmp_path / "a.jpg", target):
        link.symlink_to(source)

    move_file(str(tmp_path / "a.jpg"), str(target))

    assert files(tmp_path) == [f"in/{source.name}", f"out/cat/{source.name}"]


def test_a_temporary_name_that_is_another_file_does_not_change_that_file(source: Path, target: Path, tmp_path: Path) -> None:
    target.parent.mkdir(parents=True)
    (tmp_path / "other").write_bytes(OTHER)
    os.link(tmp_path / "other", file_ops.temporary_name(str(source), str(target)))

    copy_file(str(source), str(target))

    assert (tmp_path / "other").read_bytes() == OTHER


def test_a_copy_killed_halfway_is_completed(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True)
    Path(file_ops.temporary_name(str(source), str(target))).write_bytes(CONTENT[:100])

    copy_file(str(source), str(target))

    assert [path.name for path in target.parent.iterdir()] == [target.name]
    assert target.read_bytes() == CONTENT


def test_a_copy_of_bytes_killed_halfway_is_completed(target: Path) -> None:
    target.parent.mkdir(parents=True)
    Path(file_ops.temporary_name("a.zip/a.jpg", str(target))).write_bytes(CONTENT[:100])

    copy_bytes(CONTENT, "a.zip/a.jpg", str(target))

    assert [path.name for path in target.parent.iterdir()] == [target.name]
    assert target.read_bytes() == CONTENT
