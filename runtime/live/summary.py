"""What a live run amounts to: the counts of any run, how quick its answers were, and how its cameras did."""

from typing import Any

from edgeclf.runtime.live.latency import Latency
from edgeclf.runtime.results.summary import Summary
from edgeclf.runtime.terminal.console import note


class LiveSummary(Summary):
    """latency: from frame to answer. dropped: frames that newer ones had overtaken. losses, lost_s: how often and for how
    many seconds a camera gave no image.
    """

    def __init__(self, setting: str = "") -> None:
        super().__init__(setting)
        self.latency = Latency()
        self.dropped = 0
        self.losses = 0
        self.lost_s = 0.0

    def to_json(self) -> dict[str, Any]:
        cameras = {"dropped": self.dropped, "losses": self.losses, "lost_seconds": round(self.lost_s, 1)}
        return super().to_json() | {"latency_ms": self.latency.to_json()} | cameras

    def show(self) -> None:
        super().show()
        times = self.latency.to_json()
        if self.total:
            percentiles = ", ".join(f"{name} {value:,.1f} ms" for name, value in times.items())
            dropped = f"; {self.dropped:,} frames were overtaken by newer ones" if self.dropped else ""
            note(f"from frame to answer: {percentiles}{dropped}")
        if self.losses:
            note(f"the camera was lost {self.losses:,} time{'s' if self.losses > 1 else ''}, {self.lost_s:,.1f} s in all")
