"""What all peers without edgeclf share: find the images, read one for the model, and turn scores into labels."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def photographs(folder: Path) -> list[Path]:
    """All files below `folder/photographs`, sorted."""
    return sorted(path for path in (folder / "photographs").rglob("*") if path.is_file())


def read(file: Path, height: int, width: int) -> NDArray[np.uint8]:
    """uint8 `[1, height, width, 3]` RGB, a batch of one, with the decoder that edgeclf uses."""
    pixels = cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert pixels is not None
    return np.asarray(cv2.resize(pixels, (width, height)), np.uint8)[None]


def label_indices(scores: NDArray[Any]) -> list[int]:
    """The index of the highest score in each row of `[N, classes]`; for one sigmoid, `[N, 1]`, 1 if it is at least 0.5.

    >>> label_indices(np.array([[0.2, 0.8], [0.7, 0.3]])), label_indices(np.array([[0.8], [0.3]]))
    ([1, 0], [1, 0])
    """
    if scores.shape[1] == 1:
        return [int(score >= 0.5) for score in scores[:, 0]]
    return [int(label) for label in scores.argmax(axis=1)]
