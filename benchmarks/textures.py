"""Generated images that belong to no class: one colour, gradients, stripes, checks, noise, clouds, dots."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.images.decode import Pixels

Mask = NDArray[np.float32]
_Rng = np.random.Generator


def textures(count: int, size_hw: tuple[int, int], seed: int = 0) -> Pixels:
    """uint8 `[count, H, W, 3]`."""
    rng = np.random.default_rng(seed)
    return np.stack([_texture(rng, *size_hw) for _ in range(count)])


def _texture(rng: _Rng, height: int, width: int) -> Pixels:
    """Two colours mixed by a pattern, half of them with noise."""
    first, second = rng.integers(0, 256, (2, 3))
    y, x = np.mgrid[:height, :width].astype(np.float32) / max(height, width)
    angle = rng.uniform(0, np.pi)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    pattern = _PATTERNS[rng.integers(len(_PATTERNS))](rng, along, across)
    image = first + pattern[..., None] * (second - first)
    image = image + rng.normal(0, rng.uniform(1, 25), image.shape) * (rng.random() < 0.5)
    return np.asarray(np.clip(image, 0, 255), np.uint8)


def _waves(rng: _Rng, place: Mask) -> NDArray[np.bool_]:
    return np.asarray(np.sin(2 * np.pi * rng.uniform(1, 40) * place) > 0)


def _clouds(rng: _Rng, along: Mask) -> Mask:
    coarse = rng.random((int(rng.integers(2, 40)),) * 2).astype(np.float32)
    return np.asarray(cv2.resize(coarse, along.shape[::-1], interpolation=cv2.INTER_CUBIC), np.float32)


def _dots(rng: _Rng, along: Mask) -> Mask:
    canvas = np.zeros(along.shape, np.float32)
    for _ in range(rng.integers(5, 200)):
        x, y = (int(rng.integers(side)) for side in along.shape[::-1])
        cv2.circle(canvas, (x, y), int(rng.integers(2, 25)), float(rng.random()), -1)
    return canvas


_PATTERNS: tuple[Callable[[_Rng, Mask, Mask], NDArray[np.generic]], ...] = (
    lambda rng, along, across: np.zeros_like(along),
    lambda rng, along, across: np.clip(along, 0, 1),
    lambda rng, along, across: _waves(rng, along).astype(np.float32),
    lambda rng, along, across: (_waves(rng, along) ^ _waves(rng, across)).astype(np.float32),
    lambda rng, along, across: rng.random(along.shape, np.float32),
    lambda rng, along, across: _clouds(rng, along),
    lambda rng, along, across: _dots(rng, along),
)
