"""Formats: rows read back as they were written."""

import csv
import os
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from edgeclf.runtime.errors import OutputError
from edgeclf.runtime.images.photo import Photo
from edgeclf.runtime.results import xlsx_sink
from edgeclf.runtime.results.columns import PLAIN, Schema
from edgeclf.runtime.results.parquet_sink import GROUP_ROWS, arrow_schema, to_table
from edgeclf.runtime.results.row import Row
from edgeclf.runtime.results.sinks import open_sink
from edgeclf.runtime.results.sqlite_sink import TRANSACTION_ROWS
from edgeclf.runtime.terminal.escaping import unescape
from tests.support.outputs import (
    CSV_HEADER,
    FAILED,
    FORMATS,
    MODEL,
    OK,
    READERS,
    ROWS,
    TIME,
    UNSURE,
    cells,
    columns,
    query,
    read_json_lines,
    read_parquet,
    read_sqlite,
    write,
)

FILE = "2026-09-21T14:13:20.123Z,60000"
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
    "excel-escape": b"_x000D_.jpg",
    "rich-text": b"<r><b>x</b></r>",
    "spaces": b" a .jpg ",
    "all-bytes": bytes(range(1, 256)).replace(b"/", b""),
}
NAMES = [os.fsdecode(name) for name in RAW_NAMES.values()]
by_format = pytest.mark.parametrize("suffix", FORMATS)


@by_format
def test_every_format_gives_every_name_back(suffix: str, tmp_path: Path) -> None:
    rows = [replace(OK, path=name, sorted_to=f"x/{name}", label=name, detail=name) for name in NAMES]

    read = READERS[suffix](write(tmp_path / f"results{suffix}", *rows))

    for column in ("path", "label", "detail"):
        assert [unescape(row[column]) for row in read] == NAMES
    assert [unescape(row["sorted_to"]) for row in read] == [f"x/{name}" for name in NAMES]


@by_format
def test_every_format_gives_the_names_of_all_classes_back(suffix: str, tmp_path: Path) -> None:
    rows = [replace(OK, top={"dog": 0.75, name: 0.25}) for name in NAMES]

    read = READERS[suffix](write(tmp_path / f"results{suffix}", *rows, schema=Schema(2)))

    seconds = [list(row["top"])[1] if suffix == ".jsonl" else row["label_2"] for row in read]
    assert [unescape(name) for name in seconds] == NAMES


@by_format
def test_every_class_has_a_column_of_its_own(suffix: str, tmp_path: Path) -> None:
    classes = (*NAMES, "dog", "Dog")
    scores = {label: number / 100 for number, label in enumerate(classes)}

    (read,) = READERS[suffix](write(tmp_path / f"results{suffix}", replace(OK, top=scores), schema=Schema(classes=classes)))

    found = list(read["top"].values()) if suffix == ".jsonl" else [read[name] for name in read if name.startswith("score_")]
    assert [float(score) for score in found] == list(scores.values())


@by_format
@pytest.mark.parametrize("row", ROWS.values(), ids=list(ROWS))
def test_every_format_has_the_columns_of_the_schema_in_order(row: Row, suffix: str, tmp_path: Path) -> None:
    (read,) = READERS[suffix](write(tmp_path / f"results{suffix}", row))

    assert list(read) == columns(suffix)


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


def test_csv_without_rows_has_its_header(tmp_path: Path) -> None:
    assert write(tmp_path / "results.csv").read_text() == CSV_HEADER


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (OK, f"a.jpg,ok,dog,0.750000,,0.250000,,,640,480,sorted/dog/a.jpg,{TIME},,,{FILE},{MODEL}"),
        (UNSURE, f"b.mkv#frame=2,unsure,,0.500000,cat,,,,640,480,,{TIME},0.080000,12.500000,,,{MODEL}"),
        (FAILED, f"c.jpg,error,,,,,empty,the file holds 0 bytes,,,,{TIME},,,,,{MODEL}"),
    ],
    ids=list(ROWS),
)
def test_csv_has_exactly_this_line(row: Row, line: str, tmp_path: Path) -> None:
    assert write(tmp_path / "results.csv", row).read_text().splitlines()[1] == line


@pytest.mark.parametrize("row", ROWS.values(), ids=list(ROWS))
def test_a_json_line_has_every_column_even_if_it_is_empty(row: Row, tmp_path: Path) -> None:
    assert read_json_lines(write(tmp_path / "results.jsonl", row)) == [cells(row, ".jsonl")]


@pytest.mark.parametrize("row", ROWS.values(), ids=list(ROWS))
def test_a_parquet_row_has_the_values_of_the_row(row: Row, tmp_path: Path) -> None:
    expected = cells(row, ".parquet")
    times = {name: expected[name] and datetime.fromisoformat(expected[name]) for name in ("time", "modified")}

    assert read_parquet(write(tmp_path / "results.parquet", row)) == [expected | times]


def test_parquet_columns_have_types_for_queries(tmp_path: Path) -> None:
    schema = pq.read_schema(write(tmp_path / "results.parquet", OK, schema=Schema(exif=True, ray=True)))

    assert {str(schema.field(name).type) for name in ("path", "detail", "sorted_to")} == {"string"}
    assert all(pa.types.is_dictionary(schema.field(name).type) for name in ("status", "label", "error", "model"))
    assert {str(schema.field(name).type) for name in ("width", "height", "size_bytes", "mtime_ns")} == {"int64"}
    assert {str(schema.field(name).type) for name in ("confidence", "latitude")} == {"double"}
    assert {str(schema.field(name).type) for name in ("time", "modified")} == {"timestamp[ms, tz=UTC]"}
    assert str(schema.field("taken_at").type) == "timestamp[ms]"


def test_parquet_metadata_has_the_version_of_the_schema(tmp_path: Path) -> None:
    metadata = pq.read_metadata(write(tmp_path / "results.parquet", OK)).metadata

    assert metadata[b"edgeclf.schema"] == b"3"


@pytest.mark.parametrize("rows", [[], list(ROWS.values())], ids=["no rows", "rows"])
def test_to_table_equals_what_a_parquet_file_holds(rows: list[Row], tmp_path: Path) -> None:
    table = to_table(rows)

    assert table.schema.equals(arrow_schema(PLAIN), check_metadata=True)
    assert table.to_pylist(maps_as_pydicts="strict") == read_parquet(write(tmp_path / "results.parquet", *rows))


def test_parquet_is_written_in_row_groups(tmp_path: Path) -> None:
    with open_sink(str(tmp_path / "results.parquet")) as sink:
        for _ in range(GROUP_ROWS + 1):
            sink.write(FAILED)

    metadata = pq.read_metadata(tmp_path / "results.parquet")
    assert [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)] == [GROUP_ROWS, 1]


@pytest.mark.parametrize("row", ROWS.values(), ids=list(ROWS))
def test_a_sqlite_row_has_the_values_of_the_row(row: Row, tmp_path: Path) -> None:
    assert read_sqlite(write(tmp_path / "results.sqlite", row)) == [cells(row, ".sqlite")]


def test_sqlite_holds_more_rows_than_a_transaction(tmp_path: Path) -> None:
    path = write(tmp_path / "results.sqlite", *[FAILED] * (TRANSACTION_ROWS + 1))

    assert query(path, "SELECT count(*), max(rowid) FROM results") == [(TRANSACTION_ROWS + 1, TRANSACTION_ROWS + 1)]


def test_sqlite_meta_has_the_version_of_the_schema(tmp_path: Path) -> None:
    path = write(tmp_path / "results.db", OK)

    assert query(path, "SELECT value FROM meta WHERE key = 'schema'") == [("3",)]


@pytest.mark.parametrize(
    ("where", "index"),
    [("path = 'a.jpg'", "results_path"), ("status = 'ok' AND label = 'dog'", "results_label")],
    ids=["path", "label"],
)
def test_sqlite_queries_use_an_index(where: str, index: str, tmp_path: Path) -> None:
    path = write(tmp_path / "results.db", OK)

    assert index in str(query(path, f"EXPLAIN QUERY PLAN SELECT * FROM results WHERE {where}"))


def test_a_workbook_has_dates_numbers_and_text_but_no_formulas(tmp_path: Path) -> None:
    row = replace(OK, path="=cmd|' /C calc'!A0", detail="http://10.0.0.7/", photo=Photo("1826-05-01T12:00:00"))
    path = write(tmp_path / "results.xlsx", row, schema=Schema(exif=True))

    with closing(openpyxl.load_workbook(path)) as book:
        cells = dict(zip(columns(".xlsx", Schema(exif=True)), next(book.active.iter_rows(min_row=2)), strict=True))

    assert (cells["path"].data_type, unescape(cells["path"].value)) == ("s", row.path)
    assert (cells["detail"].value, cells["detail"].hyperlink) == (row.detail, None)
    assert (cells["confidence"].data_type, cells["confidence"].value) == ("n", 0.75)
    assert (cells["time"].is_date, cells["time"].value) == (True, datetime(2026, 1, 2, 3, 4, 5, 678_000))
    assert cells["taken_at"].value == "1826-05-01T12:00:00"  # before the first day that Excel knows


def test_more_rows_than_a_workbook_takes_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_sink, "MAX_ROWS", 2)
    write(tmp_path / "results.xlsx", OK, OK)

    with pytest.raises(OutputError, match=r"results.xlsx cannot hold more than 2 rows; .*parquet or .csv.*--journal"):
        write(tmp_path / "results.xlsx", OK, OK, OK)

    assert [path.name for path in tmp_path.iterdir()] == ["results.xlsx"]
