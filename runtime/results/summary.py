"""The summary of a run: counts by class, failures by reason, the rate."""

from collections import Counter
from typing import Any

from edgeclf.runtime.errors import EdgeclfError
from edgeclf.runtime.results.row import SCHEMA_VERSION, UNKNOWN, UNSURE, Row
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.plural import per_second, plural
from edgeclf.runtime.terminal.tables import Cell, Column, show_table


class Summary:
    """Counts rows, including those of earlier runs.

    setting: the engine, device and workers. classified_now, elapsed_s: images classified in this run, and its seconds.
    skipped: files passed over because they are not images. signal: what ended a run that never ends by itself.
    failure: what ended it early.
    """

    def __init__(self, setting: str = "") -> None:
        self.setting = setting
        self.labels: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.unsure = self.unknown = 0
        self.classified_now = 0
        self.skipped = 0
        self.elapsed_s = 0.0
        self.signal: int | None = None
        self.failure: EdgeclfError | None = None

    def add(self, row: Row) -> None:
        """Count one row."""
        self.count(row.status, row.label, row.error, 1)

    def count(self, status: str, label: str, error: str, number: int) -> None:
        """Count a number of rows that are equal in these columns."""
        if status == "error":
            self.failures[error] += number
        elif status == UNSURE:
            self.unsure += number
        elif status == UNKNOWN:
            self.unknown += number
        else:
            self.labels[label] += number

    def update(self, other: "Summary") -> None:
        """Add the counts of another summary."""
        self.labels.update(other.labels)
        self.failures.update(other.failures)
        self.unsure += other.unsure
        self.unknown += other.unknown

    @property
    def total(self) -> int:
        return self.labels.total() + self.unsure + self.unknown + self.failures.total()

    @property
    def answered(self) -> int:
        """Rows that are no failures."""
        return self.total - self.failures.total()

    @property
    def rate(self) -> float:
        """Images per second in this run, including failures."""
        return self.classified_now / max(self.elapsed_s, 1e-9)

    def to_json(self) -> dict[str, Any]:
        """Plain values for `--summary`."""
        return {
            "schema": SCHEMA_VERSION,
            "images": self.total,
            "labels": dict(self.labels),
            "unsure": self.unsure,
            "unknown": self.unknown,
            "failures": dict(self.failures),
            "skipped": self.skipped,
            "classified_now": self.classified_now,
            "seconds": round(self.elapsed_s, 3),
            "images_per_second": round(self.rate, 1),
            "setting": self.setting,
        }

    def show(self) -> None:
        """Print a table on stderr."""
        columns = (Column("class", "left"), Column("images"), Column("share"))
        show_table(columns, [(name, f"{count:,}", f"{count / self.total:.1%}") for name, count in self._counts()])
        skipped = f"; {plural(self.skipped, 'other file')} skipped" if self.skipped else ""
        note(f"{plural(self.total, 'image')}{self._speed()}{skipped}")

    def _counts(self) -> list[tuple[Cell, int]]:
        """Name and count of each line of the table."""
        labels = [(Cell(label), count) for label, count in self.labels.most_common()]
        doubtful = ((UNSURE, self.unsure), (UNKNOWN, self.unknown))
        others = [(Cell(f"({status})", "yellow"), count) for status, count in doubtful if count]
        return labels + others + [(Cell(f"error: {reason}", "red"), count) for reason, count in self.failures.most_common()]

    def _speed(self) -> str:
        if not self.classified_now:
            return ", all of them from earlier runs" if self.total else ""
        now = f", {self.classified_now:,} of them in this run," if self.classified_now != self.total else ""
        return f"{now} in {self.elapsed_s:.1f} s, {per_second(self.rate, 'image')} ({self.setting})"
