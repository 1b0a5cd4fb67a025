"""Runs that are killed, again and again: what they leave is taken up; in the end nothing is missing and nothing twice."""

import csv
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

CLF_RUN = Path(sys.executable).with_name("clf-run")
COUNT = 10_000
KILLS = 20
EXIT = {signal.SIGKILL: -signal.SIGKILL, signal.SIGTERM: 143, signal.SIGINT: 130}
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`photos/` with 10,000 images in 10 folders, of all colours; every hundredth is no image."""
    folder = tmp_path_factory.mktemp("many")
    rng = np.random.default_rng(0)
    for number in range(COUNT):
        path = folder / "photos" / str(number // 1_000) / f"{number:05}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.broadcast_to(rng.integers(0, 256, 3, dtype=np.uint8), (48, 64, 3))
        path.write_bytes(b"damaged" if number % 100 == 99 else cv2.imencode(".png", pixels)[1].tobytes())
    return folder


@pytest.fixture
def start(many: Path, tmp_path: Path, colour_model: Path) -> Start:
    """Begin a run over all of `photos/` into `results.csv` in the test's own folder."""
    (tmp_path / "photos").symlink_to(many / "photos")

    def run(*options: str, output: str = "results.csv") -> "subprocess.Popen[str]":
        line = [str(CLF_RUN), str(colour_model), "-s", "photos/", "-o", output, *options]
        return subprocess.Popen(line, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)

    return run


def finish(process: "subprocess.Popen[str]") -> tuple[int, str]:
    _, said = process.communicate(timeout=300)
    return process.returncode, said


def rows(path: Path) -> list[list[str]]:
    """Every row, the header among them, without the cell for the time."""
    with open(path, newline="") as file:
        table = list(csv.reader(file))
    time_at = table[0].index("time")
    return [row[:time_at] + row[time_at + 1 :] for row in table]


def wait_for(path: Path, size: int, process: "subprocess.Popen[str]") -> bool:
    """Until the file has that size; False when the process ends before."""
    while process.poll() is None:
        if path.exists() and path.stat().st_size >= size:
            return True
        time.sleep(0.001)
    return False


@pytest.mark.slow
@pytest.mark.parametrize("number", EXIT, ids=lambda number: number.name)
def test_twenty_kills_lose_no_row_and_double_none(start: Start, tmp_path: Path, number: signal.Signals) -> None:
    assert finish(start("--no-journal", output="whole.csv"))[0] == 1
    journal, dice = tmp_path / "results.csv.journal", random.Random(number)

    for _ in range(KILLS):
        done = journal.stat().st_size if journal.exists() else 0
        process = start()
        reached = wait_for(journal, done + dice.randrange(200, 60_000), process)
        time.sleep(dice.random() / 50)
        process.send_signal(number)
        code, said = finish(process)
        assert reached, said
        assert code == EXIT[number], said
        assert not (tmp_path / "results.csv").exists()

    code, said = finish(start())
    assert code == 1, said
    assert "are in results.csv.journal already; going on from there" in said
    assert rows(tmp_path / "results.csv") == rows(tmp_path / "whole.csv")
    assert len(rows(tmp_path / "results.csv")) == COUNT + 1


@pytest.mark.slow
def test_kills_at_the_very_start_do_no_harm(start: Start, tmp_path: Path) -> None:
    dice = random.Random(3)
    for _ in range(KILLS):
        process = start()
        time.sleep(dice.random())
        process.kill()
        finish(process)

    assert finish(start())[0] == 1
    assert len({row[0] for row in rows(tmp_path / "results.csv")}) == COUNT + 1


@pytest.mark.slow
@pytest.mark.parametrize("how", ["move", "copy", "link"])
def test_sorting_that_is_killed_loses_no_image_and_doubles_none(
    many: Path, colour_model: Path, tmp_path: Path, how: str
) -> None:
    shutil.copytree(many / "photos" / "0", tmp_path / "photos")
    line = [str(CLF_RUN), str(colour_model), "-s", "photos/", "-o", "results.csv", "--sort", how, "--sort-dir", "sorted"]
    originals, dice = contents(tmp_path / "photos"), random.Random(how)
    journal = tmp_path / "results.csv.journal"

    for _ in range(KILLS):
        done = journal.stat().st_size if journal.exists() else 0
        process = subprocess.Popen(line, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        wait_for(journal, done + dice.randrange(1, 20_000), process)
        process.kill()
        finish(process)
    assert subprocess.run(line, cwd=tmp_path, stderr=subprocess.DEVNULL, check=False).returncode == 1

    sorted_to = {row[0]: row[9] for row in rows(tmp_path / "results.csv")[1:]}
    moved = {place: originals[name] for name, place in sorted_to.items() if place}
    assert len(sorted_to) == len(originals) == 1_000
    assert len(moved) == 990
    assert contents(tmp_path / "sorted") == moved
    assert len(contents(tmp_path / "photos")) == (10 if how == "move" else 1_000)

    undone = [str(CLF_RUN), "undo", "results.csv.journal"]
    assert subprocess.run(undone, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    assert contents(tmp_path / "photos") == originals
    assert not (tmp_path / "sorted").exists()


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its path from the folder's own folder."""
    return {str(path.relative_to(folder.parent)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_finished_run_has_nothing_left_to_do_and_gives_the_same_result(start: Start, tmp_path: Path) -> None:
    assert finish(start())[0] == 1
    first = (tmp_path / "results.csv").read_bytes()

    code, said = finish(start())
    assert (code, (tmp_path / "results.csv").read_bytes()) == (1, first)
    assert "10,000 images, all of them from earlier runs" in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_the_first_signal_finishes_what_is_in_flight(start: Start, tmp_path: Path, number: signal.Signals) -> None:
    process = start()
    wait_for(tmp_path / "results.csv.journal", 20_000, process)
    process.send_signal(number)

    code, said = finish(process)
    assert code == EXIT[number]
    assert "they are in results.csv.journal, and the same command goes on from there" in said
    assert (tmp_path / "results.csv.journal").read_bytes().endswith(b"\n")


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    """A folder with 40 names for one image that takes about a second to decode."""
    folder = tmp_path / "slow"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (750, 1_250, 3), dtype=np.uint8)
    pixels = cv2.resize(noise, (10_000, 6_000), interpolation=cv2.INTER_NEAREST)
    (folder / "00.png").write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
    for number in range(1, 40):
        os.link(folder / "00.png", folder / f"{number:02}.png")
    return folder


@pytest.mark.parametrize("pause_s", [pytest.param(0.0, marks=pytest.mark.slow), 0.6], ids=["as one", "as two"])
def test_the_second_signal_ends_it_at_once(slow: Path, colour_model: Path, pause_s: float) -> None:
    """But two that come together, as `timeout` sends them, are one."""
    line = [str(CLF_RUN), str(colour_model), "-s", "slow", "-o", "r.csv", "--workers", "1", "-b", "1"]
    process = subprocess.Popen(line, cwd=slow.parent, stderr=subprocess.PIPE, text=True)
    wait_for(slow.parent / "r.csv.journal", 300, process)
    process.send_signal(signal.SIGTERM)
    time.sleep(pause_s)
    process.send_signal(signal.SIGINT)

    code, said = finish(process)
    assert code in (130, 143)  # those that come together are taken in the order of their numbers
    assert ("interrupted after" in said) == (not pause_s)


def test_a_run_that_is_going_on_is_not_disturbed_by_a_second_one(start: Start, tmp_path: Path) -> None:
    first = start()
    wait_for(tmp_path / "results.csv.journal", 5_000, first)
    first.send_signal(signal.SIGSTOP)  # or it might be done before the other has begun

    code, said = finish(start())
    first.send_signal(signal.SIGCONT)
    assert code == 2
    assert f"results.csv.journal is being written by process {first.pid} on " in said
    assert finish(first)[0] == 1
