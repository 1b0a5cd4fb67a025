"""`clf-run` with cameras: real processes, real streams, real signals."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import cv2
import numpy as np
import pytest

from tests.support.network_camera import NetworkCamera
from tests.support.trained_run import KEPT_OUTPUTS

Command = Callable[..., subprocess.CompletedProcess[str]]
Rows = list[dict[str, Any]]
CLF_RUN = Path(sys.executable).with_name("clf-run")
DEADLINE_S = 60

pytestmark = pytest.mark.slow


@pytest.fixture
def camera() -> Iterator[NetworkCamera]:
    with NetworkCamera() as camera:
        yield camera


class LiveRun:
    """A run in the background."""

    def __init__(self, folder: Path, *arguments: object) -> None:
        self.output = folder / "rows.jsonl"
        self._log = folder / "stderr.txt"
        line = [str(CLF_RUN), *map(str, arguments), "-o", str(self.output)]
        with self._log.open("w") as log:
            self.process = subprocess.Popen(line, cwd=folder, stdout=subprocess.DEVNULL, stderr=log)

    @property
    def stderr(self) -> str:
        return self._log.read_text()

    @property
    def rows(self) -> Rows:
        return read(self.output) if self.output.exists() else []

    def wait_for(self, happened: Callable[[], Any]) -> Any:
        """Wait until `happened()` is true, and return its value."""
        deadline = time.monotonic() + DEADLINE_S
        while not (found := happened()):
            assert self.process.poll() is None, self.stderr
            assert time.monotonic() < deadline, self.stderr
            time.sleep(0.02)
        return found

    def wait_for_rows(self, count: int) -> Rows:
        return self.wait_for(lambda: self.rows if len(self.rows) >= count else None)

    def end(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_S)


@pytest.fixture
def start(tmp_path: Path, colour_model: Path) -> Iterator[Callable[..., LiveRun]]:
    """`start("-s", url)` runs the model that names the strongest colour, until the end of the test."""
    runs: list[LiveRun] = []

    def run(*arguments: object) -> LiveRun:
        runs.append(LiveRun(tmp_path, colour_model, *arguments))
        return runs[-1]

    yield run
    for started in runs:
        started.process.kill()
        started.process.wait()


def read(path: Path) -> Rows:
    """The rows of a log, without an unfinished last line."""
    return [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get_json(url: str) -> Any:
    with urlopen(url, timeout=10) as reply:
        return json.loads(reply.read())


def test_rows_of_a_stream_have_the_age_of_each_frame(camera: NetworkCamera, start: Callable[..., LiveRun]) -> None:
    started = start("-s", camera.url, "--rows", "all", "--duration", "1s")
    assert started.process.wait(DEADLINE_S) == 0
    rows = started.rows
    numbers = [int(row["path"].removeprefix(f"{camera.url}#frame=")) for row in rows]
    assert {row["label"] for row in rows} == {"red"}
    assert numbers == sorted(set(numbers))
    assert all(0 <= row["age_ms"] < 60_000 for row in rows)
    assert "64x48" in started.stderr
    assert re.search(r"from frame to answer: p50 [\d.,]+ ms, p95 [\d.,]+ ms, p99 [\d.,]+ ms", started.stderr)


def test_by_default_only_changes_become_rows(camera: NetworkCamera, start: Callable[..., LiveRun]) -> None:
    started = start("-s", camera.url)
    for count, colour in enumerate(("green", "blue"), 1):
        started.wait_for_rows(count)
        camera.shows(colour)
    assert [row["label"] for row in started.wait_for_rows(3)] == ["red", "green", "blue"]


def test_the_page_has_heatmaps_while_somebody_looks_at_them(camera: NetworkCamera, tmp_path: Path) -> None:
    port = free_port()
    run = LiveRun(tmp_path, KEPT_OUTPUTS / "model.onnx", "-s", camera.url, "--view", f":{port}")
    try:
        run.wait_for_rows(1)
        assert [has_colours_of_maps(port, query) for query in ("", "?heat=1", "")] == [False, True, False]
        assert run.end() == 130, run.stderr
    finally:
        run.process.kill()
        run.process.wait()


def has_colours_of_maps(port: int, query: str) -> bool:
    """Whether one of the next images of the page is blue and yellow; the camera sees red."""
    with urlopen(f"http://127.0.0.1:{port}/live{query}", timeout=10) as reply:
        images = 0
        while images < 8:
            message = json.loads(reply.readline())
            jpeg = reply.read(message["bytes"])
            if message["kind"] == "source" and jpeg:
                images += 1
                levels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB).reshape(-1, 3).astype(int)
                if (levels[:, 2] > levels[:, 0]).mean() > 0.02:
                    return True
    return False


def test_a_lost_camera_is_a_row_and_so_is_its_return(camera: NetworkCamera, start: Callable[..., LiveRun]) -> None:
    started = start("-s", camera.url)
    started.wait_for_rows(1)
    camera.unplug()
    started.wait_for_rows(2)
    camera.plug_in()
    rows = started.wait_for_rows(3)
    assert [(row["status"], row["error"], row["label"]) for row in rows] == [
        ("ok", "", "red"),
        ("error", "lost", ""),
        ("ok", "", "red"),
    ]
    assert started.end(signal.SIGTERM) == 143
    assert started.stderr.count(": back after ") == 1
    assert "the camera was lost 1 time, " in started.stderr


def test_give_up_ends_the_run(camera: NetworkCamera, start: Callable[..., LiveRun]) -> None:
    started = start("-s", camera.url, "--give-up", "1s")
    started.wait_for_rows(1)
    camera.unplug()
    assert started.process.wait(DEADLINE_S) == 4
    assert "given up" in started.stderr.splitlines()[-1]


def test_the_run_waits_for_a_late_camera(camera: NetworkCamera, start: Callable[..., LiveRun]) -> None:
    camera.unplug()
    started = start("-s", camera.url, "--give-up", "60s", "--duration", "1s")
    time.sleep(0.5)
    camera.plug_in()
    assert started.process.wait(DEADLINE_S) == 0
    assert started.rows[0]["label"] == "red"


def test_each_of_two_cameras_has_its_rows(camera: NetworkCamera, start: Callable[..., LiveRun]) -> None:
    with NetworkCamera("blue") as other:
        started = start("-s", camera.url, "-s", other.url)
        rows = started.wait_for_rows(2)
    assert {(row["path"].partition("#")[0], row["label"]) for row in rows} == {(camera.url, "red"), (other.url, "blue")}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_with_a_summary(
    camera: NetworkCamera, start: Callable[..., LiveRun], number: int, code: int
) -> None:
    started = start("-s", camera.url, "--summary", "summary.json")
    started.wait_for_rows(1)
    assert started.end(number) == code
    assert "from frame to answer" in started.stderr
    summary = json.loads((started.output.parent / "summary.json").read_text())
    assert summary["labels"] == {"red": summary["images"]}
    assert summary["latency_ms"]["p50"] <= summary["latency_ms"]["p99"]


def test_the_next_run_appends_to_the_log(camera: NetworkCamera, start: Callable[..., LiveRun]) -> None:
    for count in (1, 2):
        started = start("-s", camera.url)
        started.wait_for_rows(count)
        started.end()
    assert [row["label"] for row in started.rows] == ["red", "red"]


@pytest.mark.parametrize(("every", "most"), [("0.25s", 14), ("1s", 4)])
def test_every_limits_the_rate_of_cameras(
    camera: NetworkCamera, start: Callable[..., LiveRun], every: str, most: int
) -> None:
    started = start("-s", camera.url, "--rows", "all", "--every", every, "--duration", "3s")
    assert started.process.wait(DEADLINE_S) == 0
    assert 1 <= len(started.rows) <= most


def test_a_run_that_gives_up_has_a_summary(camera: NetworkCamera, start: Callable[..., LiveRun]) -> None:
    started = start("-s", camera.url, "--give-up", "1s", "--summary", "summary.json")
    started.wait_for_rows(1)
    camera.unplug()
    assert started.process.wait(DEADLINE_S) == 4
    assert json.loads((started.output.parent / "summary.json").read_text())["losses"] == 1
    assert "from frame to answer" in started.stderr


def test_a_full_disk_behind_stderr_does_not_end_the_run(camera: NetworkCamera, tmp_path: Path, colour_model: Path) -> None:
    line = [str(CLF_RUN), str(colour_model), "-s", camera.url, "-o", "rows.jsonl", "--duration", "1s"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(line, cwd=tmp_path, stderr=full, timeout=DEADLINE_S, check=False)
    assert done.returncode == 0
    assert read(tmp_path / "rows.jsonl")[0]["label"] == "red"


def test_health_reports_answers_and_troubles(camera: NetworkCamera, start: Callable[..., LiveRun]) -> None:
    port = free_port()
    started = start("-s", camera.url, "--health", f":{port}")
    started.wait_for_rows(1)
    assert get_json(f"http://127.0.0.1:{port}/health")["status"] == "ok"
    assert started.wait_for(lambda: get_json(f"http://127.0.0.1:{port}/health")["answers"] > 1)
    camera.unplug()
    assert started.wait_for(lambda: get_json(f"http://127.0.0.1:{port}/health")["trouble"])


def test_systemd_learns_about_start_life_and_end(
    camera: NetworkCamera, start: Callable[..., LiveRun], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(DEADLINE_S)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "1000000")
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
        started = start("-s", camera.url)
        messages = [systemd.recv(1000)]
        while b"WATCHDOG=1" not in messages:
            messages.append(systemd.recv(1000))
        started.end()
        while b"STOPPING=1" not in messages:
            messages.append(systemd.recv(1000))
    assert messages[0] == b"READY=1"


def test_the_page_shows_the_answer(camera: NetworkCamera, start: Callable[..., LiveRun]) -> None:
    port = free_port()
    started = start("-s", camera.url, "--view", f":{port}")
    started.wait_for_rows(1)
    state = started.wait_for(lambda: get_json(f"http://127.0.0.1:{port}/state"))
    assert [source["label"] for source in state["sources"]] == ["red"]
    assert f"http://127.0.0.1:{port}/" in started.stderr


@pytest.mark.skipif("DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ, reason="there is a display")
def test_without_a_display_there_is_a_page(camera: NetworkCamera, start: Callable[..., LiveRun]) -> None:
    started = start("-s", camera.url, "--show")
    url = started.wait_for(lambda: re.search(r"(?m)^(http://127\.0\.0\.1:\d+/)$", started.stderr))[1]
    assert started.wait_for(lambda: get_json(f"{url}state")["sources"])


def test_unsure_images_are_saved(camera: NetworkCamera, start: Callable[..., LiveRun]) -> None:
    camera.image = lambda number: np.random.default_rng(number).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    started = start("-s", camera.url, "--conf", "0.99", "--save-unsure", "unsure")
    folder = started.output.parent / "unsure"
    saved = started.wait_for(lambda: list(folder.rglob("*.jpg")))
    assert saved[0].parent.name in ("red", "green", "blue")
    assert started.rows[0]["status"] == "unsure"


def test_a_label_runs_its_program(camera: NetworkCamera, start: Callable[..., LiveRun], tmp_path: Path) -> None:
    hook = tmp_path / "hook.sh"
    hook.write_text('#!/bin/sh\necho "$CLF_LABEL" >> labels.txt\necho "printed by the hook"\n')
    hook.chmod(0o755)
    started = start("-s", camera.url, "--on-label", "green:./hook.sh", "--on-label-every", "1s")
    started.wait_for_rows(1)
    camera.shows("green")
    started.wait_for(lambda: (tmp_path / "labels.txt").exists() and "printed by the hook" in started.stderr)
    assert (tmp_path / "labels.txt").read_text() == "green\n"
