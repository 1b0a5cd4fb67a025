"""All answers in the order of the page, in a temporary database: memory stays the same for any number of rows."""

import json
import sqlite3
import threading
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from edgeclf.runtime.review.answers import STATUSES, Answer

_INSERT_ROWS = 1_000
_COLUMNS = "path, status, label, confidence, truth, sorted_to, rest"
_BY_ARRIVAL = f"CREATE TABLE arrived (path BLOB PRIMARY KEY, {_COLUMNS.removeprefix('path, ')}) WITHOUT ROWID"
_IN_ORDER = f"""
CREATE TABLE answers AS
SELECT row_number() OVER (ORDER BY status, iif(status = 0, label, NULL), confidence, path) - 1 AS number,
    row_number() OVER (ORDER BY path) - 1 AS path_rank, {_COLUMNS}
FROM arrived
"""


class AnswerIndex:
    """Answers by their number in the order of the page, from 0.

    The order: by class, those without a label (unsure, unknown) and those without an answer behind them; in each group the
    least confident first. If a path occurs again, its last answer counts. Safe to use from several threads.
    """

    def __init__(self, answers: Iterable[Answer]) -> None:
        self._folder = TemporaryDirectory(prefix="edgeclf-")
        self._lock = threading.Lock()
        self._database = sqlite3.connect(Path(self._folder.name) / "answers.db", check_same_thread=False)
        try:
            self._fill(answers)
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        return self._count

    @property
    def labels(self) -> list[str]:
        """All classes that an answer or a truth names, sorted."""
        return [*self._labels]

    def rows(self, start: int, stop: int) -> list[Answer]:
        """The answers from one number up to another."""
        select = f"SELECT {_COLUMNS} FROM answers WHERE number >= ? AND number < ? ORDER BY number"
        return [_to_answer(row) for row in self._query(select, start, stop)]

    def path_ranks(self, start: int, stop: int) -> list[int]:
        """The places that the answers from one number up to another have if all are ordered by path."""
        select = "SELECT path_rank FROM answers WHERE number >= ? AND number < ? ORDER BY number"
        return [rank for (rank,) in self._query(select, start, stop)]

    def has(self, path: str) -> bool:
        """Whether there is an answer for this path."""
        return bool(self._query("SELECT 1 FROM arrived WHERE path = ?", _bytes(path)))

    def some(self, count: int) -> list[Answer]:
        """At most `count` answers to images that could be read, spread over all of them."""
        known = "status < 3"
        total = int(self._query(f"SELECT count(*) FROM answers WHERE {known}")[0][0])
        step = max(1, total // count)
        select = f"SELECT {_COLUMNS} FROM answers WHERE {known} AND number % ? = 0 ORDER BY number LIMIT ?"
        return [_to_answer(row) for row in self._query(select, step, count)]

    def close(self) -> None:
        self._database.close()
        self._folder.cleanup()

    def _query(self, select: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._lock, closing(self._database.execute(select, values)) as cursor:
            return cursor.fetchall()

    def _fill(self, answers: Iterable[Answer]) -> None:
        database = self._database
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("PRAGMA synchronous = OFF")
        database.execute(_BY_ARRIVAL)
        with database:
            database.executemany("INSERT OR REPLACE INTO arrived VALUES (?, ?, ?, ?, ?, ?, ?)", map(_to_row, answers))
            database.execute(_IN_ORDER)
            database.execute("CREATE UNIQUE INDEX by_number ON answers (number)")
        self._count = int(self._query("SELECT count(*) FROM answers")[0][0])
        names = self._query("SELECT label FROM answers UNION SELECT truth FROM answers")
        self._labels = sorted(filter(None, (_text(name) for (name,) in names)))


def _to_row(answer: Answer) -> tuple[Any, ...]:
    return (
        _bytes(answer.path),
        STATUSES.index(answer.status),
        _bytes(answer.label),
        answer.confidence,
        _bytes(answer.truth),
        _bytes(answer.sorted_to),
        json.dumps([dict(answer.scores), dict(answer.facts)]),  # ASCII: bytes that are not UTF-8 stay as they are
    )


def _to_answer(row: tuple[Any, ...]) -> Answer:
    path, status, label, confidence, truth, sorted_to, rest = row
    scores, facts = json.loads(rest)
    return Answer(
        path=_text(path),
        status=STATUSES[status],
        label=_text(label),
        confidence=confidence,
        truth=_text(truth),
        scores=scores,
        sorted_to=_text(sorted_to),
        facts=facts,
    )


def _bytes(text: str) -> bytes:
    """SQLite takes no text that is not UTF-8."""
    return text.encode("utf-8", "surrogatepass")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")
