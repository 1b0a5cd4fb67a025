"""Has anything become slower since an earlier run of the same command?"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgeclf.benchmarks.bench.intervals import median_interval
from edgeclf.benchmarks.bench.report import BenchResult
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
            self._rates = {_key(result): float(result["images_per_s"]) for result in fields["results"]}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise OptionError(
                f"--baseline {path} is not a bench.json of clf-bench ({error}); make one with -o DIR"
            ) from None

    def require_mode(self, end_to_end: bool) -> None:
        """Raise OptionError for a baseline that was measured in the other mode."""
        if (self._mode == "end to end") != end_to_end:
            raise OptionError(
                f"--baseline {self._path} was measured {self._mode}; use the same mode, or make a new baseline"
            )

    def regressions(self, results: Sequence[BenchResult], allowed: float) -> list[str]:
        """A sentence for each result whose rate fell by more than the share `allowed`, and by more than the spread of the
        rounds explains. Raises OptionError when the baseline has none of the results.
        """
        known = [result for result in results if result.key in self._rates]
        if not known:
            raise OptionError(f"--baseline {self._path} has none of these models in these configurations; make a new one")
        return [
            self._regression(result, allowed)
            for result in known
            if median_interval(result.rates).high < self._rates[result.key] * (1 - allowed)
        ]

    def notes(self, results: Sequence[BenchResult], machine: Machine, images: str) -> list[str]:
        """What makes the two runs hard to compare. images: `Report.images`."""
        found = []
        if images != self._images:
            found.append(f"{self._path} was measured on other images: {self._images}")
        if machine.processor != self._processor:
            found.append(f"{self._path} was measured on another processor ({self._processor})")
        if new := [result.name for result in results if result.key not in self._rates]:
            found.append(f"not in {self._path}: {', '.join(dict.fromkeys(new))}")
        if missing := self._rates.keys() - {result.key for result in results}:
            found.append(f"in {self._path}, but not measured now: {', '.join(sorted({key[0] for key in missing}))}")
        return found

    def _regression(self, result: BenchResult, allowed: float) -> str:
        before = self._rates[result.key]
        now = f"{result.rate:,.1f} images per second, {1 - result.rate / before:.0%} less than the {before:,.1f}"
        return f"{result.name} ({result.configuration}) runs at {now} in {self._path}; the limit is {allowed:.0%}"


def _key(result: Mapping[str, Any]) -> tuple[str, str, int, int | None]:
    """The same as `BenchResult.key`."""
    return result["name"], result["device"], result["threads"], None if result["auto_batch"] else result["batch"]
