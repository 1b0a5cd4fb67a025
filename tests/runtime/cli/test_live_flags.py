"""`clf-run` on videos that are watched, on cameras that are not there, and on what does not go together."""

import csv
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest
import typer

from edgeclf.runtime.cli.clf_run import app
from tests.conftest import Invoke
from tests.support.network_camera import coloured
from tests.support.video_files import write_video

Command = Callable[..., subprocess.CompletedProcess[str]]
Rows = list[dict[str, Any]]
CLF_RUN = Path(sys.executable).with_name("clf-run")
DEADLINE_S = 60


def read(path: Path) -> Rows:
    """The rows of a log, without the one that is just being written."""
    return [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


def write_clip(path: Path, colours: str) -> Path:
    """A video without loss: ten frames a second, one for each letter r, g or b."""
    names = {"r": "red", "g": "green", "b": "blue"}
    return write_video(path, [coloured(names[letter], number) for number, letter in enumerate(colours)], 10, "FFV1")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# Cameras that are not there


@pytest.mark.skipif(bool(list(Path("/dev").glob("video*"))), reason="there is a camera")
@pytest.mark.parametrize("source", ["webcam", "webcam:3", "0", "0,1", "/dev/video2"])
def test_no_camera_is_one_sentence_and_exit_4_even_without_a_model(command: Command, source: str) -> None:
    done = command("clf-run", "--source", source)
    assert (done.returncode, done.stdout) == (4, "")
    assert re.fullmatch(r"error: no camera \S+: /dev/video\d does not exist; .*\n", done.stderr)


def test_a_stream_that_nobody_serves_is_exit_4_and_shows_no_password(command: Command) -> None:
    done = command("clf-run", "--source", f"http://ann:secret@127.0.0.1:{free_port()}/live?token=sesame")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "secret" not in done.stderr
    assert "sesame" not in done.stderr


# Videos that are watched


def test_a_video_that_is_watched_has_the_answers_of_one_that_is_not(
    command: Command, colour_model: Path, tmp_path: Path
) -> None:
    write_clip(tmp_path / "clip.mkv", "rrrgggbbbrrr")
    command("clf-run", colour_model, "-s", "clip.mkv", "-o", "all.csv", "--no-journal")
    done = command("clf-run", colour_model, "-s", "clip.mkv", "-o", "live.jsonl", "--rows", "all", "--hysteresis", "0")
    assert done.returncode == 0
    with (tmp_path / "all.csv").open(newline="") as file:
        batch = [
            (row["path"], row["label"], float(row["confidence"]), float(row["position_s"])) for row in csv.DictReader(file)
        ]
    live = [(row["path"], row["label"], row["confidence"], row["position_s"]) for row in read(tmp_path / "live.jsonl")]
    assert live == batch
    assert len(live) == 12


def test_no_frame_of_a_video_is_left_out_and_its_end_ends_the_run(
    command: Command, colour_model: Path, tmp_path: Path
) -> None:
    write_clip(tmp_path / "clip.mkv", "rg" * 100)
    done = command("clf-run", colour_model, "-s", "clip.mkv", "--json", "--hysteresis", "0.0")
    assert [json.loads(line)["path"] for line in done.stdout.splitlines()] == [f"clip.mkv#frame={n}" for n in range(200)]
    assert "overtaken" not in done.stderr


def test_a_flicker_is_smoothed_away(command: Command, colour_model: Path, tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mkv", "rrrrrrgrrrrrggggggg")
    done = command("clf-run", colour_model, "-s", "clip.mkv", "--json", "--smooth", "5")
    assert [json.loads(line)["label"] for line in done.stdout.splitlines()] == ["red", "green"]


@pytest.mark.parametrize(("flags", "frames"), [(("--vid-stride", "3"), [0, 3, 6, 9]), (("--every", "0.5s"), [0, 5])])
def test_a_video_can_be_sampled(
    command: Command, colour_model: Path, tmp_path: Path, flags: tuple[str, ...], frames: list[int]
) -> None:
    write_clip(tmp_path / "clip.mkv", "rgbrgbrgbr")
    done = command("clf-run", colour_model, "-s", "clip.mkv", "--json", "--rows", "all", *flags)
    assert [json.loads(line)["path"] for line in done.stdout.splitlines()] == [f"clip.mkv#frame={n}" for n in frames]


def test_a_video_is_recorded_as_it_is_shown(command: Command, colour_model: Path, tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mkv", "rrrrrggggg")
    done = command("clf-run", colour_model, "-s", "clip.mkv", "--save", "out.mkv")
    assert done.returncode == 0
    capture = cv2.VideoCapture(str(tmp_path / "out.mkv"))
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(10)
    frames = 0
    while capture.read()[0]:
        frames += 1
    capture.release()
    assert frames == 10


def test_numbered_images_can_be_watched(command: Command, colour_model: Path, tmp_path: Path, png: bytes) -> None:
    for number in range(3):
        (tmp_path / f"f_{number:03}.png").write_bytes(png)
    (tmp_path / "f_003.png").write_bytes(b"no image")
    done = command("clf-run", colour_model, "-s", "f_%03d.png", "--json", "--rows", "all", "--smooth", "2")
    assert [json.loads(line)["status"] for line in done.stdout.splitlines()] == ["ok", "ok", "ok", "error"]
    assert done.returncode == 1


# What does not go together


@pytest.fixture
def run(in_process: Callable[[typer.Typer], Invoke]) -> Invoke:
    return in_process(app)


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (("-s", "photos"), "is live and other sources are files; run them one after the other"),
        (("--sort", "copy", "--sort-dir", "x", "-o", "x.csv"), "--sort is for images in files, and this is a live run"),
        (("--restart", "-o", "x.csv"), "--restart is for images in files"),
        (("--no-journal",), "--no-journal is for images in files"),
        (("--workers", "2"), "--workers is for images in files"),
        (("--vid-stride", "2"), "--vid-stride counts the frames of videos; a camera takes --every 2s or --max-fps 5"),
        (("--rows", "some"), "--rows takes changes or all, not 'some'"),
        (("--max-fps", "0"), "--max-fps takes a number above 0, not 0"),
        (("--resolution", "big"), "--resolution takes WIDTHxHEIGHT, such as 1280x720, not 'big'"),
        (("--save-unsure", "x"), "--save-unsure keeps images with a confidence below --conf; give --conf as well"),
        (("--save-unsure-max", "many"), "--save-unsure-max takes a size such as 500MB or 2GB, not 'many'"),
        (("--duration", "soon"), "--duration takes hours, minutes and seconds"),
        (("--accept", "blue"), "black"),
        (("-o", "x.csv", "--heartbeat", "x.csv"), "-o, --heartbeat and --save name one file; each needs one of its own"),
        (("-o", "x.csv", "--summary", "./x.csv"), "x.csv cannot be both the output and the summary"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(
    run: Invoke, colour_model: Path, tmp_path: Path, flags: tuple[str, ...], sentence: str
) -> None:
    (tmp_path / "photos").mkdir()
    done = run(colour_model, "-s", f"http://127.0.0.1:{free_port()}/live", *flags)
    assert (done.exit_code, done.stdout) == (2, "")
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (("--on-label", "pink:ls", "-o", "x.csv"), "begins with no label and a colon; labels are red, green, blue, unsure"),
        (("-o", "x.parquet"), "a live run adds its rows to a .csv or .jsonl file"),
        (("--save", "x.gif"), "x.gif"),
        (("--view", "nowhere"), "--view takes a port or an address with a port"),
        (("--health", ":99999"), "--health takes a port or an address with a port"),
        (("--fps", "5"), "--resolution, --fps, --fourcc, --accept and --give-up are for cameras, and no source is one"),
    ],
)
def test_what_cannot_be_had_is_said_before_the_first_answer(
    run: Invoke, colour_model: Path, tmp_path: Path, flags: tuple[str, ...], sentence: str
) -> None:
    write_clip(tmp_path / "clip.mkv", "rgb")
    done = run(colour_model, "-s", "clip.mkv", "--smooth", "2", *flags)
    assert (done.exit_code, done.stdout) == (2, "")
    assert sentence in done.stderr


# On a terminal


def on_a_terminal(*line: object) -> str:
    """What a command writes to a terminal that is its stdout and its stderr."""
    reader, terminal = os.openpty()
    process = subprocess.Popen([*map(str, line)], stdout=terminal, stderr=terminal, env=os.environ | {"TERM": "xterm"})
    os.close(terminal)
    written = b""
    try:
        while data := os.read(reader, 65536):
            written += data
    except OSError:  # Linux: nobody writes any more
        pass
    os.close(reader)
    assert process.wait(DEADLINE_S) == 0
    return written.decode()


@pytest.mark.parametrize("flags", [("--rows", "all"), ()], ids=["live", "batch"])
def test_rows_on_a_terminal_have_lines_of_their_own(colour_model: Path, tmp_path: Path, flags: tuple[str, ...]) -> None:
    video = write_clip(tmp_path / "clip.mkv", "rgb" * 20)
    text = on_a_terminal(CLF_RUN, colour_model, "-s", video, *flags)
    assert ("watching" in text) == bool(flags)
    before_rows = re.findall(rf"([^\n]*)(?:path,status,|{re.escape(str(video))}#frame=\d+,)", text)
    assert len(before_rows) == 61
    assert {before.rpartition("\x1b[2K")[2] for before in before_rows} == {""}
