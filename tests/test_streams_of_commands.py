"""The commands that need more than the runtime keep stdout for their results, and end quietly when nobody reads it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.noisy_library import WORD, make_noisy

FAST = ["clf-check IMAGES --json", "clf-bench --help", "clf-train --help", "clf-export check --help"]
SLOW = [
    "clf-bench RUN/model.onnx --infer-only --rounds 1 --seconds 0.1",
    "clf-train evaluate RUN/model.onnx IMAGES --json",
    "clf-train IMAGES --model cnn --imgsz 32 --preview-augment sheet",
    "clf-export check RUN/model.fp16.onnx --against RUN/model.onnx --data IMAGES --json",
    "clf-export RUN/model.keras -o exported --format onnx",
]
every = pytest.mark.parametrize("line", [*FAST, *(pytest.param(line, marks=pytest.mark.slow) for line in SLOW)])


def start(line: str, run_folder: Path, images: Path, folder: Path, **settings: object) -> subprocess.CompletedProcess[str]:
    name, *words = line.replace("RUN", str(run_folder)).replace("IMAGES", str(images)).split()
    command = [os.fspath(Path(sys.executable).with_name(name)), *words]
    return subprocess.run(command, cwd=folder, text=True, stderr=subprocess.PIPE, timeout=300, check=False, **settings)  # type: ignore[call-overload, no-any-return]


def run(line: str, run_folder: Path, images: Path, folder: Path, stdout: int) -> tuple[int, str]:
    """The exit code, and stderr."""
    done = start(line, run_folder, images, folder, stdout=stdout)
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


@every
def test_no_library_writes_to_stdout(line: str, run_folder: Path, image_folder: Path, tmp_path: Path) -> None:
    noisy = os.environ | make_noisy(tmp_path)

    done = start(line, run_folder, image_folder, tmp_path, stdout=subprocess.PIPE, env=noisy)

    assert WORD not in done.stdout
    assert done.stdout, done.stderr
