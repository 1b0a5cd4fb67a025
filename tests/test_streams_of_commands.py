"""The commands that need more than the runtime end quietly, too, when nobody reads their stdout."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FAST = ["clf-check IMAGES --json", "clf-bench --help", "clf-train --help", "clf-export check --help"]
SLOW = [
    "clf-bench RUN/model.onnx --infer-only --rounds 1 --seconds 0.1",
    "clf-train evaluate RUN/model.onnx IMAGES --json",
    "clf-train IMAGES --model cnn --imgsz 16 --preview-augment sheet",
    "clf-export check RUN/model.fp16.onnx --against RUN/model.onnx --data IMAGES --json",
    "clf-export RUN/model.keras -o exported --format onnx",
]
every = pytest.mark.parametrize("line", [*FAST, *(pytest.param(line, marks=pytest.mark.slow) for line in SLOW)])


def run(line: str, run_folder: Path, images: Path, folder: Path, stdout: int) -> tuple[int, str]:
    """The exit code, and stderr."""
    name, *words = line.replace("RUN", str(run_folder)).replace("IMAGES", str(images)).split()
    command = [os.fspath(Path(sys.executable).with_name(name)), *words]
    done = subprocess.run(command, cwd=folder, text=True, stdout=stdout, stderr=subprocess.PIPE, timeout=300, check=False)
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
    return done.returncode, done.stderr


@every
def test_a_reader_of_stdout_that_ends_is_no_error(line: str, run_folder: Path, image_folder: Path, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)

    code, said = run(line, run_folder, image_folder, tmp_path, writer)

    assert (code, "error:" in said) == (141, False)


@every
def test_a_full_disk_behind_stdout_is_one_sentence(line: str, run_folder: Path, image_folder: Path, tmp_path: Path) -> None:
    full = os.open("/dev/full", os.O_WRONLY)

    code, said = run(line, run_folder, image_folder, tmp_path, full)

    assert (code, said.splitlines()[-1]) == (2, "error: cannot write to stdout: No space left on device")
