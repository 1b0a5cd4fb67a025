"""Every command ends quietly when nobody reads its stdout, goes on when nobody reads its stderr, and reports a full disk."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.noisy_library import WORD, make_noisy
from tests.support.sorted_run import SortedRun

Run = Callable[..., tuple[int, str, str]]
CLASSIFY, UNDO = ["clf-run", "model.onnx", "-s", "photos"], ["clf-run", "undo", "results.csv.journal", "--dry-run"]
INSPECT = ["clf-inspect", "model.onnx"]
LINES = [
    ["clf-run", "--help"],
    ["clf-inspect", "--version"],
    CLASSIFY,
    [*CLASSIFY, "--json"],
    UNDO,
    INSPECT,
    [*INSPECT, "--json"],
]
every = pytest.mark.parametrize("line", LINES, ids=" ".join)


@pytest.fixture
def run(colour_model: Path, png: bytes, tmp_path: Path) -> Run:
    """Run a command line of the shell in a folder with a model, images, and the journal of a run with --sort."""
    (tmp_path / "model.onnx").write_bytes(colour_model.read_bytes())
    (tmp_path / "photos").mkdir()
    for number in range(20):
        (tmp_path / "photos" / f"{number}.png").write_bytes(png)
    SortedRun(tmp_path).sort("copy", *(f"{number}.png" for number in range(20)))

    def start(line: list[str], redirection: str = "", **streams: int) -> tuple[int, str, str]:
        command = f'exec "$0" "$@" {redirection}'
        words = ["sh", "-c", command, Path(sys.executable).with_name(line[0]), *line[1:]]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
        done = subprocess.run(words, cwd=tmp_path, text=True, timeout=60, check=False, **pipes)  # type: ignore[call-overload]
        return done.returncode, done.stdout or "", done.stderr or ""

    return start


@pytest.fixture
def abandoned() -> int:
    """The writing end of a pipe whose reader has ended."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


@every
def test_a_reader_of_stdout_that_ends_is_no_error(line: list[str], run: Run, abandoned: int) -> None:
    code, _, said = run(line, stdout=abandoned)

    assert (code, said) == (141, "")


@every
def test_a_full_disk_behind_stdout_is_one_sentence(line: list[str], run: Run) -> None:
    assert run(line, ">/dev/full") == (2, "", "error: cannot write to stdout: No space left on device\n")


def test_a_closed_stdout_is_one_sentence(run: Run) -> None:
    code, _, said = run(LINES[0], ">&-")

    assert (code, said.count("\n")) == (2, 1)
    assert said.startswith("error: cannot write to stdout: it is closed")


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-"])
def test_messages_that_cannot_be_written_are_lost_and_nothing_else(redirection: str, run: Run) -> None:
    code, printed, _ = run(CLASSIFY, redirection)

    assert (code, printed.count("\n")) == (0, 21)


def test_a_reader_of_stderr_that_ends_costs_only_messages(run: Run, abandoned: int) -> None:
    code, printed, _ = run(CLASSIFY, stderr=abandoned)

    assert (code, printed.count("\n")) == (0, 21)


@pytest.mark.parametrize("line", [["clf-run", "--nonsense"], ["clf-run", "absent.onnx", "-s", "photos"]], ids=" ".join)
def test_an_error_that_nobody_can_read_keeps_its_code(line: list[str], run: Run) -> None:
    assert run(line, "2>/dev/full")[0] == 2


@pytest.mark.parametrize("line", [CLASSIFY, [*CLASSIFY, "--json"], UNDO, INSPECT, [*INSPECT, "--json"]], ids=" ".join)
def test_no_library_writes_to_stdout(
    line: list[str], run: Run, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, quiet, _ = run(line)
    for name, value in make_noisy(tmp_path_factory.mktemp("noisy")).items():
        monkeypatch.setenv(name, value)

    code, printed, said = run(line)

    assert (code, printed.count("\n"), WORD in printed) == (0, quiet.count("\n"), False)
    assert f"{WORD} of " in said


def test_both_streams_may_lose_their_reader(run: Run, abandoned: int) -> None:
    assert run(CLASSIFY, stdout=abandoned, stderr=abandoned)[0] == 141
