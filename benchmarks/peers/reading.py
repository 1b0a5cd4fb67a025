"""What every program without edgeclf does alike: find the images, read one as its model takes it, name the answers."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def photographs(folder: Path) -> list[Path]:
    """The images of a job, which are all files below `folder/photographs`, in sorted order."""
    return sorted(path for path in (folder / "photographs").rglob("*") if path.is_file())


def read(file: Path, height: int, width: int) -> NDArray[np.uint8]:
    """uint8 `[1, height, width, 3]` RGB, a batch of one: the same decoder, the same size, the same order of channels."""
    pixels = cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert pixels is not None
    return np.asarray(cv2.resize(pixels, (width, height)), np.uint8)[None]


def labels(scores: NDArray[Any]) -> list[int]:
    """Of scores `[N, classes]`, the index of the highest in each row; of one sigmoid `[N, 1]`, 1 from a half on.

    >>> labels(np.array([[0.2, 0.8], [0.7, 0.3]])), labels(np.array([[0.8], [0.3]]))
    ([1, 0], [1, 0])
    """
    if scores.shape[1] == 1:
        return [int(score >= 0.5) for score in scores[:, 0]]
    return [int(label) for label in scores.argmax(axis=1)]
