"""Sinks: rows read back as they were written, and files appear only when they are complete."""

import csv
import json
import os
import sqlite3
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from edgeclf.runtime.errors import OutputError
from edgeclf.runtime.results.parquet_sink import GROUP_ROWS, SCHEMA, to_table
from edgeclf.runtime.results.row import COLUMNS, Row
from edgeclf.runtime.results.sinks import check_output, open_sink
from edgeclf.runtime.results.sqlite_sink import TRANSACTION_ROWS
from edgeclf.runtime.terminal.console import missing_extra
from edgeclf.runtime.terminal.escaping import unescape

MODEL, TIME = "0123456789abcdef", "2026-01-02T03:04:05.678Z"
OK = Row(
    path="a.jpg",
    status="ok",
    label="dog",
    confidence=0.75,
    top={"dog": 0.75, "cat": 0.25},
    width=640,
    height=480,
    sorted_to="sorted/dog/a.jpg",
    model=MODEL,
    time=TIME,
    size_bytes=60_000,
    mtime_ns=1_790_000_000_123_456_789,
)
UNSURE = Row(
    path="b.mkv#frame=2",
    status="unsure",
    confidence=0.5,
    top={"cat": 0.5},
    width=640,
    height=480,
    model=MODEL,
    time=TIME,
    position_s=0.08,
    age_ms=12.5,
)
FAILED = Row("c.jpg", "error", error="empty", detail="the file holds 0 bytes", model=MODEL, time=TIME)
ROWS = {"ok": OK, "unsure": UNSURE, "error": FAILED}
MODEL_AND_TIME, FILE = f"{MODEL},{TIME}", "60000,1790000000123456789"
FORMATS = (".csv", ".jsonl", ".parquet", ".sqlite", ".db")
RAW_NAMES = {
    "plain": b"cat.jpg",
    "latin-1": b"caf\xe9.jpg",
    "utf-8": "caf\u00e9 \u72ac \U0001f600.jpg".encode(),
    "newline": b"two\nlines\r\n.jpg",
    "escape": b"\x1b[31mred\x1b]0;title\x07.jpg",
    "c1-control": "csi \u009b31m.jpg".encode(),
    "right-to-left": "\u202egpj.exe.jpg".encode(),
    "line-separator": "a\u2028b\u0085c.jpg".encode(),
    "formula": b"=HYPERLINK(1).jpg",
    "plus": b"+1.jpg",
    "minus": b"-1.jpg",
    "at": b"@SUM(1).jpg",
    "tab-formula": b"\t=1.jpg",
    "return-formula": b"\r=1.jpg",
    "quotes": b"\"a\" 'b'.jpg",
    "comma": b"a,b;c.jpg",
    "backslash": b"a\\b.jpg",
    "backslash-n": b"a\\nb.jpg",
    "backslash-x": b"\\x3d1.jpg",
    "backslash-last": b"a.jpg\\",
    "backslash-and-latin-1": b"\\xe9\xe9.jpg",
    "all-bytes": bytes(range(1, 256)).replace(b"/", b""),
}
NAMES = [os.fsdecode(name) for name in RAW_NAMES.values()]
by_format = pytest.mark.parametrize("suffix", FORMATS)


def write(path: Path, *rows: Row) -> Path:
    with open_sink(str(path)) as sink:
        for row in rows:
            sink.write(row)
    return path


def read_csv(path: Path) -> list[dict[str, Any]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("ascii").splitlines()]


def read_parquet(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(pa.BufferReader(path.read_bytes())).to_pylist(maps_as_pydicts="strict")
    return rows


def query(path: Path, question: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute(question).fetchall()


def read_sqlite(path: Path) -> list[dict[str, Any]]:
    return [dict(zip(COLUMNS, values, strict=True)) for values in query(path, "SELECT * FROM results ORDER BY rowid")]


READERS: dict[str, Callable[[Path], list[dict[str, Any]]]] = {
    ".csv": read_csv,
    ".jsonl": read_json_lines,
    ".parquet": read_parquet,
    ".sqlite": read_sqlite,
    ".db": read_sqlite,
}
UNESCAPE = {".csv": unescape, ".jsonl": str, ".parquet": unescape, ".sqlite": unescape, ".db": unescape}
"""Restores a text cell."""
TOP: dict[str, Callable[[Any], dict[str, float]]] = {
    ".csv": lambda cell: dict(json.loads(unescape(cell))),
    ".jsonl": dict,
    ".parquet": lambda top: {unescape(label): score for label, score in top.items()},
    ".sqlite": json.loads,
    ".db": json.loads,
}
"""Restores the column `top`."""


@by_format
def test_every_format_gives_every_name_back(suffix: str, tmp_path: Path) -> None:
    rows = [replace(OK, path=name, sorted_to=f"x/{name}", label=name, detail=name) for name in NAMES]

    read = READERS[suffix](write(tmp_path / f"results{suffix}", *rows))

    for column in ("path", "label", "detail"):
        assert [UNESCAPE[suffix](row[column]) for row in read] == NAMES
    assert [UNESCAPE[suffix](row["sorted_to"]) for row in read] == [f"x/{name}" for name in NAMES]


@by_format
def test_every_format_gives_the_classes_of_top_back(suffix: str, tmp_path: Path) -> None:
    tops = [{name: 0.75, "b": 0.25} for name in NAMES]

    read = READERS[suffix](write(tmp_path / f"results{suffix}", *[replace(OK, top=top) for top in tops]))

    assert [TOP[suffix](row["top"]) for row in read] == tops


@by_format
@pytest.mark.parametrize("row", ROWS.values(), ids=list(ROWS))
def test_every_format_has_the_columns_of_the_schema_in_order(row: Row, suffix: str, tmp_path: Path) -> None:
    (read,) = READERS[suffix](write(tmp_path / f"results{suffix}", row))

    assert tuple(read) == COLUMNS


@by_format
def test_rows_keep_their_order(suffix: str, tmp_path: Path) -> None:
    rows = READERS[suffix](write(tmp_path / f"results{suffix}", *ROWS.values()))

    assert [row["path"] for row in rows] == [row.path for row in ROWS.values()]


@by_format
def test_a_file_without_rows_can_be_read(suffix: str, tmp_path: Path) -> None:
    assert READERS[suffix](write(tmp_path / f"results{suffix}")) == []


def rows_named(names: list[str]) -> list[Row]:
    return [replace(OK, path=name, label=name, top={name: 1.0}, detail=name, sorted_to=name) for name in names]


def test_a_csv_row_is_one_printable_line_without_formulas(tmp_path: Path) -> None:
    text = write(tmp_path / "results.csv", *rows_named(NAMES)).read_bytes().decode("utf-8")

    _, *lines, rest = text.split("\n")
    assert len(lines) == len(NAMES)
    assert [line for line in lines if not line.isprintable()] == []
    assert [cell for line in lines for cell in next(csv.reader([line])) if cell.startswith(("=", "+", "-", "@"))] == []
    assert rest == ""


def test_a_json_line_is_one_line_of_printable_ascii(tmp_path: Path) -> None:
    text = write(tmp_path / "results.jsonl", *rows_named(NAMES)).read_bytes().decode("utf-8")

    lines = text.removesuffix("\n").split("\n")
    assert len(lines) == len(NAMES)
    assert [line for line in lines if not (line.isprintable() and line.isascii())] == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_named_pipe_takes_the_format_of_its_name(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "rows.jsonl")
    with ThreadPoolExecutor() as readers:
        text = readers.submit((tmp_path / "rows.jsonl").read_text)
        write(tmp_path / "rows.jsonl", OK)
        assert json.loads(text.result(60)) == asdict(OK)


def test_csv_without_rows_has_its_header(tmp_path: Path) -> None:
    assert write(tmp_path / "results.csv").read_text() == ",".join(COLUMNS) + "\n"


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (
            OK,
            f'a.jpg,ok,dog,0.750000,"{{""dog"": 0.75, ""cat"": 0.25}}",,,640,480,sorted/dog/a.jpg,{MODEL_AND_TIME},,,{FILE}',
        ),
        (UNSURE, f'b.mkv#frame=2,unsure,,0.500000,"{{""cat"": 0.5}}",,,640,480,,{MODEL_AND_TIME},0.080000,12.500000,,'),
        (FAILED, f"c.jpg,error,,,{{}},empty,the file holds 0 bytes,,,,{MODEL_AND_TIME},,,,"),
    ],
    ids=list(ROWS),
)
def test_csv_has_exactly_this_line(row: Row, line: str, tmp_path: Path) -> None:
    assert write(tmp_path / "results.csv", row).read_text().splitlines()[1] == line


@pytest.mark.parametrize("row", ROWS.values(), ids=list(ROWS))
def test_a_json_line_has_every_column_even_if_it_is_empty(row: Row, tmp_path: Path) -> None:
    assert read_json_lines(write(tmp_path / "results.jsonl", row)) == [asdict(row)]


@pytest.mark.parametrize("row", ROWS.values(), ids=list(ROWS))
def test_a_parquet_row_has_the_values_of_the_row(row: Row, tmp_path: Path) -> None:
    time = datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC)

    assert read_parquet(write(tmp_path / "results.parquet", row)) == [asdict(row) | {"time": time}]


def test_parquet_columns_have_types_for_queries(tmp_path: Path) -> None:
    schema = pq.read_schema(write(tmp_path / "results.parquet", OK))

    assert {str(schema.field(name).type) for name in ("path", "detail", "sorted_to")} == {"string"}
    assert all(pa.types.is_dictionary(schema.field(name).type) for name in ("status", "label", "error", "model"))
    assert [str(schema.field(name).type) for name in ("confidence", "width", "height")] == ["double", "int32", "int32"]
    assert str(schema.field("top").type).startswith("map<string, double")
    assert str(schema.field("time").type) == "timestamp[ms, tz=UTC]"
    assert [str(schema.field(name).type) for name in ("size_bytes", "mtime_ns")] == ["int64", "int64"]


def test_parquet_metadata_has_the_version_of_the_schema(tmp_path: Path) -> None:
    metadata = pq.read_metadata(write(tmp_path / "results.parquet", OK)).metadata

    assert metadata[b"edgeclf.schema"] == b"1"


@pytest.mark.parametrize("rows", [[], list(ROWS.values())], ids=["no rows", "rows"])
def test_to_table_equals_what_a_parquet_file_holds(rows: list[Row], tmp_path: Path) -> None:
    table = to_table(rows)

    assert table.schema.equals(SCHEMA, check_metadata=True)
    assert table.to_pylist(maps_as_pydicts="strict") == read_parquet(write(tmp_path / "results.parquet", *rows))


def test_parquet_is_written_in_row_groups(tmp_path: Path) -> None:
    with open_sink(str(tmp_path / "results.parquet")) as sink:
        for _ in range(GROUP_ROWS + 1):
            sink.write(FAILED)

    metadata = pq.read_metadata(tmp_path / "results.parquet")
    assert [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)] == [GROUP_ROWS, 1]


@pytest.mark.parametrize("row", ROWS.values(), ids=list(ROWS))
def test_a_sqlite_row_has_the_values_of_the_row(row: Row, tmp_path: Path) -> None:
    assert read_sqlite(write(tmp_path / "results.sqlite", row)) == [asdict(row) | {"top": json.dumps(row.top)}]


def test_sqlite_holds_more_rows_than_a_transaction(tmp_path: Path) -> None:
    path = write(tmp_path / "results.sqlite", *[FAILED] * (TRANSACTION_ROWS + 1))

    assert query(path, "SELECT count(*), max(rowid) FROM results") == [(TRANSACTION_ROWS + 1, TRANSACTION_ROWS + 1)]


def test_sqlite_meta_has_the_version_of_the_schema(tmp_path: Path) -> None:
    path = write(tmp_path / "results.db", OK)

    assert query(path, "SELECT value FROM meta WHERE key = 'schema'") == [("1",)]


@pytest.mark.parametrize(
    ("where", "index"),
    [("path = 'a.jpg'", "results_path"), ("status = 'ok' AND label = 'dog'", "results_label")],
    ids=["path", "label"],
)
def test_sqlite_queries_use_an_index(where: str, index: str, tmp_path: Path) -> None:
    path = write(tmp_path / "results.db", OK)

    assert index in str(query(path, f"EXPLAIN QUERY PLAN SELECT * FROM results WHERE {where}"))


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


@pytest.mark.parametrize("suffix", [".parquet", ".sqlite"])
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
    path = tmp_path / f"results{suffix}"
    path.write_text("older\n")

    with pytest.raises(KeyboardInterrupt):
        interrupt(path, OK)

    assert path.read_text() == "older\n"


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
