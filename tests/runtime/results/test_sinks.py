"""Sinks: files appear only when they are complete, and what cannot be written is refused."""

import json
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from edgeclf.runtime.errors import OutputError
from edgeclf.runtime.results.columns import Schema
from edgeclf.runtime.results.row import Row
from edgeclf.runtime.results.sinks import check_columns, check_output, open_sink
from edgeclf.runtime.terminal.console import missing_extra
from tests.support.outputs import FORMATS, OK, READERS, cells, columns, write

by_format = pytest.mark.parametrize("suffix", FORMATS)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_named_pipe_takes_the_format_of_its_name(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "rows.jsonl")
    with ThreadPoolExecutor() as readers:
        text = readers.submit((tmp_path / "rows.jsonl").read_text)
        write(tmp_path / "rows.jsonl", OK)
        assert json.loads(text.result(60)) == cells(OK, ".jsonl")


@by_format
def test_a_file_gets_its_name_only_when_it_is_complete(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"results{suffix}"

    with open_sink(str(path)) as sink:
        sink.write(OK)
        sink.flush()
        assert not path.exists()

    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@by_format
def test_a_folder_whose_name_is_not_utf8_can_be_written_to(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9 %41?.d") / f"r{suffix}"
    path.parent.mkdir()

    assert len(READERS[suffix](write(path, OK))) == 1


def interrupt(path: Path, *rows: Row) -> None:
    with open_sink(str(path)) as sink:
        for row in rows:
            sink.write(row)
        raise KeyboardInterrupt


@pytest.mark.parametrize(("suffix", "first"), [(".csv", "path,"), (".jsonl", '{"path"')])
def test_interrupted_lines_stay_in_the_part_file(suffix: str, first: str, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupt(tmp_path / f"results{suffix}", OK)

    assert [path.name for path in tmp_path.iterdir()] == [f"results{suffix}.part"]
    assert (tmp_path / f"results{suffix}.part").read_text().startswith(first)


@pytest.mark.parametrize("suffix", [".parquet", ".sqlite", ".xlsx"])
def test_an_interrupted_file_that_cannot_be_read_is_removed(suffix: str, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupt(tmp_path / f"results{suffix}", OK)

    assert list(tmp_path.iterdir()) == []


@by_format
def test_an_interruption_before_the_first_row_leaves_nothing(suffix: str, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupt(tmp_path / f"results{suffix}")

    assert list(tmp_path.iterdir()) == []


@by_format
def test_older_results_survive_an_interrupted_run(suffix: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"results{suffix}", OK, OK)
    older = path.read_bytes()

    with pytest.raises(KeyboardInterrupt):
        interrupt(path, OK)

    assert path.read_bytes() == older


@by_format
def test_older_results_are_replaced_when_a_run_completes(suffix: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"results{suffix}", OK, OK)

    assert len(READERS[suffix](write(path, OK))) == 1


@by_format
@pytest.mark.parametrize("room_bytes", [0, 30_000])
def test_a_full_disk_is_an_output_error_and_leaves_no_file(
    suffix: str, room_bytes: int, full_disk: Callable[[int], AbstractContextManager[None]], tmp_path: Path
) -> None:
    rows = [replace(OK, path=f"{number}.jpg") for number in range(5_000)]

    with full_disk(room_bytes), pytest.raises(OutputError, match=r"^cannot write .*results"):
        write(tmp_path / f"results{suffix}", *rows)

    assert not (tmp_path / f"results{suffix}").exists()


BAD_OUTPUTS = pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing/results.csv", "No such file or directory"),
        ("folder.csv", "is a folder; name a file"),
        ("results.txt", r"\.csv, \.jsonl, \.parquet, \.sqlite, \.db"),
        ("results", r"\.csv, \.jsonl"),
        ("file/results.csv", "Not a directory"),
        ("x" * 251 + ".csv", "File name too long"),
    ],
    ids=["missing-folder", "folder", "suffix", "no-suffix", "below-a-file", "too-long-as-a-part"],
)


@BAD_OUTPUTS
def test_an_output_that_cannot_be_written_is_refused_at_once(name: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").touch()

    with pytest.raises(OutputError, match=message), open_sink(str(tmp_path / name)):
        pass


@BAD_OUTPUTS
def test_an_output_that_cannot_be_written_is_refused_by_the_check(name: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").touch()

    with pytest.raises(OutputError, match=message):
        check_output(str(tmp_path / name), False)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_write_permission_is_refused_by_the_check(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)

    with pytest.raises(OutputError, match="Permission denied"):
        check_output(str(tmp_path / "results.csv"), False)


@pytest.mark.parametrize("output", ["-", "/dev/null", *(f"results{suffix}" for suffix in FORMATS), "results.CSV"])
def test_the_check_accepts_a_writable_output_and_creates_nothing(
    output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    check_output(output, False)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "refuse", [lambda path: check_output(path, False), lambda path: write(Path(path))], ids=["check", "open"]
)
def test_parquet_without_pyarrow_names_the_extra_to_install(
    refuse: Callable[[str], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "edgeclf.runtime.results.parquet_sink")

    with pytest.raises(ModuleNotFoundError) as caught:
        refuse(str(tmp_path / "results.parquet"))

    assert "pip install 'edgeclf[parquet]'" in (missing_extra(caught.value) or "")
    assert list(tmp_path.iterdir()) == []


def test_a_full_device_is_an_output_error() -> None:
    with pytest.raises(OutputError, match="No space left on device"):
        write(Path("/dev/full"), OK)


def test_a_device_is_written_to_directly() -> None:
    write(Path("/dev/null"), OK)

    assert not os.path.exists("/dev/null.part")


@pytest.mark.parametrize("json_lines", [False, True], ids=["csv", "json-lines"])
def test_stdout_takes_csv_or_json_lines(json_lines: bool, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    with open_sink("-", json_lines=json_lines) as sink:
        sink.write(OK)

    file = write(tmp_path / ("results.jsonl" if json_lines else "results.csv"), OK)
    assert capfdbinary.readouterr().out == file.read_bytes()


def write_without_reader(pipe: Path) -> None:
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with open_sink(str(pipe)) as sink:
        os.close(reader)
        sink.write(OK)
        sink.flush()


def test_a_reader_that_goes_away_is_a_broken_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(BrokenPipeError):
        write_without_reader(tmp_path / "pipe")


@pytest.mark.parametrize(
    ("suffix", "count", "found"), [(".sqlite", 2_000, "2,017 columns, and SQLite takes 2,000"), (".xlsx", 16_384, "Excel")]
)
def test_a_file_with_too_many_columns_is_refused_beforehand(suffix: str, count: int, found: str) -> None:
    many = Schema(classes=tuple(map(str, range(count))))

    check_columns("results.csv", many)
    with pytest.raises(OutputError, match=rf"{found}.*; .*--topk"):
        check_columns(f"results{suffix}", many)


def test_a_database_takes_as_many_columns_as_it_says(tmp_path: Path) -> None:
    most = Schema(classes=tuple(map(str, range(2_000 - len(columns(".sqlite"))))))

    assert len(READERS[".sqlite"](write(tmp_path / "results.sqlite", OK, schema=most))[0]) == 2_000
