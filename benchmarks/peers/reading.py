"""A picture as a program without edgeclf reads it: the same decoder, the same size, the same order of channels."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray


def photographs(folder: Path) -> list[Path]:
    return sorted((folder / "photographs").rglob("*.jpg"))


def read(file: Path, height: int, width: int) -> NDArray[np.uint8]:
    """uint8 `[1, height, width, 3]` RGB, a batch of one."""
    pixels = cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert pixels is not None
    return np.asarray(cv2.resize(pixels, (width, height)), np.uint8)[None]
