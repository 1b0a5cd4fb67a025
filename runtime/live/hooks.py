"""Programs that are run when a label comes up: never through a shell, never more often than asked for, never waited for."""

import json
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
from edgeclf.runtime.results.row import UNSURE, Row
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.escaping import escape

ANY = "*"
_LONGEST_S = 60.0
_LAST_S = 5.0


@dataclass(frozen=True, slots=True)
class Hook:
    """label: a class, `unsure`, or `*` for any of them. command: the program and its arguments."""

    label: str
    command: tuple[str, ...]


def parse_hook(text: str, classes: Sequence[str]) -> Hook:
    """`LABEL:COMMAND`, the command as on a command line. Raises OptionError for an unknown label or program.

    >>> parse_hook("defective:ls -l", ["functional", "defective"])
    Hook(label='defective', command=('ls', '-l'))
    """
    labels = [label for label in (*classes, UNSURE, ANY) if text.startswith(f"{label}:")]
    if not labels:
        known = ", ".join(map(escape, [*classes, UNSURE]))
        raise OptionError(f"--on-label {escape(text)!r} begins with no label and a colon; labels are {known}, and * for all")
    label = max(labels, key=len)
    try:
        command = tuple(shlex.split(text[len(label) + 1 :], posix=os.name != "nt"))
    except ValueError as error:
        raise OptionError(f"--on-label {text!r} cannot be read as a command: {error}") from None
    if not command or shutil.which(command[0]) is None:
        name = command[0] if command else ""
        raise OptionError(
            f"--on-label {label}: there is no program {name!r} that may be run; give its path, and chmod +x it"
        )
    return Hook(label, command)


class Hooks:
    """Runs each hook once for every time that its label comes up, after at least `every_s` seconds of rest.

    A program finds the answer in its environment: CLF_LABEL, CLF_CONFIDENCE, CLF_SOURCE, CLF_TIME, and the whole row as
    JSON in CLF_ROW. What it prints goes to stderr. It is stopped when it takes longer than a minute.
    """

    def __init__(
        self,
        hooks: Sequence[Hook],
        every_s: float = 10.0,
        *,
        report: Callable[[str], None] = note,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._report = report
        self._now = now
        self._watched = [_Watched(hook, every_s, report) for hook in hooks]

    def tell(self, source: str, row: Row) -> None:
        """The present answer of a source, whether it is new or not."""
        for watched in self._watched:
            watched.tell(source, row, self._now())

    def look_after(self) -> None:
        """Stop what takes too long, report what failed. To be called now and then, also where there is nothing to tell."""
        for watched in self._watched:
            watched.look_after(self._now())

    def close(self) -> None:
        """Give those that still run a few seconds, all together, then stop them."""
        until = time.monotonic() + _LAST_S
        try:
            for watched in self._watched:
                watched.wait(max(0.0, until - time.monotonic()))
        finally:
            for watched in self._watched:
                watched.look_after(self._now())
                watched.stop()


class _Watched:
    def __init__(self, hook: Hook, every_s: float, report: Callable[[str], None]) -> None:
        self._hook = hook
        self._every_s = every_s
        self._report = report
        self._states: dict[str, tuple[str, str]] = {}
        self._due: dict[str, bool] = {}
        self._started = float("-inf")
        self._process: subprocess.Popen[bytes] | None = None
        self._failed = False

    def tell(self, source: str, row: Row, now: float) -> None:
        self.look_after(now)
        state = (row.status, row.label)
        if state != self._states.get(source):
            self._states[source] = state
            self._due[source] = row.status != "error" and self._hook.label in (row.label or row.status, ANY)
        rested = now - self._started >= self._every_s and self._process is None
        if self._due[source] and rested:
            self._due[source] = False
            self._start(source, row, now)

    def look_after(self, now: float) -> None:
        if self._process is None:
            return
        code = self._process.poll()
        if code is None and now - self._started > _LONGEST_S:
            self.stop()
            self._complain(f"took longer than {_LONGEST_S:.0f} s and was stopped")
        elif code is not None:
            self._process = None
            if code:
                self._complain(f"ended with exit code {code}")
            else:
                self._failed = False

    def wait(self, most_s: float) -> None:
        if self._process:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(most_s)

    def stop(self) -> None:
        """Whatever it has started, too, where the system has process groups."""
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
        texts = {
            "CLF_LABEL": row.label or row.status,
            "CLF_CONFIDENCE": "" if row.confidence is None else f"{row.confidence:.6f}",
            "CLF_SOURCE": source,
            "CLF_TIME": row.time,
            "CLF_ROW": json.dumps(row.to_json()),
        }
        environment = os.environ | {name: escape(text) if name != "CLF_ROW" else text for name, text in texts.items()}
        try:
            self._process = subprocess.Popen(
                self._hook.command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr,
                stderr=sys.stderr,
                start_new_session=True,  # so that all that it starts can be stopped with it, and Ctrl-C is ours alone
            )
        except OSError as error:
            self._complain(f"cannot be run: {error.strerror}")

    def _complain(self, what: str) -> None:
        """Once until it works again."""
        if not self._failed:
            self._report(f"--on-label {self._hook.label}: {self._hook.command[0]} {what}")
        self._failed = True
