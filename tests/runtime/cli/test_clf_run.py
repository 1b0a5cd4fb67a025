"""`clf-run` as a person or a script meets it: real processes, real streams, real signals, full disks."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Command, Invoke
from tests.runtime.cli.conftest import rows_of
from tests.support.outputs import CSV_HEADER

CLF_RUN = Path(sys.executable).with_name("clf-run")


def test_a_folder_becomes_one_row_per_image_and_exit_0(command: Command, colour_model: Path, photos: Path) -> None:
    done = command("clf-run", colour_model, "--source", "photos", "-o", "results.csv")

    rows = rows_of((photos.parent / "results.csv").read_text())
    assert (done.returncode, done.stdout) == (0, "")
    assert [(row["path"], row["status"]) for row in rows] == [(f"photos/{name}.png", "ok") for name in "abc"]
    assert "3 images in" in done.stderr
    assert "1 other file skipped" in done.stderr


def test_a_missing_engine_names_the_pip_install(int8_model: Path, photos: Path) -> None:
    script = "import sys; sys.modules['ai_edge_litert'] = None; from edgeclf.runtime.cli.clf_run import main; main()"
    line = [sys.executable, "-c", script, int8_model, "--source", photos]

    done = subprocess.run(line, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert done.stderr.startswith("error: this needs ai_edge_litert, which is not installed: pip install 'edgeclf[litert]'")


@pytest.fixture
def noisy(tmp_path: Path, png: bytes) -> Path:
    """A PNG with a damaged chunk, about which libpng and OpenCV complain on stderr by themselves."""
    damaged = bytearray(png)
    damaged[damaged.index(b"IDAT") + 6] ^= 0xFF
    (tmp_path / "noisy").mkdir()
    (tmp_path / "noisy" / "x.png").write_bytes(damaged)
    return tmp_path / "noisy"


def test_noise_of_libraries_does_not_reach_stderr_and_a_pipe_gets_no_colours(
    command: Command, colour_model: Path, noisy: Path
) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    verbose = command("clf-run", colour_model, "-s", noisy, env=environment | {"EDGECLF_VERBOSE": "1"})

    quiet = command("clf-run", colour_model, "-s", noisy, env=environment)

    assert "libpng" in verbose.stderr
    assert [line.split()[0] for line in quiet.stderr.splitlines()] == ["class", "error:", "1"]
    assert "\x1b" not in quiet.stdout + quiet.stderr


@pytest.fixture
def endless_photos(tmp_path: Path, png: bytes) -> Path:
    """10,000 links to one image: more than a test waits for."""
    folder = tmp_path / "endless"
    folder.mkdir()
    (folder / "00000.png").write_bytes(png)
    for number in range(1, 10_000):
        os.link(folder / "00000.png", folder / f"{number:05}.png")
    return folder


def test_a_reader_of_stdout_that_ends_early_causes_no_traceback(colour_model: Path, endless_photos: Path) -> None:
    line = f"{CLF_RUN} {colour_model} -s endless | head -n 1"

    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        cwd=endless_photos.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert (done.returncode, done.stdout) == (141, CSV_HEADER)
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


def test_new_images_are_classified_until_the_run_is_interrupted(
    colour_model: Path, photos: Path, png: bytes, tmp_path: Path
) -> None:
    journal = tmp_path / "results.csv.journal"
    process = subprocess.Popen(
        [CLF_RUN, colour_model, "-s", "photos", "--watch", "-o", "results.csv", "--summary", "summary.json"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: journal.exists() and b"c.png" in journal.read_bytes())
    (photos / "d.png").write_bytes(png)
    wait_until(lambda: b"d.png" in journal.read_bytes())
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "4 images in" in said
    assert json.loads((tmp_path / "summary.json").read_text())["images"] == 4
    assert [row["path"] for row in rows_of((tmp_path / "results.csv").read_text())] == [f"photos/{x}.png" for x in "abcd"]


def test_paths_from_another_program_are_answered_as_they_come(colour_model: Path, photos: Path, tmp_path: Path) -> None:
    line = [CLF_RUN, colour_model, "-s", "-", "--json"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(line, cwd=tmp_path, text=True, **pipes) as process:  # type: ignore[call-overload]
        for name in "abc":
            process.stdin.write(f"photos/{name}.png\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["path"] == f"photos/{name}.png"
        process.stdin.close()
        assert process.wait(60) == 0


def wait_until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_full_stdout_is_one_sentence(colour_model: Path, photos: Path) -> None:
    line = f"{CLF_RUN} {colour_model} -s photos > /dev/full"

    done = subprocess.run(["sh", "-c", line], cwd=photos.parent, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_full_disk_at_the_end_keeps_the_journal(clf_run: Invoke, colour_model: Path, photos: Path) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1400, 1400))"
    script = f"{limit}; from edgeclf.runtime.cli.clf_run import main; main()"
    options = [colour_model, "-s", "photos", "-o", "r.csv", "--topk", "all"]
    for number in range(4):
        shutil.copy(photos / "a.png", photos / f"more{number}.png")

    line = [sys.executable, "-c", script, *options]
    done = subprocess.run(line, cwd=photos.parent, capture_output=True, text=True, check=False)

    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "cannot write" in done.stderr
    assert not (photos.parent / "r.csv").exists()
    assert clf_run(*options).exit_code == 0
    assert len(rows_of((photos.parent / "r.csv").read_text())) == 7
