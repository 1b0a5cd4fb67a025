"""Generated pictures with the spectrum of photographs, so that a JPEG decoder has as much to do as with real ones."""

from pathlib import Path

import cv2
import numpy as np

from edgeclf.runtime.frames.decode import Pixels


def photograph(height: int, width: int, seed: int) -> Pixels:
    """uint8 `[height, width, 3]`: noise at every scale, its amplitude growing with its size, as natural pictures have it.

    At JPEG quality 90 a 500 x 375 picture takes about 60 KB.
    """
    rng = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3), np.float32)
    for level in range(7):
        step = 2**level
        noise = rng.standard_normal((height // step + 2, width // step + 2, 3), np.float32)
        picture += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC) * step**0.8
    picture = (picture - picture.mean()) / picture.std() * 50 + 120
    return np.asarray(np.clip(picture, 0, 255), np.uint8)


def write_photographs(folder: Path, count: int, height: int, width: int) -> None:
    """`count` JPEGs of quality 90 in two class folders `folder/a` and `folder/b`."""
    for number in range(count):
        label = folder / "ab"[number % 2]
        label.mkdir(parents=True, exist_ok=True)
        done, data = cv2.imencode(".jpg", photograph(height, width, number), [cv2.IMWRITE_JPEG_QUALITY, 90])
        assert done
        (label / f"{number:05}.jpg").write_bytes(bytes(data))
