"""What there is to see of a live run: the one thing that the window, the page and the recording are made from."""

from dataclasses import dataclass
from typing import Protocol

from edgeclf.runtime.images.decode import Pixels

BARS = 5
"""How many scores there are to see, at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """One source at one moment.

    source: its name in rows. image: uint8 `[h, w, 3]` RGB, shared and so not to be written to. label: a class, `unsure`,
    or empty while there is no answer. confidence: 0 to 1. scores: the most probable classes with their probabilities, best
    first. changed: whether the label is another one than in the snapshot of this source before. fps: answers a second.
    age_ms: from the moment when the camera gave the image to the answer; None for a video. time: of the answer, ISO 8601
    in UTC. trouble: why there are no newer images, for people; empty while there are.
    """

    source: str
    image: Pixels
    label: str
    confidence: float
    scores: tuple[tuple[str, float], ...]
    changed: bool
    fps: float
    age_ms: float | None
    time: str
    trouble: str = ""


class Viewer(Protocol):
    """Whatever shows snapshots. It never holds up the run: what it cannot keep up with, it leaves out."""

    def show(self, snapshot: Snapshot) -> None: ...

    def close(self) -> None:
        """Let go of everything, threads included."""
        ...
