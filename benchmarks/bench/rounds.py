"""All contenders in turns, round after round, so that a busy moment of the machine meets all of them alike."""

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from edgeclf.benchmarks.bench.candidates import Contender
from edgeclf.benchmarks.bench.report import ColdStart
from edgeclf.benchmarks.bench.trial import Finding, FirstAnswer, Task
from edgeclf.benchmarks.turns import turns
from edgeclf.runtime.errors import DeviceError, EdgeclfError, ExitCode, ModelError
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.progress import Progress

_PATIENCE_S = 600
"""What a trial may take beside its measuring; an engine that hangs must not hang the benchmark."""
_PHASES = 3
"""Times that a trial measures for its `seconds`, at most."""


@dataclass(frozen=True)
class Trial:
    """One contender in one round."""

    cold_start: ColdStart
    finding: Finding


def measure(
    contenders: Sequence[Contender], images: Sequence[str], rounds: int, seconds: float, *, end_to_end: bool
) -> tuple[dict[Contender, list[Trial]], list[str]]:
    """Trials by contender, one a round; each round begins with another contender, so that none always follows the same one.

    A contender that cannot be measured, as when its batch does not fit, is left out; of each there is a sentence. Raises
    DeviceError for a device that was asked for and is not there, and EdgeclfError when nobody is left.
    """
    measured: dict[Contender, list[Trial]] = {contender: [] for contender in contenders}
    left_out: dict[Contender, EdgeclfError] = {}
    with Progress("measuring", rounds * len(contenders), "trials", every_s=30) as progress:
        for contender in chain.from_iterable(turns(contenders, rounds)):
            progress.advance(0, str(contender))
            if contender in measured:
                trials = measured[contender]
                batch = trials[0].finding.batch if trials else contender.batch  # found once, and then kept
                try:
                    trials.append(_try(replace(contender, batch=batch), images, seconds, end_to_end=end_to_end))
                except DeviceError:
                    raise
                except EdgeclfError as error:
                    left_out[contender] = error
                    del measured[contender]
                    note(f"left out: {contender}: {error}")
            progress.advance()
    if not measured:
        raise next(reversed(left_out.values()))
    return measured, [f"left out: {contender}: {error}" for contender, error in left_out.items()]


def start_cold(module: str, *arguments: str) -> ColdStart:
    """Run a module until its first line, a `FirstAnswer` as JSON, and then end it. Raises EdgeclfError."""
    with _Child(module, *arguments) as child:
        return child.first_answer()


def _try(contender: Contender, images: Sequence[str], seconds: float, *, end_to_end: bool) -> Trial:
    task = Task(**contender.to_json(), end_to_end=end_to_end, seconds=seconds, images=tuple(images))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "task.json"
        path.write_text(json.dumps(asdict(task)), "utf-8")
        with _Child("edgeclf.benchmarks.bench.trial", str(path), busy_s=_PHASES * seconds) as child:
            return Trial(child.first_answer(), _finding(child.line()))


def _finding(fields: Mapping[str, Any]) -> Finding:
    return Finding(**{**fields, "run_ms": tuple(fields["run_ms"])})


class _Child:
    """A process that answers in lines of JSON; it is gone when the block ends."""

    def __init__(self, module: str, *arguments: str, busy_s: float = 0.0) -> None:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 (as long as the process)
        self._started = time.perf_counter()
        line = [sys.executable, "-P", "-m", module, *arguments]  # -P: not the modules of whatever folder this is run in
        self._process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._stderr)
        self._alarm = threading.Timer(_PATIENCE_S + busy_s, self._process.kill)
        self._alarm.start()

    def __enter__(self) -> "_Child":
        return self

    def __exit__(self, *_: object) -> None:
        self._alarm.cancel()
        self._process.kill()
        self._process.communicate()
        self._stderr.close()

    def first_answer(self) -> ColdStart:
        """Raises DeviceError or ModelError for what the process says went wrong, EdgeclfError when it says nothing."""
        fields = self.line()
        seconds = time.perf_counter() - self._started
        answer = FirstAnswer(**fields)
        return ColdStart(seconds, answer.cpu_seconds, answer.memory_bytes)

    def line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        try:
            fields: dict[str, Any] = json.loads(self._process.stdout.readline())
        except ValueError:  # nothing, or half a line
            raise EdgeclfError(f"a process of the benchmark has ended ({self._last_words()}); run it again") from None
        if "error" in fields:
            raise (DeviceError if fields["exit_code"] == ExitCode.DEVICE_UNAVAILABLE else ModelError)(fields["error"])
        return fields

    def _last_words(self) -> str:
        status = self._process.wait()
        if not self._alarm.is_alive():
            return "stopped, because it has not answered for minutes"
        if status < 0:
            return f"by signal {-status}"
        self._stderr.seek(0)
        lines = self._stderr.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1][:200] if lines else f"status {status}"
