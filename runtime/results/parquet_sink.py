"""Rows as a Parquet file, for DuckDB, pandas, Polars and Spark."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from edgeclf.runtime.results.columns import PLAIN, TIMES, Column, EmbeddingSchema, Kind, Schema
from edgeclf.runtime.results.row import SCHEMA_VERSION, Row
from edgeclf.runtime.results.utf8 import as_utf8

SCHEMA_KEY = "edgeclf.schema"
GROUP_ROWS = 50_000
"""Rows in a row group, without embeddings; all of them are held in memory."""
_GROUP_BYTES = 32 << 20
"""The most that the embeddings in a row group take."""

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
    fields = [(as_utf8(column.name), _type(column, schema)) for column in schema.columns("parquet")]
    return pa.schema(fields, metadata={SCHEMA_KEY: str(SCHEMA_VERSION)})


def to_table(rows: Sequence[Row], schema: Schema = PLAIN) -> pa.Table:
    """The rows in order: null for None; text that is not valid UTF-8 is escaped by `as_utf8`."""
    columns = schema.columns("parquet")
    values = zip(*map(schema.reader("parquet"), rows), strict=True) if rows else [()] * len(columns)
    arrays = [_array(cells, column, schema) for cells, column in zip(values, columns, strict=True)]
    return pa.Table.from_arrays(arrays, schema=arrow_schema(schema))


class ParquetWriter:
    """Writes rows as in `to_table`, one row group at a time."""

    def __init__(self, file: BinaryIO, schema: Schema = PLAIN) -> None:
        self._schema = schema
        self._parquet = pq.ParquetWriter(file, arrow_schema(schema))
        self._waiting: list[Row] = []
        self._group_rows = min(GROUP_ROWS, max(1, _GROUP_BYTES // (4 * schema.embedding or 1)))

    def write(self, row: Row) -> None:
        self._waiting.append(row)
        if len(self._waiting) == self._group_rows:
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
        return _is_ours(path, "path", "status")

    def _write_group(self) -> None:
        self._parquet.write_table(to_table(self._waiting, self._schema))
        self._waiting.clear()


class ParquetEmbeddings(ParquetWriter):
    """Paths and embeddings alone."""

    def __init__(self, file: BinaryIO, size: int, count: int) -> None:
        super().__init__(file, EmbeddingSchema(embedding=size))

    @staticmethod
    def wrote(path: Path) -> bool:
        """As in Format."""
        return _is_ours(path, "path", "embedding")


def _is_ours(path: Path, *columns: str) -> bool:
    """Whether the file is one of ours that begins with these columns."""
    try:
        found = pq.read_schema(path)
    except pa.ArrowException:
        return False
    return SCHEMA_KEY.encode() in (found.metadata or {}) and found.names[: len(columns)] == [*columns]


def _type(column: Column, schema: Schema) -> pa.DataType:
    return pa.list_(pa.float32(), schema.embedding) if column.kind == "vector" else _TYPES[column.kind]


def _array(cells: Sequence[Any], column: Column, schema: Schema) -> pa.Array:
    if column.kind == "vector":
        return _vectors(cells, schema.embedding)
    if column.kind in TIMES:
        cells = [datetime.fromisoformat(cell) if cell else None for cell in cells]
    elif column.kind in ("text", "category"):
        cells = list(map(as_utf8, cells))
    return pa.array(cells, _TYPES[column.kind])


def _vectors(cells: Sequence[bytes], size: int) -> pa.Array:
    """cells: little-endian float32 `[size]`, or empty for null."""
    numbers = np.frombuffer(b"".join(cell or bytes(4 * size) for cell in cells), "<f4")
    return pa.FixedSizeListArray.from_arrays(
        pa.array(numbers), size, mask=pa.array([not cell for cell in cells], pa.bool_())
    )
