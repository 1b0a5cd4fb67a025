"""pandas, DuckDB and Polars read every output and get the values that were written, dates as dates."""

import math
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pytest

from edgeclf.runtime.images.photo import Photo
from edgeclf.runtime.results.columns import Schema
from edgeclf.runtime.results.row import Row
from edgeclf.runtime.terminal.escaping import unescape
from tests.support.outputs import FAILED, OK, OUTPUTS, UNSURE, cells, write

NAMES = ["caf\u00e9 \u72ac.jpg", "\U0001f600, \"a\" 'b'.jpg", os.fsdecode(b"caf\xe9.jpg"), "=1+1.jpg", "two\nlines.jpg"]
PHOTO = Photo("2026-05-01T12:34:56", 2.0, -33.8567, 151.215, "Canon EOS 80D")
TOP = {"na\u00efve \U0001f436": 0.75, "\u72ac": 0.25}
ROWS = [replace(OK, path=name, label=next(iter(TOP)), top=TOP, photo=PHOTO) for name in NAMES] + [UNSURE, FAILED]
SCHEMA = Schema(topk=2, exif=True)
TIMES = ["time", "modified", "taken_at"]
AS_DATES = [pl.col("time", "modified").str.to_datetime(time_zone="UTC"), pl.col("taken_at").str.to_datetime()]
QUERY = "SELECT * FROM results ORDER BY rowid"

Read = Callable[[Path], list[dict[str, Any]]]


def with_pandas(path: Path) -> list[dict[str, Any]]:
    read = {
        ".csv": lambda: pd.read_csv(path, parse_dates=TIMES),
        ".jsonl": lambda: pd.read_json(path, lines=True, precise_float=True),
        ".parquet": lambda: pd.read_parquet(path),
        ".xlsx": lambda: pd.read_excel(path),
        ".sqlite": lambda: query(path, lambda database: pd.read_sql_query(QUERY, database, parse_dates=TIMES)),
    }
    table = read[path.suffix]()
    if path.suffix == ".jsonl":
        table[TIMES] = table[TIMES].apply(pd.to_datetime)
    assert all(pd.api.types.is_datetime64_any_dtype(table[name]) for name in TIMES)
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def with_duckdb(path: Path) -> list[dict[str, Any]]:
    read = {".csv": "read_csv", ".jsonl": "read_json", ".parquet": "read_parquet"}[path.suffix]
    found = duckdb.sql(f"SELECT * FROM {read}('{path}')")
    types = dict(zip(found.columns, map(str, found.types), strict=True))
    assert all(types[name].startswith("TIMESTAMP") for name in TIMES)
    rows: list[dict[str, Any]] = found.to_arrow_table().to_pylist()
    return rows


def with_polars(path: Path) -> list[dict[str, Any]]:
    read = {
        ".csv": lambda: pl.read_csv(path, try_parse_dates=True),
        ".jsonl": lambda: pl.read_ndjson(path).with_columns(AS_DATES),
        ".parquet": lambda: pl.read_parquet(path),
        ".sqlite": lambda: query(path, lambda database: pl.read_database(QUERY, database)).with_columns(AS_DATES),
    }
    table = read[path.suffix]()
    assert all(isinstance(table.schema[name], pl.Datetime) for name in TIMES)
    return table.to_dicts()


def query(path: Path, ask: Callable[[sqlite3.Connection], Any]) -> Any:
    with closing(sqlite3.connect(path)) as database:
        return ask(database)


def plain(value: Any) -> Any:
    """Missing values as None, times as datetimes, and names as they were."""
    if value is None or value is pd.NaT or value == "" or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, datetime):
        moment = value.to_pydatetime() if isinstance(value, pd.Timestamp) else value
        return moment.astimezone(UTC) if moment.tzinfo else moment
    if isinstance(value, dict):
        return {name: score for name, score in value.items() if score is not None}  # DuckDB and Polars have one key for all
    return unescape(value) if isinstance(value, str) else value


def expected(row: Row, suffix: str) -> dict[str, Any]:
    found = {name: plain(value) for name, value in cells(replace(row, path=""), suffix, SCHEMA).items()}
    times = {name: found[name] and datetime.fromisoformat(found[name]) for name in TIMES}
    if suffix == ".xlsx":  # which has no time zones
        times = {name: time and time.replace(tzinfo=None) for name, time in times.items()}
    return found | times | {"path": row.path}


NEEDS_MORE = {with_duckdb: (".sqlite", ".xlsx"), with_polars: (".xlsx",)}
"""What a tool reads only with something that it downloads, or that is not installed."""


@pytest.mark.parametrize(
    ("read", "suffix"),
    [
        (read, suffix)
        for read in (with_pandas, with_duckdb, with_polars)
        for suffix in (".csv", ".jsonl", ".parquet", ".sqlite", ".xlsx")
        if read is with_pandas or suffix not in NEEDS_MORE[read]
    ],
    ids=lambda one: one if isinstance(one, str) else one.__name__,
)
def test_a_tool_reads_what_was_written(read: Read, suffix: str, tmp_path: Path) -> None:
    assert suffix in OUTPUTS

    found = read(write(tmp_path / f"results{suffix}", *ROWS, schema=SCHEMA))

    assert [{name: plain(value) for name, value in row.items()} for row in found] == [expected(row, suffix) for row in ROWS]
