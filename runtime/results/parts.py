"""A folder of Parquet parts: many machines write at once, one file for each portion of images.

A part is written as a whole or not at all. Its name stays the same when its portion is tried again, so its rows exist once.
Parts sort in the order of the runs that wrote them: if an image has two rows, the later one is valid.
"""

import io
import json
import re
import secrets
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from edgeclf.runtime.errors import OutputError, first_line
from edgeclf.runtime.results.columns import Schema
from edgeclf.runtime.results.fingerprint import Fingerprint, check_fingerprint
from edgeclf.runtime.results.index import Index, image_key
from edgeclf.runtime.results.parquet_sink import arrow_schema, to_table
from edgeclf.runtime.results.row import Row
from edgeclf.runtime.results.summary import Summary
from edgeclf.runtime.storage.object_store import Store

HEADER = "_clf-run.json"
"""Says what the parts were made with. Readers of a folder ignore names that begin with an underscore."""
VERSION_KEY, VERSION = "edgeclf_parts", 3
_PART = re.compile(r"part-(\d{4,})-[0-9a-f]{8}-\d{6,}\.parquet")
WITH_TIMES = Schema(ray=True)
"""The least columns that parts need."""
_AT_ONCE = 32
"""Parts read at the same time: an object store takes some 50 ms to start each."""


@dataclass(frozen=True)
class Parts:
    """The parts below one URI or local folder. schema: of their rows."""

    store: Store
    schema: Schema = WITH_TIMES

    def check(self, fingerprint: Fingerprint) -> None:
        """Raise OutputError if the parts were made with something else, or cannot be read. Writes nothing."""
        header = self.store.read_if_exists(HEADER)
        if header is not None or self.names():
            check_fingerprint(self._read_header(header), fingerprint, self.store.uri, sources_moved=False)

    def begin(self, fingerprint: Fingerprint, *, restart: bool) -> str:
        """Start a run and return how its parts' names begin. `restart` removes existing parts. Raises OutputError."""
        names = self.names()
        if restart:
            for name in names:
                self.store.remove(name)
            self.store.remove(HEADER)
        self.check(fingerprint)
        self.store.write(HEADER, json.dumps({VERSION_KEY: VERSION, "fingerprint": fingerprint}, indent=1).encode())
        return f"part-{max(map(_run_of, names), default=0) + 1:04}-{secrets.token_hex(4)}"

    def names(self) -> list[str]:
        """The names of all parts, the oldest first."""
        names = [file.path for file in self.store.files(recursive=False) if _PART.fullmatch(file.path)]
        return sorted(names, key=lambda name: (_run_of(name), name))

    def write(self, run_prefix: str, number: int, rows: Sequence[Row]) -> None:
        """Write or replace the part with this number. run_prefix: from `begin`. Raises OutputError."""
        self._write(f"{run_prefix}-{number:06}.parquet", to_table(rows, self.schema))

    def index(self, names: Sequence[str] | None = None, *, retry_failed: bool = False) -> Index:
        """Which images have rows, by their paths. names: the parts to read, by default all. Raises OutputError."""
        index = Index(retry_failed)
        names = self.names() if names is None else names
        for _, table in self._read(names, "path", "size_bytes", "mtime_ns", "status"):
            paths, failed = table["path"].to_pylist(), pc.equal(table["status"], "error").to_pylist()
            sizes, times = _or_unknown(table["size_bytes"]), _or_unknown(table["mtime_ns"])
            for path, size_bytes, mtime_ns, has_failed in zip(paths, sizes, times, failed, strict=True):
                index.add(0, path, size_bytes, mtime_ns, failed=has_failed)
        return index

    def drop_outdated(self) -> None:
        """Keep only the last row of every image. Raises OutputError."""
        names = self.names()  # listed once, because lines are numbered through all parts
        index = self.index(names)
        if not index.has_outdated_lines:
            return
        line = 0
        for name, table in self._read(names, "path"):
            valid = [index.is_valid(image_key(0, path), line + at) for at, path in enumerate(table["path"].to_pylist())]
            line += len(valid)
            if not any(valid):
                self.store.remove(name)
            elif not all(valid):
                self._write(name, self._table(name, arrow_schema(self.schema).names).filter(pa.array(valid)))

    def count(self) -> Summary:
        """Count all rows. Raises OutputError."""
        summary = Summary()
        for _, table in self._read(self.names(), "status", "label", "error"):
            counts = table.group_by(["status", "label", "error"]).aggregate([([], "count_all")])
            for one in counts.to_pylist():
                summary.count(one["status"], one["label"], one["error"], one["count_all"])
        return summary

    def _read_header(self, text: bytes | None) -> Fingerprint:
        try:
            header = json.loads(text or b"{}")
        except ValueError:
            header = {}
        if not isinstance(header, dict) or header.get(VERSION_KEY) != VERSION:
            raise OutputError(
                f"{self.store.uri} holds parts, but no {HEADER} of this version of clf-run; choose another -o, or --restart"
            )
        made_with: Fingerprint = header.get("fingerprint") or {}
        return made_with

    def _read(self, names: Sequence[str], *columns: str) -> Iterator[tuple[str, pa.Table]]:
        """Each name, with these columns of the part."""
        with ThreadPoolExecutor(_AT_ONCE) as executor:
            for start in range(0, len(names), _AT_ONCE):  # all at once would hold all of them in memory
                some = names[start : start + _AT_ONCE]
                yield from zip(some, executor.map(lambda name: self._table(name, columns), some), strict=True)

    def _table(self, name: str, columns: Sequence[str]) -> pa.Table:
        data = self.store.read(name)
        try:
            return pq.read_table(io.BytesIO(data), columns=list(columns))
        except (pa.ArrowException, OSError) as error:
            raise OutputError(
                f"{self.store.uri}/{name} is damaged ({first_line(error)}); remove it, and its images are classified again"
            ) from None

    def _write(self, name: str, table: pa.Table) -> None:
        data = io.BytesIO()
        pq.write_table(table, data)
        self.store.write(name, data.getvalue())


def _or_unknown(column: pa.ChunkedArray) -> list[int]:
    """Sizes or times as in Frame: -1 for null."""
    return list(column.fill_null(-1).to_pylist())


def _run_of(name: str) -> int:
    """The number of the run that wrote a part."""
    return int(name.split("-")[1])
