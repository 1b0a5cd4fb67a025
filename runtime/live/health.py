"""Whether a live run still gives answers, for whoever watches over it: a request, a file, or systemd."""

import errno
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from edgeclf.runtime.errors import OutputError
from edgeclf.runtime.live.systemd import notify_status, notify_watchdog, watchdog_s
from edgeclf.runtime.live.web.auth import anybody
from edgeclf.runtime.live.web.server import Reply, Server
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.escaping import escape

_FILE_EVERY_S = 1.0
_STATUS_EVERY_S = 5.0
_PINGS = 4
"""In the time that systemd waits: it advises two, but they can only go out with a beat, which may be a second late."""


class Pulse:
    """The run's sign of life: its loop calls `beat` for every answer, and at least once a second where there is none.

    All that others see of it comes from those calls and from no other thread, so that a loop that hangs is seen to hang.
    stalled_after_s: without an answer for so long, the run is stalled. heartbeat: a file that gets the state once a second.
    Raises OutputError where that file cannot be made; whatever happens to it later is said once.
    """

    def __init__(self, stalled_after_s: float = 10.0, heartbeat: Path | None = None) -> None:
        self._stalled_after_s = stalled_after_s
        self._began = time.monotonic()
        self._last = _Beat()
        self._heartbeat = _HeartbeatFile(heartbeat, self.state()) if heartbeat else None
        self._file_due = _Due(_FILE_EVERY_S)
        self._status_due = _Due(_STATUS_EVERY_S)
        patience_s = watchdog_s()
        self._watchdog_due = _Due(patience_s / _PINGS) if patience_s else None

    def beat(self, answers: int = 1, *, fps: float = 0.0, age_ms: float | None = None, trouble: Sequence[str] = ()) -> None:
        """answers: given since the beat before; others as in a Snapshot, and a line for each camera in trouble."""
        now = time.monotonic()
        answered_at = now if answers else self._last.answered_at
        self._last = _Beat(self._last.answers + answers, fps, age_ms, tuple(trouble), answered_at)
        if self._heartbeat and self._file_due.has_come(now):
            self._heartbeat.write(self.state())
        if self._watchdog_due and self._watchdog_due.has_come(now):
            notify_watchdog()
        if self._status_due.has_come(now):
            notify_status("; ".join([f"{self._last.answers:,} answers, {fps:.1f} a second", *trouble]))

    @property
    def is_stalled(self) -> bool:
        """Whether there was no answer for too long, counted from the beginning where there was none at all."""
        return time.monotonic() - (self._last.answered_at or self._began) > self._stalled_after_s

    def state(self) -> dict[str, Any]:
        """What /health and the heartbeat file tell: status `ok` or `stalled`, and numbers."""
        last = self._last
        return {
            "status": "stalled" if self.is_stalled else "ok",
            "answers": last.answers,
            "fps": round(last.fps, 2),
            "last_answer_s": None if last.answered_at is None else round(time.monotonic() - last.answered_at, 3),
            "age_ms": None if last.age_ms is None else round(last.age_ms, 1),
            "trouble": [escape(line) for line in last.trouble],
        }


class HealthServer:
    """Answers `/health` at an address such as `:8081`, to anybody: it tells numbers and troubles, no label and no image.

    Raises OptionError for an address that cannot be had.
    """

    def __init__(self, address: str, pulse: Pulse) -> None:
        self._server = Server("--health", address)
        self.url = f"{self._server.url}health"
        self._server.start({"/health": lambda request: health_reply(pulse)}, anybody)

    def close(self) -> None:
        self._server.close()


def health_reply(pulse: Pulse) -> Reply:
    """200 while there are answers, 503 when there are none any more."""
    state = pulse.state()
    return Reply.json(state, HTTPStatus.OK if state["status"] == "ok" else HTTPStatus.SERVICE_UNAVAILABLE)


@dataclass(frozen=True, slots=True)
class _Beat:
    """answered_at: as `time.monotonic` counts; None before the first answer."""

    answers: int = 0
    fps: float = 0.0
    age_ms: float | None = None
    trouble: tuple[str, ...] = ()
    answered_at: float | None = None


class _Due:
    """Something to do at most once in so many seconds, the first time at once."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._next = 0.0

    def has_come(self, now: float) -> bool:
        if now < self._next:
            return False
        self._next = now + self._every_s
        return True


class _HeartbeatFile:
    """Always whole; not synced: it is worth nothing after a power cut, and a card wears out."""

    def __init__(self, path: Path, state: dict[str, Any]) -> None:
        self._path = path
        self._failed = False
        try:
            self._replace(state)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise OutputError(f"cannot write {path}: {error.strerror}; name another file with --heartbeat") from None
            self._complain(error)

    def write(self, state: dict[str, Any]) -> None:
        try:
            self._replace(state)
        except OSError as error:
            self._complain(error)

    def _replace(self, state: dict[str, Any]) -> None:
        part = self._path.with_name(self._path.name + ".part")
        part.write_text(json.dumps(state) + "\n", encoding="ascii")
        os.replace(part, self._path)

    def _complain(self, error: OSError) -> None:
        if not self._failed:
            note(f"cannot write {self._path}: {error.strerror}; the run goes on, and tries again every second")
        self._failed = True
