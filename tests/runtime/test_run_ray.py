"""`clf-run --ray` on real clusters: the rows of a local run, each once, whatever is killed meanwhile."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.conftest import Command
from tests.support.object_store import WRONG, ObjectStore
from tests.support.ray_machines import Machines, two_machines

pytestmark = pytest.mark.slow
CLF_RUN = Path(sys.executable).with_name("clf-run")
COUNT = 20_000
BAD = {17: b"", 33: b"damaged", 49: b"GIF89a"}
"""By the last two digits of a number: the content of the file in place of an image."""


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`photos/` with 20,000 files in 20 folders, 3 % of which are not images, and a few with unusual names. Read only."""
    folder = tmp_path_factory.mktemp("many")
    rng = np.random.default_rng(0)
    kinds = [cv2.imencode(".jpg", np.full((48, 64, 3), rng.integers(0, 256, 3), np.uint8))[1].tobytes() for _ in range(50)]
    for number in range(COUNT):
        path = folder / "photos" / str(number // 1_000) / f"{number:05}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(BAD.get(number % 100, kinds[number % len(kinds)]))
    for name in (b"caf\xe9.jpg", "\u72ac \U0001f600.jpg".encode(), b"two\nlines.jpg", b"back\\slash.jpg"):
        (folder / "photos" / os.fsdecode(name)).write_bytes(kinds[0])
    return folder


@pytest.fixture(scope="module")
def local_rows(many: Path, colour_model: Path) -> dict[str, Any]:
    """The rows of a local run over them."""
    line = [str(CLF_RUN), str(colour_model), "-s", "photos/", "-o", "local.parquet"]
    assert subprocess.run(line, cwd=many, capture_output=True, check=False).returncode == 1
    return rows_in(many / "local.parquet")


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    with two_machines() as cluster:
        yield cluster


@pytest.fixture
def start(many: Path, tmp_path: Path, colour_model: Path) -> Callable[..., "subprocess.Popen[str]"]:
    """Start a run over `photos/` into `rows/` in the test's own folder."""
    (tmp_path / "photos").symlink_to(many / "photos")

    def run(*options: str, folder: Path = tmp_path) -> "subprocess.Popen[str]":
        line = [str(CLF_RUN), str(colour_model), "-s", "photos/", "--ray", "-o", "rows", *options]
        return subprocess.Popen(line, cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    return run


def rows_in(place: Path) -> dict[str, Any]:
    """Rows by path, without their time, and without the column that only parts have; every path occurs once."""
    table = pq.read_table(place)
    rows = table.drop_columns([name for name in ("time", "mtime_ns") if name in table.column_names]).to_pylist()
    by_path = {row["path"]: row for row in rows}
    assert len(by_path) == len(rows)
    return by_path


def finish(process: "subprocess.Popen[str]") -> tuple[int, str]:
    said_out, said = process.communicate(timeout=600)
    assert said_out == ""
    assert "Traceback" not in said
    assert "\x1b" not in said
    return process.returncode, said


def wait_for_parts(folder: Path, count: int, process: "subprocess.Popen[str]") -> None:
    """Wait until a run has written this many more parts."""
    deadline = time.monotonic() + 300
    wanted = len(list(folder.glob("part-*"))) + count
    while len(list(folder.glob("part-*"))) < wanted:
        assert time.monotonic() < deadline
        assert process.poll() is None, finish(process)
        time.sleep(0.05)


def test_two_machines_make_the_rows_of_a_local_run_and_a_second_run_has_nothing_to_do(
    start: Callable[..., "subprocess.Popen[str]"],
    machines: Machines,
    local_rows: dict[str, Any],
    many: Path,
    tmp_path: Path,
) -> None:
    code, said = finish(start("--ray", machines.address, "--summary", "first.json"))
    assert code == 1, said
    assert "2 workers with 1 thread each on 2 machines" in said
    assert rows_in(tmp_path / "rows") == local_rows
    assert json.loads((tmp_path / "first.json").read_text())["classified_now"] == len(local_rows)

    parts = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "rows").iterdir()}
    code, said = finish(start("--ray", machines.address))
    assert code == 1, said
    assert re.search("20,004 images, all .*earlier", said)
    assert "Ray" not in said, "Ray is not started if there is nothing to do"
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "rows").iterdir()} == parts

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "photos").symlink_to(many / "photos" / "1")
    code, said = finish(start("-o", str(tmp_path / "rows"), folder=elsewhere))
    assert code == 2
    assert "was made with --source relative to .., not --source relative to ../elsewhere; " in said, "other images"

    code, said = finish(start("-s", "nothing", "--restart"))
    assert code == 2
    assert {path.name for path in (tmp_path / "rows").iterdir()} == set(parts), (
        "nothing is removed before the sources are known to have images"
    )


def test_losing_a_machine_loses_no_row(
    start: Callable[..., "subprocess.Popen[str]"], local_rows: dict[str, Any], tmp_path: Path
) -> None:
    with two_machines() as machines:
        process = start("--ray", machines.address)
        wait_for_parts(tmp_path / "rows", 10, process)
        machines.kill_one()
        code, said = finish(process)
    assert code == 1, said
    assert rows_in(tmp_path / "rows") == local_rows


@pytest.mark.parametrize(
    "endings",
    [
        ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)),
        pytest.param(((signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)), marks=pytest.mark.exhaustive),
    ],
    ids=["Ctrl-C", "SIGTERM"],
)
def test_a_run_that_is_interrupted_again_and_again_continues(
    start: Callable[..., "subprocess.Popen[str]"],
    local_rows: dict[str, Any],
    tmp_path: Path,
    endings: tuple[tuple[signal.Signals, int], ...],
) -> None:
    kept = 0
    for ending, expected in endings:
        process = start()
        wait_for_parts(tmp_path / "rows", 4, process)
        process.send_signal(ending)
        code, said = finish(process)
        assert code == expected, said
        assert ("they are in rows; run the same command again" in said) == (ending != signal.SIGKILL)
        assert (f"rows has the rows of {kept:,} images already" in said) == (kept > 0)
        before, kept = kept, len(rows_in(tmp_path / "rows"))
        assert before < kept < len(local_rows)

    process = start()
    wait_for_parts(tmp_path / "rows", 4, process)
    first = next((tmp_path / "rows").glob("part-*"))
    first.with_name("part-0001-ffffffff-000000.parquet").write_bytes(first.read_bytes())
    code, said = finish(process)
    assert code == 2
    assert re.search(r"rows holds [\d,]+ rows instead of [\d,]+, so another run has written there", said)

    code, said = finish(start())
    assert code == 1, said
    assert rows_in(tmp_path / "rows") == local_rows


def test_changed_and_failed_images_are_classified_again_and_have_one_row(
    command: Command, tmp_path: Path, colour_model: Path, many: Path
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    good = (many / "photos" / "0" / "00000.jpg").read_bytes()
    for name, content in {"a": good, "b": good, "bad": b"", "worse": b""}.items():
        (photos / f"{name}.jpg").write_bytes(content)
    line = ("clf-run", colour_model, "-s", "photos", "--ray", "-o", "rows")
    assert command(*line).returncode == 1

    (photos / "a.jpg").write_bytes(b"damaged")
    (photos / "bad.jpg").write_bytes(good)
    (photos / "new.jpg").write_bytes(good)
    done = command(*line, "--retry-failed", "--summary", "again.json")
    assert done.returncode == 1, done.stderr
    status = {Path(path).stem: row["status"] for path, row in rows_in(tmp_path / "rows").items()}
    assert status == {"a": "error", "b": "ok", "bad": "ok", "new": "ok", "worse": "error"}
    summary = json.loads((tmp_path / "again.json").read_text())
    assert (summary["images"], summary["classified_now"]) == (5, 4)


@pytest.fixture(scope="module")
def store(object_store: ObjectStore) -> ObjectStore:
    object_store.make_bucket("camera")
    return object_store


def test_a_bucket_is_read_and_written(
    store: ObjectStore, command: Command, tmp_path: Path, colour_model: Path, many: Path
) -> None:
    source = many / "photos" / "7"
    uri = store.upload(source, "s3://camera/photos")
    line = ("clf-run", colour_model, "-s", uri, "--ray", "-o", "s3://camera/rows")
    done = command(*line, env=store.environment())
    assert done.returncode == 1, done.stderr

    (tmp_path / "rows").mkdir()
    for key in store.keys("camera"):
        if key.startswith("rows/part-"):
            (tmp_path / key).write_bytes(store.get(f"s3://camera/{key}"))
    assert command("clf-run", colour_model, "-s", source, "-o", "local.parquet").returncode == 1
    there, here = rows_in(tmp_path / "rows"), rows_in(tmp_path / "local.parquet")
    assert {path.removeprefix(uri): without_place(row) for path, row in there.items()} == {
        path.removeprefix(str(source)): without_place(row) for path, row in here.items()
    }

    again = command(*line, env=store.environment())
    assert again.returncode == 1
    assert re.search(f"{len(here):,} images, all .*earlier", again.stderr)


def without_place(row: dict[str, Any]) -> dict[str, Any]:
    """A row without what depends on the place of its image."""
    return {name: value for name, value in row.items() if name not in ("path", "modified", "mtime_ns")}


@pytest.mark.parametrize("where", ["source", "output"])
def test_wrong_credentials_are_a_one_line_error(
    store: ObjectStore, command: Command, colour_model: Path, image_folder: Path, where: str
) -> None:
    source, output = ("s3://camera/photos", "rows") if where == "source" else (str(image_folder), "s3://camera/denied")
    line = ("clf-run", colour_model, "-s", source, "--ray", "-o", output)
    done = command(*line, env=store.environment(WRONG))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert "s3://camera" in done.stderr
    assert "access is denied" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_address_without_a_cluster_is_a_one_line_error(command: Command, colour_model: Path, image_folder: Path) -> None:
    line = ("clf-run", colour_model, "-s", image_folder, "--ray", "127.0.0.1:1", "-o", "rows")
    done = command(*line)
    assert (done.returncode, done.stdout) == (2, "")
    assert "error: cannot connect to a Ray cluster at 127.0.0.1:1 (Connection refused); " in done.stderr
    assert len(done.stderr.splitlines()) == 2
