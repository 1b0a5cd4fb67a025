"""Runs that are killed again and again: the next run continues them, and in the end no row is missing or doubled."""

import csv
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from edgeclf.runtime.errors import OutputError
from edgeclf.runtime.run import run
from edgeclf.runtime.run_options import RunOptions
from tests.support.trained_run import KEPT_OUTPUTS

CLF_RUN = Path(sys.executable).with_name("clf-run")
COUNT = 10_000
KILLS = 20
EXIT = {signal.SIGKILL: -signal.SIGKILL, signal.SIGTERM: 143, signal.SIGINT: 130}
Start = Callable[..., "subprocess.Popen[str]"]


def write_photos(folder: Path, count: int) -> Path:
    """Images of all colours, up to 1,000 in a folder; every hundredth file is not an image."""
    rng = np.random.default_rng(0)
    for number in range(count):
        path = folder / str(number // 1_000) / f"{number:05}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.broadcast_to(rng.integers(0, 256, 3, dtype=np.uint8), (48, 64, 3))
        path.write_bytes(b"damaged" if number % 100 == 99 else cv2.imencode(".png", pixels)[1].tobytes())
    return folder


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """10,000 images. Read only."""
    return write_photos(tmp_path_factory.mktemp("many") / "photos", COUNT)


@pytest.fixture(scope="module")
def some(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """3,000 images: a run over them lasts long enough to be interrupted. Read only."""
    return write_photos(tmp_path_factory.mktemp("some") / "photos", 3_000)


def starter(folder: Path, photos: Path, model: Path) -> Start:
    """A function that starts a run over `photos/` into `results.csv`, in `folder`."""
    (folder / "photos").symlink_to(photos)

    def start(*options: str, output: str = "results.csv") -> "subprocess.Popen[str]":
        line = [str(CLF_RUN), str(model), "-s", "photos/", "-o", output, *options]
        return subprocess.Popen(line, cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)

    return start


@pytest.fixture
def start(many: Path, tmp_path: Path, colour_model: Path) -> Start:
    """Start a run over 10,000 images in the test's own folder."""
    return starter(tmp_path, many, colour_model)


@pytest.fixture
def start_short(some: Path, tmp_path: Path, colour_model: Path) -> Start:
    """Start a run over 3,000 images in the test's own folder."""
    return starter(tmp_path, some, colour_model)


def finish(process: "subprocess.Popen[str]") -> tuple[int, str]:
    _, said = process.communicate(timeout=300)
    return process.returncode, said


def rows(path: Path) -> list[list[str]]:
    """Every row, including the header, without the cell for the time."""
    with open(path, newline="") as file:
        table = list(csv.reader(file))
    time_at = table[0].index("time")
    return [row[:time_at] + row[time_at + 1 :] for row in table]


def wait_for(path: Path, size: int, process: "subprocess.Popen[str]") -> bool:
    """Wait until the file has this size; False if the process ends before."""
    while process.poll() is None:
        if path.exists() and path.stat().st_size >= size:
            return True
        time.sleep(0.001)
    return False


def wait_for_row(journal: Path, process: "subprocess.Popen[str]") -> None:
    """Wait until the journal has its first row; from then on, another image is always being decoded."""
    while process.poll() is None and not (journal.exists() and b'"path"' in journal.read_bytes()):
        time.sleep(0.001)


@pytest.mark.slow
@pytest.mark.parametrize("number", EXIT, ids=lambda number: number.name)
def test_twenty_kills_lose_and_double_no_row(start: Start, tmp_path: Path, number: signal.Signals) -> None:
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
    assert re.search(r"results\.csv\.journal .*already", said)
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
def test_killed_sorting_loses_and_doubles_no_image(many: Path, colour_model: Path, tmp_path: Path, how: str) -> None:
    shutil.copytree(many / "0", tmp_path / "photos")
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

    header, *found = rows(tmp_path / "results.csv")
    sorted_to = {row[0]: row[header.index("sorted_to")] for row in found}
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


def test_a_finished_run_has_nothing_left_to_do_and_gives_the_same_result(
    some: Path, tmp_path: Path, colour_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = RunOptions((str(some / "0"),), output=str(tmp_path / "results.csv"))
    first = run(options, colour_model)
    result = (tmp_path / "results.csv").read_bytes()
    capsys.readouterr()

    second = run(options, colour_model)

    assert (first.classified_now, second.classified_now, second.total) == (1_000, 0, 1_000)
    assert (tmp_path / "results.csv").read_bytes() == result
    second.show()
    assert re.search("1,000 images, all .*earlier", capsys.readouterr().err)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_the_first_signal_completes_what_is_in_flight(start_short: Start, tmp_path: Path, number: signal.Signals) -> None:
    process = start_short()
    wait_for(tmp_path / "results.csv.journal", 20_000, process)
    process.send_signal(number)

    code, said = finish(process)
    assert code == EXIT[number]
    assert "results.csv.journal; run the same command again" in said
    assert (tmp_path / "results.csv.journal").read_bytes().endswith(b"\n")


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 40 names for one image that takes about a second to decode. Read only."""
    folder = tmp_path_factory.mktemp("slow")
    noise = np.random.default_rng(0).integers(0, 256, (500, 750, 3), dtype=np.uint8)
    pixels = cv2.resize(noise, (9_000, 6_000), interpolation=cv2.INTER_NEAREST)
    (folder / "00.png").write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
    for number in range(1, 40):
        os.link(folder / "00.png", folder / f"{number:02}.png")
    return folder


@pytest.mark.parametrize("together", [pytest.param(True, marks=pytest.mark.slow), False], ids=["as one", "as two"])
def test_the_second_signal_ends_the_run_at_once(slow: Path, colour_model: Path, tmp_path: Path, together: bool) -> None:
    """Two signals that come together, as `timeout` sends them, count as one."""
    line = [str(CLF_RUN), str(colour_model), "-s", str(slow), "-o", "r.csv", "--workers", "1", "-b", "1"]
    process = subprocess.Popen(line, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    wait_for_row(tmp_path / "r.csv.journal", process)
    process.send_signal(signal.SIGTERM)
    if not together:
        time.sleep(0.35)  # signals within 0.3 s count as one
        while "interrupt again" not in process.stderr.readline():  # type: ignore[union-attr]
            pass
    process.send_signal(signal.SIGINT)

    code, said = finish(process)
    assert code in (130, 143)  # signals that come together are handled in the order of their numbers
    assert ("interrupted after" in said) == together


def test_a_second_run_is_refused_and_does_not_disturb_the_first(
    start_short: Start, tmp_path: Path, colour_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first = start_short()
    assert wait_for(tmp_path / "results.csv.journal", 5_000, first)
    first.send_signal(signal.SIGSTOP)  # otherwise it might end before the second run starts

    try:
        with pytest.raises(OutputError, match=rf"results\.csv\.journal is being written by process {first.pid} on "):
            run(RunOptions(("photos/",), output="results.csv"), colour_model)
    finally:
        first.send_signal(signal.SIGCONT)
    assert finish(first)[0] == 1
    assert len(rows(tmp_path / "results.csv")) == 3_000 + 1


@pytest.mark.parametrize(
    ("name", "kills"), [("found.npy", 3), pytest.param("found.parquet", KILLS, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_killed_runs_have_every_embedding_once(some: Path, tmp_path: Path, name: str, kills: int) -> None:
    start = starter(tmp_path, some, KEPT_OUTPUTS / "model.onnx")
    assert finish(start("--embeddings", f"whole-{name}", "-b", "1", output="whole.csv"))[0] == 1
    journal, dice = tmp_path / "results.csv.journal", random.Random(kills)

    for _ in range(kills):
        done = journal.stat().st_size if journal.exists() else 0
        process = start("--embeddings", name, "-b", "1")
        assert wait_for(journal, done + dice.randrange(200, 40_000), process)
        process.kill()
        finish(process)
        assert not (tmp_path / name).exists()

    assert finish(start("--embeddings", name, "-b", "1"))[0] == 1
    assert rows(tmp_path / "results.csv") == rows(tmp_path / "whole.csv")
    assert (tmp_path / name).read_bytes() == (tmp_path / f"whole-{name}").read_bytes()
    assert len(np.load(tmp_path / name) if name.endswith("npy") else pq.read_table(tmp_path / name)) == 2_970
