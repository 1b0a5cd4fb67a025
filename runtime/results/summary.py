"""What a run amounts to: counts by class, failures by reason, the rate."""

from collections import Counter
from typing import Any

from edgeclf.runtime.console import note, stderr_console
from edgeclf.runtime.escaping import escape
from edgeclf.runtime.model.prediction import Failure, Outcome


class Summary:
    """Counts outcomes as they pass. `setting` says what ran them, for the last line."""

    def __init__(self, setting: str) -> None:
        self.setting = setting
        self.labels: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.skipped = 0
        self.elapsed_s = 0.0

    def add(self, outcome: Outcome) -> None:
        if isinstance(outcome.result, Failure):
            self.failures[outcome.result.reason] += 1
        else:
            self.labels[outcome.result.label] += 1

    def finish(self, elapsed_s: float, skipped: int) -> None:
        """The time it took, and how many files were passed over because they are no pictures."""
        self.elapsed_s = elapsed_s
        self.skipped = skipped

    @property
    def total(self) -> int:
        return self.labels.total() + self.failures.total()

    @property
    def rate(self) -> float:
        """Pictures a second, failures included."""
        return self.total / max(self.elapsed_s, 1e-9)

    def to_json(self) -> dict[str, Any]:
        """Plain values for `--summary`."""
        return {
            "pictures": self.total,
            "labels": dict(self.labels),
            "failures": dict(self.failures),
            "skipped": self.skipped,
            "seconds": round(self.elapsed_s, 3),
            "pictures_per_second": round(self.rate, 1),
            "setting": self.setting,
        }

    def show(self) -> None:
        """A table for people, on stderr."""
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False)
        table.add_column("class")
        table.add_column("pictures", justify="right")
        table.add_column("share", justify="right")
        for label, count in self.labels.most_common():
            table.add_row(Text(escape(label)), f"{count:,}", f"{count / self.total:.1%}")
        for reason, count in self.failures.most_common():
            table.add_row(Text(f"error: {reason}", "red"), f"{count:,}", f"{count / self.total:.1%}")
        stderr_console().print(table)
        skipped = f"; {self.skipped:,} other files skipped" if self.skipped else ""
        note(f"{self.total:,} pictures in {self.elapsed_s:.1f} s, {self.rate:,.0f} pictures/s ({self.setting}){skipped}")
