"""Has anything become slower since an earlier run of the same command?"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgeclf.benchmarks.bench.intervals import median_interval
from edgeclf.benchmarks.bench.report import Row
from edgeclf.benchmarks.machine import Machine
from edgeclf.runtime.errors import OptionError


class Baseline:
    """The `bench.json` of an earlier run. Raises OptionError for any other file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            fields = json.loads(path.read_bytes())
            self._mode: str = fields["mode"]
            self._processor: str = fields["machine"]["processor"]
            self._images: str = fields["images"]
            self._rates = {_key(row): float(row["images_per_s"]) for row in fields["results"]}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise OptionError(f"--baseline {path} is no bench.json of clf-bench ({error}); make one with -o DIR") from None

    def check(self, end_to_end: bool) -> None:
        """Raise OptionError for a baseline that measured something else."""
        if (self._mode == "end to end") != end_to_end:
            raise OptionError(f"--baseline {self._path} measured {self._mode}; measure the same, or make another baseline")

    def regressions(self, rows: Sequence[Row], allowed: float) -> list[str]:
        """A sentence for each row whose rate has fallen by more than the share `allowed`, beyond what the rounds' spread
        explains. Raises OptionError when no row is in both.
        """
        known = [row for row in rows if row.key in self._rates]
        if not known:
            raise OptionError(f"--baseline {self._path} knows none of these models in these arrangements; make another")
        return [
            self._regression(row, allowed)
            for row in known
            if median_interval(row.rates).high < self._rates[row.key] * (1 - allowed)
        ]

    def notes(self, rows: Sequence[Row], machine: Machine, images: str) -> list[str]:
        """What to know about the comparison. images: what was read and answered, as `Report.images` says it."""
        found = []
        if images != self._images:
            found.append(f"{self._path} was measured on other images: {self._images}")
        if machine.processor != self._processor:
            found.append(f"{self._path} was measured on another processor ({self._processor})")
        if new := [row.name for row in rows if row.key not in self._rates]:
            found.append(f"{self._path} does not know {', '.join(dict.fromkeys(new))}")
        if gone := self._rates.keys() - {row.key for row in rows}:
            found.append(f"not measured this time: {', '.join(sorted({key[0] for key in gone}))} of {self._path}")
        return found

    def _regression(self, row: Row, allowed: float) -> str:
        before = self._rates[row.key]
        now = f"{row.rate:,.1f} images a second, {1 - row.rate / before:.0%} less than the {before:,.1f}"
        return f"{row.name} ({row.arrangement}) does {now} of {self._path}; the limit is {allowed:.0%}"


def _key(row: Mapping[str, Any]) -> tuple[str, str, int, int | None]:
    """As `Row.key`."""
    return row["name"], row["device"], row["threads"], None if row["auto_batch"] else row["batch"]
