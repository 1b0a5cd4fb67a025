"""`clf-run` on videos and numbered images."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgeclf.runtime.images.encode import encode_image
from tests.conftest import Command, Invoke
from tests.support.drawings import CLASSES, draw
from tests.support.video_files import noise, write_video

CLF_RUN = Path(sys.executable).with_name("clf-run")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 discs and squares, as `ffv1.mkv` and as `frames/f_000.png` and so on, both lossless. Read only."""
    folder = tmp_path_factory.mktemp("clips")
    images = [draw(CLASSES[number % 3 % 2], number) for number in range(48)]
    write_video(folder / "ffv1.mkv", images)
    (folder / "frames").mkdir()
    for number, image in enumerate(images):
        (folder / f"frames/f_{number:03}.png").write_bytes(encode_image(image))
    return folder


def table(path: Path) -> list[dict[str, str]]:
    """Its rows without the times at which they were made."""
    with open(path, newline="", encoding="utf-8") as file:
        return [{name: value for name, value in row.items() if name != "time"} for row in csv.DictReader(file)]


def test_a_video_gets_the_answers_of_its_images_frame_by_frame(clf_run: Invoke, clips: Path, onnx_model: Path) -> None:
    sources = ["ffv1.mkv", "frames", "frames/f_%03d.png"]

    runs = [clf_run(onnx_model, "-s", clips / source, "--json", "--topk", "all") for source in sources]
    rows = [[json.loads(line) for line in run.stdout.splitlines()] for run in runs]
    answers = [[(row["label"], row["confidence"], row["top"]) for row in some] for some in rows]
    assert answers[0] == answers[1] == answers[2]
    assert [label for label, _, _ in answers[0]] == [CLASSES[number % 3 % 2] for number in range(48)]
    assert [row["path"] for row in rows[0]] == [f"{clips}/ffv1.mkv#frame={number}" for number in range(48)]
    assert [row["position_s"] for row in rows[0]] == [number / 25 for number in range(48)]
    assert [row["position_s"] for row in rows[1]] == [None] * 48
    assert [run.exit_code for run in runs] == [0, 0, 0]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet", ".sqlite"])
def test_every_output_format_takes_frames(
    suffix: str, clf_run: Invoke, clips: Path, colour_model: Path, tmp_path: Path
) -> None:
    done = clf_run(colour_model, "-s", clips / "ffv1.mkv", "-o", f"results{suffix}")

    assert done.exit_code == 0
    assert "48 images in" in done.stderr
    assert (tmp_path / f"results{suffix}").stat().st_size > 0


@pytest.mark.parametrize(
    ("flags", "numbers"),
    [(["--vid-stride", "20"], [0, 20, 40]), (["--every", "0.5s"], [0, 13, 25, 38]), (["--every", "1m"], [0])],
    ids=str,
)
def test_frames_are_sampled(flags: list[str], numbers: list[int], clf_run: Invoke, clips: Path, colour_model: Path) -> None:
    done = clf_run(colour_model, "-s", clips / "ffv1.mkv", "--json", *flags)

    paths = [json.loads(line)["path"] for line in done.stdout.splitlines()]
    assert paths == [f"{clips}/ffv1.mkv#frame={number}" for number in numbers]


@pytest.mark.parametrize(
    ("flags", "pattern"),
    [
        (["-s", "frames", "--vid-stride", "2"], "--vid-stride is for videos and numbered images"),
        (["-s", "frames/f_%03d.png", "--every", "2s"], "--every is for videos"),
        (["-s", "ffv1.mkv", "--every", "2"], "--every takes .*, not '2'"),
        (["-s", "ffv1.mkv", "--every", "2s", "--vid-stride", "2"], "--vid-stride .* --every .* one of them"),
        (["-s", "frames", "-s", "ffv1.mkv", "--sort", "copy", "--sort-dir", "/nowhere"], "--sort .* ffv1.mkv"),
        (["-s", "ffv1.mkv", "--watch"], "--watch takes folders, .*'ffv1.mkv'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_options_that_do_not_go_with_videos_are_refused_in_one_sentence(
    flags: list[str], pattern: str, clf_run: Invoke, clips: Path, colour_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(clips)

    done = clf_run(colour_model, *flags)

    assert (done.exit_code, done.stdout) == (2, "")
    assert re.fullmatch(f"error: .*{pattern}.*\n", done.stderr), done.stderr


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
    before: list[str], after: list[str], sentence: str, clf_run: Invoke, clips: Path, colour_model: Path
) -> None:
    clf_run(colour_model, "-s", clips / "ffv1.mkv", "-o", "results.csv", *before)

    done = clf_run(colour_model, "-s", clips / "ffv1.mkv", "-o", "results.csv", *after)
    assert (done.exit_code, f"was made with {sentence}" in done.stderr) == (2, True)


def test_a_damaged_video_is_a_row_and_the_run_goes_on(
    clf_run: Invoke, clips: Path, colour_model: Path, tmp_path: Path
) -> None:
    data = (clips / "ffv1.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(data[: len(data) // 2])
    (tmp_path / "text.mp4").write_text("hello")
    sources = [argument for name in ("text.mp4", "cut.mkv", clips / "ffv1.mkv") for argument in ("-s", name)]

    done = clf_run(colour_model, *sources, "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    errors = [(row["path"], row["error"]) for row in rows if row["status"] == "error"]
    assert errors == [("text.mp4", "not_an_image"), ("cut.mkv", "truncated")]
    assert sum(row["path"].startswith(f"{clips}/ffv1.mkv#") for row in rows) == 48
    assert done.exit_code == 1


def test_a_run_over_a_video_that_was_moved_goes_on_with_sources_moved(
    clf_run: Invoke, clips: Path, colour_model: Path, tmp_path: Path
) -> None:
    (tmp_path / "a").mkdir()
    os.link(clips / "ffv1.mkv", tmp_path / "a/ffv1.mkv")
    clf_run(colour_model, "-s", "a/ffv1.mkv", "-o", "results.csv")
    (tmp_path / "a").rename(tmp_path / "b")

    done = clf_run(colour_model, "-s", "b/ffv1.mkv", "-o", "results.csv", "--sources-moved")
    assert done.exit_code == 0
    assert re.search("48 images, all .*earlier", done.stderr)
    assert [row["path"] for row in table(tmp_path / "results.csv")][:2] == ["b/ffv1.mkv#frame=0", "b/ffv1.mkv#frame=1"]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "term"])
def test_a_run_that_is_killed_and_goes_on_has_the_rows_of_an_undisturbed_one(
    number: signal.Signals, command: Command, colour_model: Path, tmp_path: Path
) -> None:
    write_video(tmp_path / "mjpg.mkv", noise(4000))
    line = [colour_model, "-s", "mjpg.mkv", "--topk", "all", "-o"]
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
