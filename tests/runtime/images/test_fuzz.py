"""Ten thousand damaged images: each ends in pixels or in a reason, and none takes the process or the memory with it."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
COUNT = 10_000


def test_no_damaged_image_ends_the_process_or_raises_anything_but_a_reason(tmp_path: Path) -> None:
    line = [sys.executable, "-W", "error", "-m", "tests.support.mutations", "0", str(COUNT)]

    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, errors="replace", timeout=300, check=False)

    *_, last = done.stdout.splitlines() or ["nothing"]
    assert done.returncode == 0, f"image {last}: {done.stderr[-2000:]}"
    _, decoded, _, peak_kb = last.split()
    assert int(decoded) > COUNT // 10  # most are refused, but not all
    assert int(peak_kb) < 1_000_000
