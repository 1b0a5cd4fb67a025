"""Whether a live run still gives answers. Supervisors learn it from `/health` or through systemd."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from edgeclf.runtime.live.systemd import notify_status, notify_watchdog, watchdog_s
from edgeclf.runtime.live.web.auth import allow_all
from edgeclf.runtime.live.web.server import Reply, Server
from edgeclf.runtime.terminal.escaping import escape
from edgeclf.runtime.terminal.plural import plural

_STATUS_EVERY_S = 5.0
_PINGS = 4
"""Pings within systemd's watchdog interval. systemd recommends two, but a ping waits for the next `record`, which may be
a second late."""


class Heartbeat:
    """The run's sign of life. Its loop calls `record` for every answer, and at least once a second without one.

    Everything that supervisors see comes from these calls and from no other thread, so a loop that hangs is seen to hang.
    stalled_after_s: a run without an answer for this long is stalled.
    """

    def __init__(self, stalled_after_s: float = 10.0) -> None:
        self._stalled_after_s = stalled_after_s
        self._started = time.monotonic()
        self._last = _Record()
        self._status_timer = _Timer(_STATUS_EVERY_S)
        interval_s = watchdog_s()
        self._watchdog_timer = _Timer(interval_s / _PINGS) if interval_s else None

    def record(
        self, answers: int = 1, *, fps: float = 0.0, age_ms: float | None = None, trouble: Sequence[str] = ()
    ) -> None:
        """answers: how many since the last call. fps, age_ms: as in Snapshot. trouble: a line for each camera in trouble."""
        now = time.monotonic()
        answered_at = now if answers else self._last.answered_at
        self._last = _Record(self._last.answers + answers, fps, age_ms, tuple(trouble), answered_at)
        if self._watchdog_timer and self._watchdog_timer.is_due(now):
            notify_watchdog()
        if self._status_timer.is_due(now):
            notify_status("; ".join([f"{plural(self._last.answers, 'answer')}, {fps:.1f} a second", *trouble]))

    @property
    def is_stalled(self) -> bool:
        """Whether the last answer, or the start if there was none, is too long ago."""
        return time.monotonic() - (self._last.answered_at or self._started) > self._stalled_after_s

    def state(self) -> dict[str, Any]:
        """The content of `/health`: status `ok` or `stalled`, and numbers."""
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
    """Serves `/health` at an address such as `:8081`.

    It needs no token, because it shows only numbers and troubles, no label and no image. Raises OptionError if it cannot
    listen there.
    """

    def __init__(self, address: str, heartbeat: Heartbeat) -> None:
        self._server = Server("--health", address)
        self.url = f"{self._server.url}health"
        self._server.start({"/health": lambda request: health_reply(heartbeat)}, allow_all)

    def close(self) -> None:
        self._server.close()


def health_reply(heartbeat: Heartbeat) -> Reply:
    """200 while the run gives answers, 503 when it is stalled."""
    state = heartbeat.state()
    return Reply.json(state, HTTPStatus.OK if state["status"] == "ok" else HTTPStatus.SERVICE_UNAVAILABLE)


@dataclass(frozen=True, slots=True)
class _Record:
    """answered_at: as `time.monotonic` counts; None before the first answer."""

    answers: int = 0
    fps: float = 0.0
    age_ms: float | None = None
    trouble: tuple[str, ...] = ()
    answered_at: float | None = None


class _Timer:
    """Due at most once every `every_s` seconds, and the first time at once."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._next = 0.0

    def is_due(self, now: float) -> bool:
        if now < self._next:
            return False
        self._next = now + self._every_s
        return True
