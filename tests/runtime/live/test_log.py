"""Rows are appended whole or not at all."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from edgeclf.runtime.errors import OutputError
from edgeclf.runtime.live.log import open_log
from edgeclf.runtime.results.row import Row
from tests.support.outputs import CSV_HEADER

ROW = Row("webcam#frame=1", "ok", "cat", 0.9, {"cat": 0.9}, time="2026-01-02T03:04:05.678Z", age_ms=12.5)
by_format = pytest.mark.parametrize("suffix", [".csv", ".jsonl"])


def write(path: Path, *rows: Row) -> None:
    with open_log(str(path)) as log:
        for row in rows:
            log.write(row)


def labels(path: Path) -> list[str]:
    with path.open(newline="") as file:
        lines = csv.DictReader(file) if path.suffix == ".csv" else map(json.loads, file)
        return [line["label"] for line in lines]


@by_format
def test_a_row_can_be_read_as_soon_as_it_is_written(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"log{suffix}"
    with open_log(str(path)) as log:
        log.write(ROW)
        assert labels(path) == ["cat"]


@by_format
def test_the_next_run_appends_its_rows(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"log{suffix}"
    write(path, ROW, ROW)
    write(path, ROW)
    assert labels(path) == ["cat"] * 3


def test_a_row_of_a_camera_has_no_file_size_or_time(tmp_path: Path) -> None:
    write(tmp_path / "log.csv", ROW)
    with (tmp_path / "log.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["size_bytes"], row["modified"]) == ("", "")


def test_csv_has_one_header(tmp_path: Path) -> None:
    write(tmp_path / "log.csv", ROW)
    write(tmp_path / "log.csv", ROW)
    assert (tmp_path / "log.csv").read_text().count(CSV_HEADER) == 1


@by_format
def test_half_a_line_left_by_a_kill_is_removed(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"log{suffix}"
    write(path, ROW, ROW)
    path.write_bytes(path.read_bytes()[:-20])
    write(path, ROW)
    assert labels(path) == ["cat"] * 2


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("log.csv", "path,status,label\na.jpg,ok,cat\n"),
        ("log.jsonl", '{"event": 1}\n'),
        ("log.jsonl", "notes without an end"),
    ],
)
def test_a_file_with_other_content_is_left_unchanged(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(OutputError, match="is not a log of a live run with these columns"):
        write(tmp_path / name, ROW)
    assert (tmp_path / name).read_text() == text


@pytest.mark.parametrize("name", ["log.parquet", "log.sqlite", "log"])
def test_formats_without_appending_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match=r"\.csv or \.jsonl"):
        write(tmp_path / name, ROW)
    assert not (tmp_path / name).exists()


def test_the_output_of_a_batch_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log.csv.journal").touch()
    with pytest.raises(OutputError, match=r"log\.csv belongs to .*log\.csv\.journal"):
        write(tmp_path / "log.csv", ROW)


@by_format
def test_a_second_writer_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"log{suffix}"
    with open_log(str(path)) as log:
        log.write(ROW)
        with pytest.raises(OutputError, match="is being written by another process"):
            write(path, ROW)
    assert labels(path) == ["cat"]


def test_a_full_disk_is_an_error_and_leaves_whole_rows(
    tmp_path: Path, full_disk: Callable[[int], AbstractContextManager[None]]
) -> None:
    path = tmp_path / "log.jsonl"
    write(path, ROW)
    with full_disk(path.stat().st_size + 100), pytest.raises(OutputError, match="cannot write"):
        write(path, ROW)
    assert labels(path) == ["cat"]


def test_rows_on_stdout_are_flushed_at_once() -> None:
    script = (
        "import sys, time\n"
        "from edgeclf.runtime.live.log import open_log\n"
        "from edgeclf.runtime.results.row import Row\n"
        "with open_log('-', json_lines=True) as log:\n"
        "    log.write(Row('webcam', 'ok', 'cat'))\n"
        "    sys.stdin.readline()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert json.loads(process.stdout.readline())["label"] == "cat"
        process.communicate("go on\n")
