"""`clf-run` on videos and numbered images: real processes, real files, real kills."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeclf.runtime.images.encode import encode_image
from tests.support.drawings import CLASSES, draw
from tests.support.video_files import noise, write_video

Command = Callable[..., subprocess.CompletedProcess[str]]
CLF_RUN = Path(sys.executable).with_name("clf-run")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 discs and squares, as `ffv1.mkv` and as `frames/f_000.png` and so on; both without loss. Read only."""
    folder = tmp_path_factory.mktemp("clips")
    images = [draw(CLASSES[number % 3 % 2], number) for number in range(48)]
    write_video(folder / "ffv1.mkv", images)
    (folder / "frames").mkdir()
    for number, image in enumerate(images):
        (folder / f"frames/f_{number:03}.png").write_bytes(encode_image(image))
    return folder


def table(path: Path) -> list[dict[str, str]]:
    """Its rows, but for the times at which they were made."""
    with open(path, newline="", encoding="utf-8") as file:
        return [{name: value for name, value in row.items() if name != "time"} for row in csv.DictReader(file)]


def test_a_video_gets_the_answers_of_its_images_frame_by_frame(command: Command, clips: Path, onnx_model: Path) -> None:
    sources = ["ffv1.mkv", "frames", "frames/f_%03d.png"]

    runs = [command("clf-run", onnx_model, "-s", clips / source, "--json", "--all-scores") for source in sources]
    rows = [[json.loads(line) for line in run.stdout.splitlines()] for run in runs]
    answers = [[(row["label"], row["confidence"], row["top"]) for row in some] for some in rows]
    assert answers[0] == answers[1] == answers[2]
    assert [label for label, _, _ in answers[0]] == [CLASSES[number % 3 % 2] for number in range(48)]
    assert [row["path"] for row in rows[0]] == [f"{clips}/ffv1.mkv#frame={number}" for number in range(48)]
    assert [row["position_s"] for row in rows[0]] == [number / 25 for number in range(48)]
    assert [row["position_s"] for row in rows[1]] == [None] * 48
    assert [run.returncode for run in runs] == [0, 0, 0]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet", ".sqlite"])
def test_every_output_takes_frames(suffix: str, command: Command, clips: Path, colour_model: Path, tmp_path: Path) -> None:
    done = command("clf-run", colour_model, "-s", clips / "ffv1.mkv", "-o", f"results{suffix}")

    assert done.returncode == 0
    assert "48 images in" in done.stderr
    assert (tmp_path / f"results{suffix}").stat().st_size > 0


@pytest.mark.parametrize(
    ("flags", "numbers"),
    [(["--vid-stride", "20"], [0, 20, 40]), (["--every", "0.5s"], [0, 13, 25, 38]), (["--every", "1m"], [0])],
    ids=str,
)
def test_frames_are_sampled(flags: list[str], numbers: list[int], command: Command, clips: Path, colour_model: Path) -> None:
    done = command("clf-run", colour_model, "-s", clips / "ffv1.mkv", "--json", *flags)

    paths = [json.loads(line)["path"] for line in done.stdout.splitlines()]
    assert paths == [f"{clips}/ffv1.mkv#frame={number}" for number in numbers]


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["-s", "frames", "--vid-stride", "2"], "--vid-stride is for videos and numbered images"),
        (["-s", "frames/f_%03d.png", "--every", "2s"], "--every is for videos"),
        (["-s", "ffv1.mkv", "--every", "2"], "--every takes hours, minutes and seconds"),
        (["-s", "ffv1.mkv", "--every", "2s", "--vid-stride", "2"], "give one of them"),
        (["-s", "frames", "-s", "ffv1.mkv", "--sort", "copy", "--sort-dir", "/nowhere"], "--sort is for files"),
        (["-s", "ffv1.mkv", "--watch"], "--watch takes folders, and 'ffv1.mkv' is none"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_does_not_go_with_videos_is_one_sentence(
    flags: list[str], sentence: str, command: Command, clips: Path, colour_model: Path
) -> None:
    done = command("clf-run", colour_model, *flags, cwd=clips)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ([], ["--vid-stride", "2"], "no --vid-stride, not --vid-stride 2"),
        (["--vid-stride", "2"], [], "--vid-stride 2, not no --vid-stride"),
        (["--every", "1s"], ["--every", "1m"], "--every 1s, not --every 60s"),
    ],
    ids=str,
)
def test_a_journal_of_other_frames_is_refused(
    before: list[str], after: list[str], sentence: str, command: Command, clips: Path, colour_model: Path
) -> None:
    command("clf-run", colour_model, "-s", clips / "ffv1.mkv", "-o", "results.csv", *before)

    done = command("clf-run", colour_model, "-s", clips / "ffv1.mkv", "-o", "results.csv", *after)
    assert (done.returncode, f"was made with {sentence}" in done.stderr) == (2, True)


def test_a_video_that_is_damaged_is_a_row_and_the_others_go_on(
    command: Command, clips: Path, colour_model: Path, tmp_path: Path
) -> None:
    data = (clips / "ffv1.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(data[: len(data) // 2])
    (tmp_path / "text.mp4").write_text("hello")
    sources = [argument for name in ("text.mp4", "cut.mkv", clips / "ffv1.mkv") for argument in ("-s", name)]

    done = command("clf-run", colour_model, *sources, "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    errors = [(row["path"], row["error"]) for row in rows if row["status"] == "error"]
    assert errors == [("text.mp4", "not_an_image"), ("cut.mkv", "truncated")]
    assert sum(row["path"].startswith(f"{clips}/ffv1.mkv#") for row in rows) == 48
    assert done.returncode == 1


def test_a_video_that_was_moved_goes_on_with_resume(
    command: Command, clips: Path, colour_model: Path, tmp_path: Path
) -> None:
    (tmp_path / "a").mkdir()
    os.link(clips / "ffv1.mkv", tmp_path / "a/ffv1.mkv")
    command("clf-run", colour_model, "-s", "a/ffv1.mkv", "-o", "results.csv")
    (tmp_path / "a").rename(tmp_path / "b")

    done = command("clf-run", colour_model, "-s", "b/ffv1.mkv", "-o", "results.csv", "--resume")
    assert done.returncode == 0
    assert "all of them from earlier runs" in done.stderr
    assert [row["path"] for row in table(tmp_path / "results.csv")][:2] == ["b/ffv1.mkv#frame=0", "b/ffv1.mkv#frame=1"]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "term"])
def test_a_run_that_is_killed_and_goes_on_has_the_rows_of_one_that_was_not(
    number: signal.Signals, command: Command, colour_model: Path, tmp_path: Path
) -> None:
    write_video(tmp_path / "mjpg.mkv", noise(4000))
    line = [colour_model, "-s", "mjpg.mkv", "--all-scores", "-o"]
    command("clf-run", *line, "whole.csv")

    with subprocess.Popen([CLF_RUN, *line, "parts.csv"], cwd=tmp_path, stderr=subprocess.DEVNULL) as process:
        while not _holds(tmp_path / "parts.csv.journal", 20_000):
            assert process.poll() is None
            time.sleep(0.001)
        process.send_signal(number)
    assert not (tmp_path / "parts.csv").exists()
    done = command("clf-run", *line, "parts.csv")

    assert (done.returncode, "going on from there" in done.stderr) == (0, True)
    assert table(tmp_path / "parts.csv") == table(tmp_path / "whole.csv")
    assert len(table(tmp_path / "whole.csv")) == 4000


def _holds(path: Path, size_bytes: int) -> bool:
    return path.exists() and path.stat().st_size > size_bytes
