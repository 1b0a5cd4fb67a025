"""Snapshots for the tests of the page."""

from typing import Any

import numpy as np

from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.live.viewers.snapshot import Snapshot

RED, BLUE = (200, 30, 40), (30, 40, 200)
LABELS = {RED: "red", BLUE: "blue"}


def plain(colour: tuple[int, int, int], height: int = 48, width: int = 64) -> Pixels:
    """An image of one colour."""
    return np.full((height, width, 3), colour, np.uint8)


def snapshot(colour: tuple[int, int, int] = RED, label: str = "", **changes: Any) -> Snapshot:
    """A snapshot of a camera that sees one colour. The label is by default the colour's name."""
    label = label or LABELS.get(colour, "other")
    values: dict[str, Any] = {
        "source": "webcam",
        "image": plain(colour),
        "label": label,
        "confidence": 0.9,
        "scores": ((label, 0.9), ("other", 0.1)),
        "changed": False,
        "fps": 15.0,
        "age_ms": 60.0,
        "time": "2026-03-01T12:00:00.000Z",
    }
    return Snapshot(**values | changes)
