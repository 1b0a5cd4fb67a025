"""Programs that run when a label appears. They run without a shell, at a limited rate, and never hold up the run."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.results.columns import PLAIN
from edgeclf.runtime.results.row import NO_LABEL, Row
from edgeclf.runtime.results.text_sinks import json_encoder
from edgeclf.runtime.spelling import advice
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.escaping import escape
from edgeclf.runtime.terminal.masking import mask

ANY = "*"
_TIMEOUT_S = 60.0
_CLOSE_S = 5.0
_to_json = json_encoder(PLAIN)


@dataclass(frozen=True, slots=True)
class Hook:
    """label: a class, `unsure`, `unknown`, or `*` for any of them. command: the program and its arguments."""

    label: str
    command: tuple[str, ...]


def parse_hook(text: str, classes: Sequence[str]) -> Hook:
    """Parse `LABEL:COMMAND`, with the command as on a command line. Raises OptionError for an unknown label or program.

    >>> parse_hook("defective:ls -l", ["functional", "defective"])
    Hook(label='defective', command=('ls', '-l'))
    """
    known = (*classes, *NO_LABEL, ANY)
    labels = [label for label in known if text.startswith(f"{label}:")]
    if not labels:
        raise OptionError(_no_label(text, known))
    label = max(labels, key=len)
    try:
        command = tuple(shlex.split(text[len(label) + 1 :], posix=os.name != "nt"))
    except ValueError as error:
        raise OptionError(f"--on-label {mask(text)!r} cannot be parsed as a command: {error}") from None
    if not command or shutil.which(command[0]) is None:
        name = command[0] if command else ""
        raise OptionError(f"--on-label {label}: there is no executable program {name!r}; give its path, and chmod +x it")
    return Hook(label, command)


def _no_label(text: str, labels: Sequence[str]) -> str:
    label, colon, _ = text.partition(":")
    if not colon:
        return f"--on-label takes LABEL:COMMAND, not {mask(text)!r}; write the command after the label and a colon"
    return f"--on-label: the model has no class {label!r}; {advice(label, labels)}"


class Hooks:
    """Runs a hook's program each time its label appears, at least `every_s` seconds after the last time.

    A program gets the answer in its environment: CLF_LABEL, CLF_CONFIDENCE, CLF_SOURCE, CLF_TIME, and the whole row as
    JSON in CLF_ROW. Its output goes to stderr. After a minute it is killed.
    """

    def __init__(
        self,
        hooks: Sequence[Hook],
        every_s: float = 10.0,
        *,
        report: Callable[[str], None] = note,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._now = now
        self._runners = [_HookRunner(hook, every_s, report) for hook in hooks]

    def update(self, source: str, row: Row) -> None:
        """Take the current answer of a source, whether it has changed or not."""
        for runner in self._runners:
            runner.update(source, row, self._now())

    def reap(self) -> None:
        """Kill programs that take too long and report those that failed. Call it regularly, also without answers."""
        for runner in self._runners:
            runner.reap(self._now())

    def close(self) -> None:
        """Give running programs a few seconds in all, then kill them."""
        deadline = time.monotonic() + _CLOSE_S
        try:
            for runner in self._runners:
                runner.wait(max(0.0, deadline - time.monotonic()))
        finally:
            for runner in self._runners:
                runner.reap(self._now())
                runner.kill()


class _HookRunner:
    """Runs one hook's program, one process at a time."""

    def __init__(self, hook: Hook, every_s: float, report: Callable[[str], None]) -> None:
        self._hook = hook
        self._every_s = every_s
        self._report = report
        self._states: dict[str, tuple[str, str]] = {}
        self._due: dict[str, bool] = {}
        self._started = float("-inf")
        self._process: subprocess.Popen[bytes] | None = None
        self._failed = False

    def update(self, source: str, row: Row, now: float) -> None:
        self.reap(now)
        state = (row.status, row.label)
        if state != self._states.get(source):
            self._states[source] = state
            self._due[source] = row.status != "error" and self._hook.label in (row.label or row.status, ANY)
        ready = self._process is None and now - self._started >= self._every_s
        if self._due[source] and ready:
            self._due[source] = False
            self._start(source, row, now)

    def reap(self, now: float) -> None:
        if self._process is None:
            return
        code = self._process.poll()
        if code is None and now - self._started > _TIMEOUT_S:
            self.kill()
            self._report_failure(f"took longer than {_TIMEOUT_S:.0f} s and was killed")
        elif code is not None:
            self._process = None
            if code:
                self._report_failure(f"ended with exit code {code}")
            else:
                self._failed = False

    def wait(self, timeout_s: float) -> None:
        if self._process:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout_s)

    def kill(self) -> None:
        """Kill the program and, where the system has process groups, everything that it started."""
        if self._process and self._process.poll() is None:
            with suppress(ProcessLookupError):
                if hasattr(os, "killpg"):
                    os.killpg(self._process.pid, signal.SIGKILL)
                else:
                    self._process.kill()
            self._process.wait()
        self._process = None

    def _start(self, source: str, row: Row, now: float) -> None:
        self._started = now
        try:
            self._process = subprocess.Popen(
                self._hook.command,
                env=os.environ | _variables(source, row),
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr,
                stderr=sys.stderr,
                start_new_session=True,  # for `kill`, and so that Ctrl-C reaches only the run itself
            )
        except OSError as error:
            self._report_failure(f"cannot be run: {error.strerror}")

    def _report_failure(self, what: str) -> None:
        """Report it once, until the program succeeds again."""
        if not self._failed:
            self._report(f"--on-label {self._hook.label}: {self._hook.command[0]} {what}")
        self._failed = True


def _variables(source: str, row: Row) -> dict[str, str]:
    """The environment variables that tell a program the answer."""
    texts = {
        "CLF_LABEL": row.label or row.status,
        "CLF_CONFIDENCE": "" if row.confidence is None else f"{row.confidence:.6f}",
        "CLF_SOURCE": source,
        "CLF_TIME": row.time,
    }
    return {name: escape(text) for name, text in texts.items()} | {"CLF_ROW": _to_json(row)}
