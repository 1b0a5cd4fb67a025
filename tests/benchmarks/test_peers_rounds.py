"""All peers are measured in each round, in processes with the requested Python, core and images."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer

from edgeclf.benchmarks.peers.__main__ import app
from edgeclf.benchmarks.peers.rounds import Peer, measure, predictions
from edgeclf.benchmarks.photographs import write_photographs
from edgeclf.runtime.errors import EdgeclfError
from tests.conftest import Invoke

IMAGES = 6


@pytest.fixture(scope="module")
def folder(onnx_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("peers")
    (folder / "model.onnx").write_bytes(onnx_model.read_bytes())
    write_photographs(folder / "photographs", IMAGES, 96, 128)
    return folder


def test_each_round_has_a_rate_for_every_peer(folder: Path) -> None:
    measured = measure({"a": Peer("limit", pinned=2), "b": Peer("pipeline")}, folder, rounds=2)

    assert [sorted(rates) for rates in measured] == [["a", "b"], ["a", "b"]]
    assert all(rate > 0 for rates in measured for rate in rates.values())


def test_predictions_are_for_all_images_even_of_a_peer_with_few_images_per_round(folder: Path) -> None:
    found = predictions({"plain": Peer("plain_loop"), "few": Peer("limit", most=2)}, folder)
    assert {name: len(labels) for name, labels in found.items()} == {"plain": IMAGES, "few": IMAGES}


@pytest.mark.skipif(sys.platform == "win32", reason="uses a shell script as the interpreter")
def test_a_peer_runs_in_the_python_of_its_environment(folder: Path, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\ntouch {tmp_path}/used\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)

    assert len(predictions({"there": Peer("plain_loop", python)}, folder)["there"]) == IMAGES
    assert (tmp_path / "used").exists()


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system cannot pin processes")
def test_a_pinned_peer_uses_only_its_core(folder: Path) -> None:
    core = max(os.sched_getaffinity(0))
    line = [sys.executable, "-m", "edgeclf.benchmarks.peers", "limit", str(folder), "--core", str(core)]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"\n")
        rate, labels = json.loads(process.stdout.readline())
        assert (rate > 0, len(labels)) == (True, IMAGES)
        assert os.sched_getaffinity(process.pid) == {core}


def test_a_peer_whose_process_ends_is_named(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(EdgeclfError, match="'absent' has ended"):
        measure({"absent": Peer("no_such_module")}, folder, rounds=1)
    assert "no_such_module" in capfd.readouterr().err


def test_what_a_library_prints_to_stdout_goes_to_stderr(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_process: Callable[[typer.Typer], Invoke]
) -> None:
    chatty = SimpleNamespace(prepare=lambda folder: sys.stdout.write("Downloading...\n"))
    monkeypatch.setitem(sys.modules, "edgeclf.benchmarks.peers.chatty", chatty)
    result = in_process(app)("chatty", tmp_path)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "Downloading...\n")
