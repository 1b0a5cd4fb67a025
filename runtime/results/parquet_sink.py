"""Rows as a Parquet file, for DuckDB, pandas, Polars and Spark."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from edgeclf.runtime.results.row import COLUMNS, SCHEMA_VERSION, Row
from edgeclf.runtime.results.utf8 import as_utf8

SCHEMA_KEY = "edgeclf.schema"
GROUP_ROWS = 50_000
"""Rows in a row group; all of them are held in memory."""

_CATEGORY = pa.dictionary(pa.int32(), pa.string())
_TYPES = {
    "path": pa.string(),
    "status": _CATEGORY,
    "label": _CATEGORY,
    "confidence": pa.float64(),
    "top": pa.map_(pa.string(), pa.float64()),
    "error": _CATEGORY,
    "detail": pa.string(),
    "width": pa.int32(),
    "height": pa.int32(),
    "sorted_to": pa.string(),
    "model": _CATEGORY,
    "time": pa.timestamp("ms", tz="UTC"),
    "position_s": pa.float64(),
    "age_ms": pa.float64(),
    "size_bytes": pa.int64(),
    "mtime_ns": pa.int64(),
}
SCHEMA = pa.schema([(name, _TYPES[name]) for name in COLUMNS], metadata={SCHEMA_KEY: str(SCHEMA_VERSION)})
"""The schema of every such file; its version is in the key-value metadata, under SCHEMA_KEY."""


def to_table(rows: Sequence[Row]) -> pa.Table:
    """The rows in order, with SCHEMA: null for None; text that is not valid UTF-8 is escaped by `as_utf8`."""
    columns = [pa.array([_value(row, name) for row in rows], _TYPES[name]) for name in COLUMNS]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


class ParquetWriter:
    """Writes rows as in `to_table`, one row group at a time."""

    def __init__(self, file: BinaryIO) -> None:
        self._parquet = pq.ParquetWriter(file, SCHEMA)
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
        self._parquet.write_table(to_table(self._waiting))
        self._waiting.clear()


def _value(row: Row, name: str) -> Any:
    value = getattr(row, name)
    if name == "time":
        return datetime.fromisoformat(value) if value else None
    if name == "top":
        return [(as_utf8(label), score) for label, score in value.items()]
    return as_utf8(value) if isinstance(value, str) else value
