"""A video that somebody watches plays at its own speed, and its end stays in view."""

import json
import re
import signal
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.conftest import Invoke
from tests.support.network_camera import coloured
from tests.support.pseudo_terminal import OnTerminal
from tests.support.video_files import write_video

CLF_RUN = Path(sys.executable).with_name("clf-run")
FRAMES = 8


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Eight frames, ten a second."""
    return write_video(tmp_path / "clip.mkv", [coloured("red", number) for number in range(FRAMES)], 10, "FFV1")


def paths(rows: str) -> list[str]:
    return [json.loads(line)["path"] for line in Path(rows).read_text().splitlines()]


def test_the_end_of_a_watched_clip_stays_until_ctrl_c_with_its_page(colour_model: Path, clip: Path) -> None:
    run = OnTerminal([CLF_RUN, colour_model, clip, "--view", ":0"])
    text = run.read_until("Ctrl-C to close\r\n")
    (url,) = re.findall(r"^(http://127\.0\.0\.1:\d+/)\r$", text, re.MULTILINE)
    with urlopen(f"{url}live", timeout=30) as live:
        kinds = {}
        while not {"source", "end"} <= kinds.keys():
            message = json.loads(live.readline())
            live.read(message["bytes"])
            kinds[message["kind"]] = message

    assert run.process.poll() is None
    run.process.send_signal(signal.SIGINT)
    status, text = run.finish()

    assert kinds["end"]["text"] == "8 frames, red 100 %; Ctrl-C to close"
    assert kinds["source"]["label"] == "red"
    assert status == 0
    assert len(re.findall(r"(?:\n|\x1b\[2?K)8 frames, red 100 %; Ctrl-C to close\r\n", text)) == 1


@pytest.mark.parametrize(("flags", "is_paced"), [(["--view", ":0"], True), ([], False)], ids=["watched", "not watched"])
def test_only_a_watched_video_takes_its_own_time_and_the_rows_are_the_same(
    clf_run: Invoke, colour_model: Path, clip: Path, flags: list[str], is_paced: bool
) -> None:
    done = clf_run(colour_model, clip, "--rows", "all", *flags, "-o", "rows.jsonl", "--summary", "summary.json")
    assert done.exit_code == 0, done.stderr
    assert paths("rows.jsonl") == [f"{clip}#frame={number}" for number in range(FRAMES)]
    summary = json.loads(Path("summary.json").read_text())
    assert not is_paced or summary["seconds"] >= (FRAMES - 1) / 10
    assert summary["latency_ms"]["p50"] < 80  # without the wait for a frame's time


def test_fast_does_not_wait(clf_run: Invoke, colour_model: Path, tmp_path: Path) -> None:
    slow = write_video(tmp_path / "slow.mkv", [coloured("red", 0), coloured("red", 1)], 1 / 60, "FFV1")
    assert clf_run(colour_model, slow, "--view", ":0", "--fast", "--duration", "30s", "-o", "rows.jsonl", "--rows", "all")
    assert paths("rows.jsonl") == [f"{slow}#frame=0", f"{slow}#frame=1"]


@pytest.mark.parametrize("flags", [["--fast"], ["--fast", "--smooth", "2"], ["--fast", "--record", "x.mkv"]], ids=len)
def test_fast_is_for_what_is_watched(clf_run: Invoke, colour_model: Path, clip: Path, flags: list[str]) -> None:
    done = clf_run(colour_model, clip, *flags)
    assert done.exit_code == 2
    assert re.search("--fast .*--view", done.stderr)
