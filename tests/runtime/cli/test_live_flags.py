"""The live flags of `clf-run`: on videos, with missing cameras, and in combinations that make no sense."""

import csv
import json
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
from tests.support.terminal import Screen, run_in_terminal
from tests.support.video_files import write_video

Command = Callable[..., subprocess.CompletedProcess[str]]
Rows = list[dict[str, Any]]
CLF_RUN = Path(sys.executable).with_name("clf-run")
DEADLINE_S = 60


def read(path: Path) -> Rows:
    """The rows of a log, without an unfinished last line."""
    return [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


def write_clip(path: Path, colours: str) -> Path:
    """A lossless video with ten frames a second, one for each letter r, g or b."""
    names = {"r": "red", "g": "green", "b": "blue"}
    return write_video(path, [coloured(names[letter], number) for number, letter in enumerate(colours)], 10, "FFV1")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def run(in_process: Callable[[typer.Typer], Invoke]) -> Invoke:
    return in_process(app)


# Missing cameras

without_cameras = pytest.mark.skipif(bool(list(Path("/dev").glob("video*"))), reason="there is a camera")


@without_cameras
@pytest.mark.parametrize("source", ["webcam", "webcam:3", "0", "0,1", "/dev/video2"])
def test_a_missing_camera_is_one_sentence_and_exit_4_even_without_a_model(run: Invoke, source: str) -> None:
    done = run("--source", source)
    assert (done.exit_code, done.stdout) == (4, "")
    assert re.fullmatch(r"error: no camera \S+: /dev/video\d does not exist; .*\n", done.stderr)


@without_cameras
def test_the_installed_command_says_it_too(command: Command) -> None:
    done = command("clf-run", "--source", "webcam")
    assert (done.returncode, done.stdout) == (4, "")
    assert re.fullmatch(r"error: no camera \S+: /dev/video\d does not exist; .*\n", done.stderr)


def test_a_stream_without_a_server_is_exit_4_and_shows_no_password(command: Command) -> None:
    done = command("clf-run", "--source", f"http://ann:secret@127.0.0.1:{free_port()}/live?token=sesame")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "secret" not in done.stderr
    assert "sesame" not in done.stderr


# Videos


def test_a_live_run_gives_the_same_answers_as_a_batch_run(run: Invoke, colour_model: Path, tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mkv", "rrrgggbbbrrr")
    run(colour_model, "-s", "clip.mkv", "-o", "all.csv", "--no-journal")
    done = run(colour_model, "-s", "clip.mkv", "-o", "live.jsonl", "--rows", "all", "--hysteresis", "0")
    assert done.exit_code == 0
    with (tmp_path / "all.csv").open(newline="") as file:
        batch = [
            (row["path"], row["label"], float(row["confidence"]), float(row["position_s"])) for row in csv.DictReader(file)
        ]
    live = [(row["path"], row["label"], row["confidence"], row["position_s"]) for row in read(tmp_path / "live.jsonl")]
    assert live == batch
    assert len(live) == 12


def test_every_frame_of_a_video_is_answered_and_its_end_ends_the_run(
    command: Command, colour_model: Path, tmp_path: Path
) -> None:
    write_clip(tmp_path / "clip.mkv", "rg" * 100)
    done = command("clf-run", colour_model, "-s", "clip.mkv", "--json", "--hysteresis", "0.0")
    assert [json.loads(line)["path"] for line in done.stdout.splitlines()] == [f"clip.mkv#frame={n}" for n in range(200)]
    assert "dropped" not in done.stderr


@pytest.mark.parametrize("flags", [("--smooth", "1"), ("--rows", "changes"), ("--on-label-every", "10s")], ids=" ".join)
def test_a_live_flag_makes_the_run_live_even_with_its_default(
    run: Invoke, colour_model: Path, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    write_clip(tmp_path / "clip.mkv", "rrg")
    run(colour_model, "-s", "clip.mkv", "-o", "live.jsonl", *flags)
    assert [row["label"] for row in read(tmp_path / "live.jsonl")] == ["red", "green"]


def test_smoothing_hides_a_flicker(run: Invoke, colour_model: Path, tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mkv", "rrrrrrgrrrrrggggggg")
    run(colour_model, "-s", "clip.mkv", "-o", "live.jsonl", "--smooth", "5")
    assert [row["label"] for row in read(tmp_path / "live.jsonl")] == ["red", "green"]


@pytest.mark.parametrize(("flags", "frames"), [(("--vid-stride", "3"), [0, 3, 6, 9]), (("--every", "0.5s"), [0, 5])])
def test_a_video_can_be_sampled(
    run: Invoke, colour_model: Path, tmp_path: Path, flags: tuple[str, ...], frames: list[int]
) -> None:
    write_clip(tmp_path / "clip.mkv", "rgbrgbrgbr")
    run(colour_model, "-s", "clip.mkv", "-o", "live.jsonl", "--rows", "all", *flags)
    assert [row["path"] for row in read(tmp_path / "live.jsonl")] == [f"clip.mkv#frame={n}" for n in frames]


def test_a_recorded_video_has_the_same_frames_and_rate(run: Invoke, colour_model: Path, tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mkv", "rrrrrggggg")
    done = run(colour_model, "-s", "clip.mkv", "-o", "live.csv", "--record", "out.mkv")
    assert done.exit_code == 0
    capture = cv2.VideoCapture(str(tmp_path / "out.mkv"))
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(10)
    frames = 0
    while capture.read()[0]:
        frames += 1
    capture.release()
    assert frames == 10


def test_numbered_images_can_be_a_live_source(run: Invoke, colour_model: Path, tmp_path: Path, png: bytes) -> None:
    for number in range(3):
        (tmp_path / f"f_{number:03}.png").write_bytes(png)
    (tmp_path / "f_003.png").write_bytes(b"not an image")
    done = run(colour_model, "-s", "f_%03d.png", "-o", "live.jsonl", "--rows", "all", "--smooth", "2")
    assert [row["status"] for row in read(tmp_path / "live.jsonl")] == ["ok", "ok", "ok", "error"]
    assert done.exit_code == 1


# Options that do not go together


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("-s", "photos"), "http://127.0.0.1:.* is live and other sources are files"),
        (("--sort", "copy", "--sort-dir", "x", "-o", "x.csv"), "--sort is for images in files"),
        (("--restart", "-o", "x.csv"), "--restart is for images in files"),
        (("--no-journal",), "--no-journal is for images in files"),
        (("--workers", "2"), "--workers is for images in files"),
        (("--vid-stride", "2"), "--vid-stride .* --every 0.2s"),
        (("--rows", "some"), "--rows cannot be 'some'"),
        (("--camera-size", "big"), "--camera-size takes WIDTHxHEIGHT, .* not 'big'"),
        (("--camera-size", "640"), "--camera-size takes WIDTHxHEIGHT, .* not '640'"),
        (("--save-unsure", "x"), "--save-unsure .* --conf"),
        (("--save-unsure-max", "many"), "--save-unsure-max .* not 'many'"),
        (("--duration", "soon"), "--duration .* not 'soon'"),
        (("--every", "0.0001s"), "--every .* not 0.0001"),
        (("--accept", "blue"), "black"),
        (("-o", "x.avi", "--record", "./x.avi"), "-o and --record both name x.avi"),
        (("-o", "x.csv", "--summary", "./x.csv"), "x.csv cannot be both the output and the summary"),
    ],
)
def test_options_that_make_no_sense_are_one_sentence(
    run: Invoke, colour_model: Path, tmp_path: Path, flags: tuple[str, ...], message: str
) -> None:
    (tmp_path / "photos").mkdir()
    done = run(colour_model, "-s", f"http://127.0.0.1:{free_port()}/live", *flags)
    assert (done.exit_code, done.stdout) == (2, "")
    assert re.search(message, done.stderr)
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--on-label", "pink:ls", "-o", "x.csv"), "no class 'pink'; choose from red, green, blue, unsure"),
        (("-o", "x.parquet"), "x.parquet: .* .csv or .jsonl"),
        (("--record", "x.gif"), "x.gif"),
        (("--view", "nowhere"), "--view .* not 'nowhere'"),
        (("--health", ":99999"), "--health .* not ':99999'"),
        (("--camera-fps", "5"), "--camera-size, --camera-fps, --camera-fourcc, .* are for cameras"),
    ],
)
def test_errors_are_reported_before_the_first_answer(
    run: Invoke, colour_model: Path, tmp_path: Path, flags: tuple[str, ...], message: str
) -> None:
    write_clip(tmp_path / "clip.mkv", "rgb")
    done = run(colour_model, "-s", "clip.mkv", "--smooth", "2", *flags)
    assert (done.exit_code, done.stdout) == (2, "")
    assert re.search(message, done.stderr)


# On a terminal


@pytest.mark.parametrize("flags", [("--rows", "all"), ()], ids=["live", "batch"])
def test_rows_on_a_terminal_have_their_own_lines(colour_model: Path, tmp_path: Path, flags: tuple[str, ...]) -> None:
    video = write_clip(tmp_path / "clip.mkv", "rgb" * 20)
    code, sent = run_in_terminal(["clf-run", colour_model, "-s", video.name, *flags], 80, tmp_path)

    screen = Screen(sent, 80)
    rows = [
        line
        for line in screen.lines
        if re.fullmatch(r"\d\d:\d\d:\d\d  \w+ .*" if flags else r"clip\.mkv#frame=\d+ .*", line)
    ]
    assert code == 0, sent[-2_000:]
    assert any("watching" in line for line in screen.seen) == bool(flags)
    assert len(rows) == 60


def test_the_address_of_the_page_has_its_own_line_on_a_terminal(colour_model: Path, tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mkv", "rgb" * 20)
    words = ["clf-run", colour_model, "-s", "clip.mkv", "--view", f":{free_port()}", "--duration", "1s", "-o", "rows.csv"]
    _, sent = run_in_terminal(words, 60, tmp_path)

    (line,) = [line for line in Screen(sent, 60).lines if "http://" in line]
    assert re.fullmatch(r"\s*http://\S+", line)
