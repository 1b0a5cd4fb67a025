"""The summary of a live run: the counts of any run, plus latency and camera losses."""

from typing import Any

from edgeclf.runtime.live.latency import Latency
from edgeclf.runtime.results.summary import Summary
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.plural import plural

_MOST_COUNTS = 3


class LiveSummary(Summary):
    """latency: from frame to answer. dropped: frames replaced by a newer one before they were answered.

    losses: how often a camera stopped giving good frames. lost_s: for how many seconds in all.
    """

    def __init__(self, setting: str = "") -> None:
        super().__init__(setting)
        self.latency = Latency()
        self.dropped = 0
        self.losses = 0
        self.lost_s = 0.0

    @property
    def sentence(self) -> str:
        """What was seen, in a few words: `320 frames, defective 100 %`."""
        counts = [f"{name.text} {count / self.total:.0%}".replace("%", " %") for name, count in self._counts()]
        more = [f"{len(counts) - _MOST_COUNTS} more"] if len(counts) > _MOST_COUNTS else []
        return ", ".join([plural(self.total, "frame"), *counts[:_MOST_COUNTS], *more])

    def to_json(self) -> dict[str, Any]:
        cameras = {"dropped": self.dropped, "losses": self.losses, "lost_seconds": round(self.lost_s, 1)}
        return super().to_json() | {"latency_ms": self.latency.to_json()} | cameras

    def show(self) -> None:
        super().show()
        if self.total:
            percentiles = ", ".join(f"{name} {value:,.1f} ms" for name, value in self.latency.to_json().items())
            dropped = f"; {plural(self.dropped, 'frame')} dropped for newer ones" if self.dropped else ""
            note(f"latency from frame to answer: {percentiles}{dropped}")
        if self.losses:
            note(f"the camera was lost {plural(self.losses, 'time')}, for {self.lost_s:,.1f} s in all")
