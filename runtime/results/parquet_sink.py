"""Rows as a Parquet file, for DuckDB, pandas, Polars and Spark."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from edgeclf.runtime.results.columns import PLAIN, TIMES, Kind, Schema
from edgeclf.runtime.results.row import SCHEMA_VERSION, Row
from edgeclf.runtime.results.utf8 import as_utf8

SCHEMA_KEY = "edgeclf.schema"
GROUP_ROWS = 50_000
"""Rows in a row group; all of them are held in memory."""

_TYPES: dict[Kind, pa.DataType] = {
    "text": pa.string(),
    "category": pa.dictionary(pa.int32(), pa.string()),
    "number": pa.float64(),
    "whole number": pa.int64(),
    "time": pa.timestamp("ms", tz="UTC"),
    "local time": pa.timestamp("ms"),
}


def arrow_schema(schema: Schema) -> pa.Schema:
    """The columns with their types; the schema's version is in the key-value metadata, under SCHEMA_KEY."""
    fields = [(as_utf8(column.name), _TYPES[column.kind]) for column in schema.columns("parquet")]
    return pa.schema(fields, metadata={SCHEMA_KEY: str(SCHEMA_VERSION)})


def to_table(rows: Sequence[Row], schema: Schema = PLAIN) -> pa.Table:
    """The rows in order: null for None; text that is not valid UTF-8 is escaped by `as_utf8`."""
    columns = schema.columns("parquet")
    values = zip(*map(schema.reader("parquet"), rows), strict=True) if rows else [()] * len(columns)
    arrays = [_array(cells, column.kind) for cells, column in zip(values, columns, strict=True)]
    return pa.Table.from_arrays(arrays, schema=arrow_schema(schema))


class ParquetWriter:
    """Writes rows as in `to_table`, one row group at a time."""

    def __init__(self, file: BinaryIO, schema: Schema = PLAIN) -> None:
        self._schema = schema
        self._parquet = pq.ParquetWriter(file, arrow_schema(schema))
        self._waiting: list[Row] = []

    def write(self, row: Row) -> None:
        self._waiting.append(row)
        if len(self._waiting) == GROUP_ROWS:
            self._write_group()

    def flush(self) -> None:
        """Nothing: a row group is written when it is full, and an unfinished file cannot be read."""

    def finish(self) -> None:
        if self._waiting:
            self._write_group()
        self._parquet.close()

    def close(self) -> None:
        self._parquet.close()  # pyarrow would close it too, but at some later time

    @staticmethod
    def wrote(path: Path) -> bool:
        """As in Format."""
        try:
            return SCHEMA_KEY.encode() in (pq.read_schema(path).metadata or {})
        except pa.ArrowException:
            return False

    def _write_group(self) -> None:
        self._parquet.write_table(to_table(self._waiting, self._schema))
        self._waiting.clear()


def _array(cells: Sequence[Any], kind: Kind) -> pa.Array:
    if kind in TIMES:
        cells = [datetime.fromisoformat(cell) if cell else None for cell in cells]
    elif kind in ("text", "category"):
        cells = list(map(as_utf8, cells))
    return pa.array(cells, _TYPES[kind])
