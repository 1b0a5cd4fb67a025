"""A snapshot of a live run: what the window, the page and the recording are made from."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.images.decode import Pixels


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Snapshot:
    """One source at one moment.

    source: its name in rows. image: uint8 `[h, w, 3]` RGB, shared, so do not write to it. label: a class, `unsure`,
    `unknown`, or empty without an answer. confidence: 0 to 1. scores: the most probable classes with their
    probabilities, best first.
    changed: whether the label differs from this source's last snapshot. fps: answers a second. age_ms: from the moment when
    the camera gave the image to the answer; None for a video. time: of the answer, ISO 8601 in UTC. trouble: why there are
    no newer images, for people to read; empty if there are. heat: where the model looked, float32 `[rows, columns]`, see
    `Prediction.heat`; None unless somebody wants to see it.
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
    heat: NDArray[np.float32] | None = None


class Viewer(Protocol):
    """Shows snapshots. A viewer never holds up the run: it skips the snapshots that it has no time for."""

    def show(self, snapshot: Snapshot) -> None: ...

    def close(self) -> None:
        """Release everything, including threads."""
        ...
