"""The real command, killed and resumed: no completed epoch is lost, and the result is the same."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

pytestmark = pytest.mark.slow

OPTIONS = ("--model", "cnn", "--imgsz", "64", "--filters", "16,32", "--epochs", "60", "--patience", "0")


def start(*arguments: object, cwd: Path) -> subprocess.Popen[str]:
    line = [str(Path(sys.executable).with_name("clf-train")), *map(str, arguments)]
    return subprocess.Popen(line, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_epochs(folder: Path, count: int) -> None:
    """Wait until `history.csv` has `count` rows."""
    history, deadline = folder / "history.csv", time.monotonic() + 200
    while not history.exists() or len(history.read_text().splitlines()) <= count:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture(scope="module")
def whole(image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run without interruption."""
    folder = tmp_path_factory.mktemp("whole")
    process = start(image_folder, "-o", "run", *OPTIONS, cwd=folder)
    assert process.communicate(timeout=300)[0] == "run/model.keras\n"
    return folder / "run"


def test_a_training_killed_twice_and_resumed_has_the_same_result(image_folder: Path, whole: Path, tmp_path: Path) -> None:
    for epochs, arguments in ((2, (image_folder, "-o", "run", *OPTIONS)), (20, ("--resume", "run"))):
        process = start(*arguments, cwd=tmp_path)
        wait_for_epochs(tmp_path / "run", epochs)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert not (tmp_path / "run" / "model.keras").exists()
    process = start("--resume", "run", cwd=tmp_path)
    out, err = process.communicate(timeout=300)
    assert (process.returncode, out) == (0, "run/model.keras\n"), err
    mine, theirs = (keras.models.load_model(folder / "model.keras").get_weights() for folder in (tmp_path / "run", whole))
    for resumed, undisturbed in zip(mine, theirs, strict=True):
        np.testing.assert_array_equal(resumed, undisturbed)
    assert (tmp_path / "run" / "history.csv").read_text() == (whole / "history.csv").read_text()
    assert "checkpoint.npz" not in os.listdir(tmp_path / "run")


def test_ctrl_c_saves_the_best_weights_and_the_run_can_be_resumed(image_folder: Path, tmp_path: Path) -> None:
    process = start(image_folder, "-o", "run", *OPTIONS, cwd=tmp_path)
    wait_for_epochs(tmp_path / "run", 2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=300)
    assert (process.returncode, out) == (130, "run/model.keras\n"), err
    assert "best weights so far" in err
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["epochs"] < 60
    process = start("--resume", "run", cwd=tmp_path)
    out, err = process.communicate(timeout=300)
    assert (process.returncode, out) == (0, "run/model.keras\n"), err
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["epochs"] == 60


def test_sigterm_ends_at_once_and_the_run_can_be_resumed(image_folder: Path, whole: Path, tmp_path: Path) -> None:
    process = start(image_folder, "-o", "run", *OPTIONS, cwd=tmp_path)
    wait_for_epochs(tmp_path / "run", 2)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=100)
    assert (process.returncode, out) == (143, ""), err
    assert (tmp_path / "run" / "checkpoint.npz").is_file()


def test_a_finished_run_cannot_be_resumed(whole: Path) -> None:
    out, err = start("--resume", whole, cwd=whole).communicate(timeout=100)
    assert (out, f"error: the training in {whole} is finished" in err) == ("", True)


def test_an_unfinished_run_is_not_overwritten(image_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "checkpoint.npz").write_bytes(b"a night's work")
    process = start(image_folder, "-o", "run", *OPTIONS, cwd=tmp_path)
    out, err = process.communicate(timeout=100)
    assert (process.returncode, out) == (2, "")
    assert re.search(r"error: run holds an unfinished training; .*--resume run", err)
    assert (tmp_path / "run" / "checkpoint.npz").read_bytes() == b"a night's work"
