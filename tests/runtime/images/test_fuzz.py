"""A damaged image ends in pixels or in a reason; it never ends the process or fills the memory."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("count", [2_000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_damaged_image_never_ends_the_process_or_raises_another_error(count: int) -> None:
    line = [sys.executable, "-W", "error", "-m", "tests.support.mutations", "0", str(count)]

    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, errors="replace", timeout=300, check=False)

    *_, last = done.stdout.splitlines() or ["nothing"]
    assert done.returncode == 0, f"image {last}: {done.stderr[-2000:]}"
    _, decoded, _, peak_kb = last.split()
    assert int(decoded) > count // 10  # most are refused, but not all
    assert int(peak_kb) < 1_000_000
