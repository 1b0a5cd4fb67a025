"""Generated images of two classes, for tests of all kinds."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.images.encode import encode_image

CLASSES = ("disc", "square")


def draw(label: str, seed: int, height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    """An image of a disc or a square on noise: uint8 `[height, width, 3]` RGB."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 90, (height, width, 3), dtype=np.uint8)
    radius = min(height, width) // 4
    centre = (int(rng.integers(radius, width - radius)), int(rng.integers(radius, height - radius)))
    colour = tuple(int(level) for level in rng.integers(150, 256, 3))
    if label == "disc":
        cv2.circle(image, centre, radius, colour, -1)
    else:
        corner = (centre[0] - radius, centre[1] - radius)
        cv2.rectangle(image, corner, (centre[0] + radius, centre[1] + radius), colour, 2)
    return image


def write_images(folder: Path, per_class: int, extension: str = ".png", first_seed: int = 0) -> Path:
    """`folder/disc` and `folder/square` with `per_class` images each."""
    for label in CLASSES:
        (folder / label).mkdir(parents=True)
        for number in range(per_class):
            seed = first_seed + number + 10_000 * CLASSES.index(label)
            (folder / label / f"{label}{number:03}{extension}").write_bytes(encode_image(draw(label, seed), extension))
    return folder
