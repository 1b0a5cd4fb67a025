"""Measures all candidates round after round, so that a busy moment of the machine affects all of them."""

import json
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from edgeclf.benchmarks.bench.candidates import Candidate
from edgeclf.benchmarks.bench.measurement import FirstPrediction, Measurement, Task
from edgeclf.benchmarks.bench.report import ColdStart
from edgeclf.benchmarks.interleaving import interleaved_rounds
from edgeclf.runtime.errors import DeviceError, EdgeclfError, ExitCode, ModelError
from edgeclf.runtime.terminal.child import child_command
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.progress import Progress

_TIMEOUT_S = 600
"""What a process may take in addition to the measured time, so that an engine that hangs does not hang the benchmark."""
_PHASES = 3
"""A process measures for its `seconds` at most this many times."""


@dataclass(frozen=True)
class RoundResult:
    """One candidate in one round."""

    cold_start: ColdStart
    measurement: Measurement


def measure_rounds(
    candidates: Sequence[Candidate],
    images: Sequence[str],
    rounds: int,
    seconds: float,
    *,
    end_to_end: bool,
    cards: Mapping[Path, str] | None = None,
) -> tuple[dict[Candidate, list[RoundResult]], list[str]]:
    """Measure every candidate once per round. Returns their results, and a sentence for each candidate that failed.

    cards: of models that carry none, as JSON. A candidate that fails, for example because its batch does not fit into
    memory, is left out of further rounds. Raises DeviceError for a device that is not there, and the last candidate's
    EdgeclfError if all of them fail.
    """
    measured: dict[Candidate, list[RoundResult]] = {candidate: [] for candidate in candidates}
    failed: dict[Candidate, EdgeclfError] = {}
    with Progress("measuring", rounds * len(candidates), "measurement", every_s=30) as progress:
        for candidate in chain.from_iterable(interleaved_rounds(candidates, rounds)):
            progress.advance(0, str(candidate))
            if candidate in measured:
                before = measured[candidate]
                batch = before[0].measurement.batch if before else candidate.batch  # chosen once, then kept
                task = Task(
                    **replace(candidate, batch=batch).to_json(),
                    end_to_end=end_to_end,
                    seconds=seconds,
                    images=tuple(images),
                    card=(cards or {}).get(candidate.model),
                )
                try:
                    before.append(_measure(task))
                except DeviceError:
                    raise
                except EdgeclfError as error:
                    failed[candidate] = error
                    del measured[candidate]
                    note(f"left out: {candidate}: {error}")
            progress.advance()
    if not measured:
        raise next(reversed(failed.values()))
    return measured, [f"left out: {candidate}: {error}" for candidate, error in failed.items()]


def measure_cold_start(module: str, *arguments: str) -> ColdStart:
    """Run a module until its first line, which is a `FirstPrediction` as JSON, then end it. Raises EdgeclfError."""
    with _ChildProcess(module, *arguments) as child:
        return child.read_cold_start()


def _measure(task: Task) -> RoundResult:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "task.json"
        path.write_text(json.dumps(asdict(task)), "utf-8")
        with _ChildProcess("edgeclf.benchmarks.bench.measurement", str(path), busy_s=_PHASES * task.seconds) as child:
            return RoundResult(child.read_cold_start(), _as_measurement(child.read_line()))


def _as_measurement(fields: Mapping[str, Any]) -> Measurement:
    return Measurement(**{**fields, "run_ms": tuple(fields["run_ms"])})


class _ChildProcess:
    """A process that writes lines of JSON; it is killed when the block ends."""

    def __init__(self, module: str, *arguments: str, busy_s: float = 0.0) -> None:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the process)
        self._started = time.perf_counter()
        self._process = subprocess.Popen(
            child_command(module, *arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._stderr
        )
        self._timeout = threading.Timer(_TIMEOUT_S + busy_s, self._process.kill)
        self._timeout.start()

    def __enter__(self) -> "_ChildProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self._timeout.cancel()
        self._process.kill()
        self._process.communicate()
        self._stderr.close()

    def read_cold_start(self) -> ColdStart:
        """Raises DeviceError or ModelError for an error that the process reports, EdgeclfError if it ends without one."""
        fields = self.read_line()
        seconds = time.perf_counter() - self._started
        first = FirstPrediction(**fields)
        return ColdStart(seconds, first.cpu_seconds, first.memory_bytes)

    def read_line(self) -> dict[str, Any]:
        """The next line. Raises the same errors."""
        assert self._process.stdout is not None
        try:
            fields: dict[str, Any] = json.loads(self._process.stdout.readline())
        except ValueError:  # nothing, or half a line
            raise EdgeclfError(f"a benchmark process has ended ({self._exit_reason()}); run it again") from None
        if "error" in fields:
            raise (DeviceError if fields["exit_code"] == ExitCode.DEVICE_UNAVAILABLE else ModelError)(fields["error"])
        return fields

    def _exit_reason(self) -> str:
        status = self._process.wait()
        if not self._timeout.is_alive():
            return "stopped after minutes without an answer"
        if status < 0:
            return f"by signal {-status}"
        self._stderr.seek(0)
        lines = self._stderr.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1][:200] if lines else f"status {status}"
