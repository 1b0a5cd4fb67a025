"""A folder of Parquet parts: what many machines write at once, a file for each portion of images.

A part is written whole or not at all, and under the same name however often its portion is tried, so that its rows are there
once. Parts sort in the order of the runs that wrote them: of two rows for one image, the later one counts.
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
from edgeclf.runtime.results.fingerprint import Fingerprint, check_fingerprint
from edgeclf.runtime.results.index import Index, key_of
from edgeclf.runtime.results.parquet_sink import SCHEMA, to_table
from edgeclf.runtime.results.row import Row
from edgeclf.runtime.results.summary import Summary
from edgeclf.runtime.storage.object_store import Store

HEADER = "_clf-run.json"
"""What the parts were made with. Readers of folders pass over names that begin so."""
VERSION_KEY, VERSION = "edgeclf_parts", 1
_PART = re.compile(r"part-(\d{4,})-[0-9a-f]{8}-\d{6,}\.parquet")
_AT_ONCE = 32
"""Parts that are read at the same time: an object store takes some 50 ms to begin with each."""


@dataclass(frozen=True)
class Parts:
    """The parts below one URI or local folder."""

    store: Store

    def check(self, fingerprint: Fingerprint) -> None:
        """Raise OutputError where the parts are of something else, or where nobody can read them. Writes nothing."""
        header = self.store.read_if_there(HEADER)
        if header is not None or self.names():
            check_fingerprint(self._made_with(header), fingerprint, self.store.uri, elsewhere=False)

    def begin(self, fingerprint: Fingerprint, *, restart: bool) -> str:
        """What the names of a new run's parts begin with; `restart` removes those that are there. Raises OutputError."""
        names = self.names()
        if restart:
            for name in names:
                self.store.remove(name)
            self.store.remove(HEADER)
        self.check(fingerprint)
        self.store.write(HEADER, json.dumps({VERSION_KEY: VERSION, "fingerprint": fingerprint}, indent=1).encode())
        return f"part-{max(map(_run_of, names), default=0) + 1:04}-{secrets.token_hex(4)}"

    def names(self) -> list[str]:
        """Of all parts, the oldest first."""
        names = [file.path for file in self.store.files(in_depth=False) if _PART.fullmatch(file.path)]
        return sorted(names, key=lambda name: (_run_of(name), name))

    def write(self, run: str, number: int, rows: Sequence[Row]) -> None:
        """Write a run's part of this number, in the place of one that is there. Raises OutputError."""
        self._write(f"{run}-{number:06}.parquet", to_table(rows))

    def index(self, names: Sequence[str] | None = None, *, retry_failed: bool = False) -> Index:
        """Which images have rows, by the paths in these. names: of the parts, by default of all. Raises OutputError."""
        index = Index(retry_failed)
        names = self.names() if names is None else names
        for _, table in self._read(names, "path", "size_bytes", "mtime_ns", "status"):
            failed = pc.equal(table["status"], "error").to_pylist()
            files = zip(
                table["path"].to_pylist(), _known(table["size_bytes"]), _known(table["mtime_ns"]), failed, strict=True
            )
            for path, size_bytes, mtime_ns, has_failed in files:
                index.add(0, path, size_bytes, mtime_ns, failed=has_failed)
        return index

    def drop_repeated(self) -> None:
        """Leave every image the last of its rows. Raises OutputError."""
        names = self.names()  # once: lines are counted through all of them
        index = self.index(names)
        line = 0
        for name, table in self._read(names, *SCHEMA.names) if index.repeated else ():
            counts = [index.counts(key_of(0, path), line + at) for at, path in enumerate(table["path"].to_pylist())]
            line += len(counts)
            if not any(counts):
                self.store.remove(name)
            elif not all(counts):
                self._write(name, table.filter(pa.array(counts)))

    def count(self) -> Summary:
        """What all rows amount to. Raises OutputError."""
        summary = Summary()
        for _, table in self._read(self.names(), "status", "label", "error"):
            counts = table.group_by(["status", "label", "error"]).aggregate([([], "count_all")])
            for one in counts.to_pylist():
                summary.count(one["status"], one["label"], one["error"], one["count_all"])
        return summary

    def _made_with(self, text: bytes | None) -> Fingerprint:
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
        """Each part and those columns of it."""
        with ThreadPoolExecutor(_AT_ONCE) as executor:
            for start in range(0, len(names), _AT_ONCE):  # all at once would be all of them in memory
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


def _known(column: pa.ChunkedArray) -> list[int]:
    """As Frame has it: -1 where nothing is known."""
    return list(column.fill_null(-1).to_pylist())


def _run_of(name: str) -> int:
    """The number of the run that wrote a part."""
    return int(name.split("-")[1])
