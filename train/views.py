"""Random views of images, each made for two networks at once: a teacher and its student see the same crop."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.cores import usable_cores
from edgeclf.runtime.errors import ImageError
from edgeclf.runtime.images.decode import Checks, Pixels, Reduction, decode, read_file
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.pipeline import ordered_map

_AT_A_TIME = 16
"""Images that are mixed with each other."""
_CHECKS = Checks()


@dataclass(frozen=True)
class Viewing:
    """How views are made. The same seed gives the same views.

    count: views of each image. The first is the whole image; the others are random crops.
    least_area: the smallest crop, as a share of the image. horizontal, vertical: half of the crops are mirrored that way.
    mixed: the share of the crops that are blended with a crop of another image.
    """

    count: int
    horizontal: bool = False
    vertical: bool = False
    least_area: float = 0.25
    mixed: float = 0.5
    seed: int = 0


def views(
    paths: Sequence[str], teacher: Preprocess, student: Preprocess, viewing: Viewing
) -> Iterator[tuple[Pixels, Pixels]]:
    """Views of a few images at a time for the teacher and for the student, uint8 `[N, H, W, C]`, in the same order.

    Files are decoded on all cores. Those that cannot be read have no views.
    """
    numbered = enumerate(paths)

    def look(one: tuple[int, str]) -> tuple[Pixels, Pixels] | None:
        return _views_of(one[1], teacher, student, viewing, np.random.default_rng((viewing.seed, one[0])))

    seen = (pair for pair in ordered_map(look, numbered, usable_cores()) if pair is not None)
    for number, group in enumerate(iter(lambda: list(islice(seen, _AT_A_TIME)), [])):
        rng = np.random.default_rng((viewing.seed, number, 1))
        partners, weights = _mixture(len(group), viewing, rng)
        for_teacher, for_student = (np.stack(one) for one in zip(*group, strict=True))
        yield _mixed(for_teacher, partners, weights), _mixed(for_student, partners, weights)


def _views_of(
    path: str, teacher: Preprocess, student: Preprocess, viewing: Viewing, rng: np.random.Generator
) -> tuple[Pixels, Pixels] | None:
    """Views of one image for both, uint8 `[count, H, W, C]`."""
    try:
        data = read_file(path)
        pixels = _decode(data, teacher, student)
        crops = [_crop(pixels, viewing, rng) for _ in range(viewing.count - 1)]
        seen: list[bytes | Pixels] = [data, *crops]
        return np.stack([teacher(one) for one in seen]), np.stack([student(one) for one in seen])
    except ImageError:
        return None


def _decode(data: bytes, teacher: Preprocess, student: Preprocess) -> Pixels:
    """The image, not larger than is needed for crops of it."""
    header = _CHECKS.header_of(data)
    side = max(*teacher.size_hw, *student.size_hw)
    reduction: Reduction = 1
    if header.format == "JPEG":
        spare = min(header.height, header.width) / (2 * side)
        reduction = 8 if spare >= 8 else 4 if spare >= 4 else 2 if spare >= 2 else 1
    return decode(data, header, 3, reduction, student.ground)


def _crop(pixels: Pixels, viewing: Viewing, rng: np.random.Generator) -> Pixels:
    """A part of the image at random, of about its own aspect ratio, as in Szegedy et al. 2015."""
    height, width = pixels.shape[:2]
    area = rng.uniform(viewing.least_area, 1)
    aspect = np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3)))
    high = min(height, max(1, round(height * float(np.sqrt(area / aspect)))))
    wide = min(width, max(1, round(width * float(np.sqrt(area * aspect)))))
    top, left = rng.integers(height - high + 1), rng.integers(width - wide + 1)
    step_y, step_x = (-1 if flips and rng.random() < 0.5 else 1 for flips in (viewing.vertical, viewing.horizontal))
    return np.ascontiguousarray(pixels[top : top + high, left : left + wide][::step_y, ::step_x])


def _mixture(images: int, viewing: Viewing, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """For each view `[images, count]`: the image whose view is blended into it, and its own weight, 1 for no blending."""
    shape = (images, viewing.count)
    partners = (np.arange(images)[:, None] + rng.integers(1, max(2, images), (1, viewing.count))) % images
    weights = np.where(rng.random(shape) < viewing.mixed, rng.uniform(0.5, 1, shape), 1).astype(np.float32)
    weights[:, 0] = 1
    return partners, weights


def _mixed(pixels: NDArray[Any], partners: NDArray[np.int64], weights: NDArray[np.float32]) -> Pixels:
    """Blend views `[images, count, H, W, C]`, and put them in one row."""
    result = pixels.copy()
    for image, view in np.argwhere(weights < 1).tolist():
        weight, other = weights[image, view], pixels[partners[image, view], view]
        result[image, view] = np.rint(weight * pixels[image, view] + (1 - weight) * other)
    return result.reshape(-1, *pixels.shape[2:])
