"""A run's memory does not grow with the number of images."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".onnx", ".int8.tflite"], ids=["onnx", "litert"])
def test_ten_thousand_images_take_no_more_memory_than_a_hundred(
    suffix: str, image_folder: Path, run_folder: Path, tmp_path: Path
) -> None:
    sources = sorted(image_folder.rglob("*.png"))
    _link(sources, tmp_path / "few", 100)
    _link(sources, tmp_path / "many", 10_000)
    few, many = (_peak_kb(run_folder / f"model{suffix}", tmp_path / name) for name in ("few", "many"))
    assert many <= 1.1 * few


def _link(sources: list[Path], folder: Path, count: int) -> None:
    folder.mkdir()
    for number in range(count):
        os.link(sources[number % len(sources)], folder / f"{number:05}.png")


# After fork and exec, the kernel still counts the peak of the parent. A small process in between keeps pytest's size out.
_MEASURE = (
    "import os, subprocess, sys; p = subprocess.Popen(sys.argv[1:]); _, s, u = os.wait4(p.pid, 0); print(s, u.ru_maxrss)"
)


def _peak_kb(model: Path, source: Path) -> int:
    """The peak resident size of a whole `clf-run`, as counted by the kernel."""
    command = [Path(sys.executable).with_name("clf-run"), model, "--source", source, "-o", source.with_suffix(".csv")]
    done = subprocess.run([sys.executable, "-c", _MEASURE, *command], capture_output=True, text=True, check=True)
    status, peak_kb = map(int, done.stdout.split())
    assert status == 0, done.stderr
    return peak_kb
