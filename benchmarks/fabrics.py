"""Generated images of checked, dotted and striped fabrics, which anybody may show: for the screenshots in the README."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.images.encode import encode_image

LABELS = ("checked", "dotted", "striped")
_HEIGHT, _WIDTH = 240, 320
_Plane = NDArray[np.float32]


def write_fabrics(folder: Path, per_class: int) -> None:
    """`folder/checked`, `folder/dotted` and `folder/striped` with JPEG files."""
    for place, label in enumerate(LABELS):
        (folder / label).mkdir(parents=True)
        for number in range(per_class):
            image = draw_fabric(label, place * 100_000 + number)
            (folder / label / f"{number:04}.jpg").write_bytes(encode_image(image, ".jpg"))


def draw_fabric(label: str, seed: int) -> NDArray[np.uint8]:
    """An image: uint8 `[240, 320, 3]` RGB. Some are faint or blurred, so that not all of them are easy to tell apart."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:_HEIGHT, 0:_WIDTH].astype(np.float32)
    weave = cv2.GaussianBlur(_weave(label, rng, x, y), (0, 0), rng.uniform(0.8, 9 if rng.random() < 0.3 else 3))
    hue = rng.uniform(0, 180)
    ground = _colour(hue, rng.uniform(20, 90), rng.uniform(190, 245))
    thread = _colour(hue + rng.choice([-20, 15, 90]), rng.uniform(110, 220), rng.uniform(90, 200))
    share = (weave * rng.uniform(0.25, 1))[..., None]
    pixels = (ground * (1 - share) + thread * share) * _light(rng, x / _WIDTH, y / _WIDTH)[..., None]
    return np.clip(pixels + rng.normal(0, 2, (_HEIGHT, _WIDTH, 1)), 0, 255).astype(np.uint8)


def _weave(label: str, rng: np.random.Generator, x: _Plane, y: _Plane) -> _Plane:
    """How much of the thread's colour each pixel has, 0 to 1."""
    angle, period = rng.uniform(-0.6, 0.6), rng.uniform(22, 46)
    bend = rng.uniform(0, 6) * np.sin(y / rng.uniform(30, 70) + rng.uniform(0, 6))
    along, across = x * np.cos(angle) - y * np.sin(angle) + bend, x * np.sin(angle) + y * np.cos(angle) + bend
    stripes = np.sin(2 * np.pi * along / period) > rng.uniform(-0.3, 0.3)
    if label == "dotted":
        radius = np.hypot(along % period - period / 2, across % period - period / 2)
        return np.asarray(radius < period * rng.uniform(0.2, 0.38), np.float32)
    second = rng.uniform(0.1, 0.5) if label == "checked" else 0
    crossing = np.sin(2 * np.pi * across / period) > 0
    return np.asarray(stripes * (1 - second) + crossing * second, np.float32)


def _colour(hue: float, saturation: float, value: float) -> _Plane:
    """RGB levels. hue: 0 to 180, and around again."""
    pixel = np.array([[[hue % 180, saturation, value]]]).astype(np.uint8)
    return np.asarray(cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0], np.float32)


def _light(rng: np.random.Generator, x: _Plane, y: _Plane) -> _Plane:
    """Light from one side, and soft folds."""
    angle = rng.uniform(0, 2 * np.pi)
    side = 1 - 0.45 * np.abs((x - rng.random()) * np.cos(angle) + (y - rng.random() * 0.75) * np.sin(angle))
    folds = 1 + 0.07 * np.sin(x * rng.uniform(8, 20) + y * rng.uniform(-9, 9) + rng.uniform(0, 6))
    return np.asarray(side * folds, np.float32)
