"""Rows for outputs, and readers for every format."""

import csv
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

from edgeclf.runtime.results.columns import PLAIN, Output, Schema
from edgeclf.runtime.results.row import Row
from edgeclf.runtime.results.sinks import open_sink

MODEL, TIME = "0123456789abcdef", "2026-01-02T03:04:05.678Z"
OK = Row(
    path="a.jpg",
    status="ok",
    label="dog",
    confidence=0.75,
    top={"dog": 0.75, "cat": 0.25},
    novelty=0.25,
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
    guess="cat",
    width=640,
    height=480,
    model=MODEL,
    time=TIME,
    position_s=0.08,
    age_ms=12.5,
)
FAILED = Row("c.jpg", "error", error="empty", detail="the file holds 0 bytes", model=MODEL, time=TIME)
ROWS = {"ok": OK, "unsure": UNSURE, "error": FAILED}
FORMATS = (".csv", ".jsonl", ".parquet", ".sqlite", ".db", ".xlsx")
OUTPUTS: dict[str, Output] = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".parquet": "parquet",
    ".sqlite": "sqlite",
    ".db": "sqlite",
    ".xlsx": "csv",
}


def columns(suffix: str = ".csv", schema: Schema = PLAIN) -> list[str]:
    """The names of the columns of an output."""
    return [column.name for column in schema.columns(OUTPUTS[suffix])]


CSV_HEADER = ",".join(columns()) + "\n"


def cells(row: Row, suffix: str, schema: Schema = PLAIN) -> dict[str, Any]:
    """The values of a row by the names of their columns, before a format spells them."""
    return dict(zip(columns(suffix, schema), schema.reader(OUTPUTS[suffix])(row), strict=True))


def write(path: Path, *rows: Row, schema: Schema = PLAIN) -> Path:
    with open_sink(str(path), schema) as sink:
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
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute("SELECT * FROM results ORDER BY rowid")]


def read_xlsx(path: Path) -> list[dict[str, Any]]:
    with closing(openpyxl.load_workbook(path)) as book:
        header, *rows = book.active.iter_rows(values_only=True)
    return [dict(zip(header, row, strict=True)) for row in rows]


READERS: dict[str, Callable[[Path], list[dict[str, Any]]]] = {
    ".csv": read_csv,
    ".jsonl": read_json_lines,
    ".parquet": read_parquet,
    ".sqlite": read_sqlite,
    ".db": read_sqlite,
    ".xlsx": read_xlsx,
}
