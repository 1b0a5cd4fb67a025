"""Generated images with the spectrum of photographs, so that decoding their JPEGs costs as much as decoding real ones."""

from pathlib import Path

import cv2
import numpy as np

from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.images.encode import encode_image

_QUALITY = 90
_LEVELS = 7


def photograph(height: int, width: int, seed: int) -> Pixels:
    """uint8 `[height, width, 3]`: noise at every scale, stronger at larger scales, as in natural images."""
    rng = np.random.default_rng(seed)
    image = np.zeros((1, 1, 3), np.float32)
    for step in (2**level for level in reversed(range(_LEVELS))):
        rows, columns = -(-height // step), -(-width // step)
        image = np.asarray(cv2.resize(image, (columns, rows), interpolation=cv2.INTER_CUBIC), np.float32)
        image += rng.standard_normal(image.shape, np.float32) * np.float32(step**0.8)
    image = (image - image.mean()) * (50 / image.std()) + 120
    return np.asarray(np.clip(image, 0, 255), np.uint8)


def write_photographs(folder: Path, count: int, height: int, width: int) -> None:
    """Write `count` JPEGs of quality 90 to the class folders `folder/a` and `folder/b`."""
    for number in range(count):
        label = folder / "ab"[number % 2]
        label.mkdir(parents=True, exist_ok=True)
        (label / f"{number:05}.jpg").write_bytes(encode_image(photograph(height, width, number), ".jpg", quality=_QUALITY))


def enlarged(data: bytes, pixels: int) -> bytes:
    """Enlarge an image file to a JPEG of about `pixels` pixels, by bicubic interpolation.

    The result has no new detail. A camera's image has, and a resize that aliases such detail looks better here than there.
    """
    small = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert small is not None
    factor = (pixels / (small.shape[0] * small.shape[1])) ** 0.5
    large = cv2.resize(small, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    return encode_image(np.asarray(large, np.uint8), ".jpg", quality=_QUALITY)
