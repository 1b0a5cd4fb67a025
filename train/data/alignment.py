"""Whether one image shows a part of what another shows: the one is laid over the other as well as it fits."""

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.images.decode import Pixels

SIDE = 96
"""Of the copies that are compared. With 64, a crop and its original have too little detail in common."""
_COARSE = 48
_SMALLEST_SHARE = 0.84
"""Of the side of an image that a crop keeps."""
_WORTH_A_LOOK = 0.8
"""The least correlation at the best place of a coarse search; the least that a crop had was 0.9."""
_LEAST_OVERLAP = 0.9
_ROUNDS = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-4)
_BLANK_IMAGES = 100
"""As in `look_alikes`: without them, nothing would be left of two copies after subtraction."""
_BLUR = 0.7
"""Pixels. A crop has its fine detail between other pixels than its original."""

Floats = NDArray[np.float32]


def shared_by_all(images: Pixels) -> Floats:
    """What images under a fixed camera have in common. images: grey uint8 `[N, SIDE, SIDE]`."""
    total = np.zeros((SIDE, SIDE), np.float32)
    for image in images:
        total += _standardised(_smooth(image))
    return np.asarray(total / (len(images) + _BLANK_IMAGES), np.float32)


def likeness(a: Pixels, b: Pixels, shared: Floats) -> float:
    """The correlation of two grey images, uint8 `[SIDE, SIDE]`, where one lies over the other best, without `shared`.

    Either may be a part of the other. 0 if they do not fit at all.
    """
    one, other = _smooth(a), _smooth(b)
    return max(_laid_over(one, other, shared), _laid_over(other, one, shared))


def _laid_over(whole: Floats, part: Floats, shared: Floats) -> float:
    """The place is refined as Evangelidis & Psarakis 2008 do, Parametric Image Alignment Using Enhanced Correlation
    Coefficient Maximization.
    """
    place = _coarse_place(whole, part)
    if place is None:
        return 0.0
    try:
        _, refined = cv2.findTransformECC(
            part, whole, place, motionType=cv2.MOTION_AFFINE, criteria=_ROUNDS, inputMask=None, gaussFiltSize=3
        )  # type: ignore[call-overload]
    except cv2.error:  # it found no better place than nowhere
        return 0.0
    place = np.asarray(refined, np.float32)
    covered = _warped(np.ones_like(whole), place) > 0.99
    if covered.mean() < _LEAST_OVERLAP:
        return 0.0
    common = _warped(shared, place)[covered]
    seen = _standardised(_warped(whole, place)[covered]) - common
    return float((_standardised(seen) * _standardised(_standardised(part[covered]) - common)).mean())


def _coarse_place(whole: Floats, part: Floats) -> Floats | None:
    """Where the part lies, as an affine map `[2, 3]` from its pixels to those of the whole; None if nowhere."""
    large, small = (cv2.resize(one, (_COARSE, _COARSE), interpolation=cv2.INTER_AREA) for one in (whole, part))
    best, side, left, top = _WORTH_A_LOOK, 0, 0, 0
    for tried in range(_COARSE, round(_SMALLEST_SHARE * _COARSE) - 1, -1):
        template = cv2.resize(small, (tried, tried), interpolation=cv2.INTER_AREA)
        _, found, _, (x, y) = cv2.minMaxLoc(cv2.matchTemplate(large, template, cv2.TM_CCOEFF_NORMED))
        if found > best:
            best, side, left, top = found, tried, x, y
    if not side:
        return None
    scale, step = side / _COARSE, SIDE / _COARSE
    shift = (scale - 1) / 2  # the centre of the first pixel
    return np.array([[scale, 0, left * step + shift], [0, scale, top * step + shift]], np.float32)


def _smooth(image: Pixels) -> Floats:
    return np.asarray(cv2.GaussianBlur(image.astype(np.float32), (0, 0), _BLUR), np.float32)


def _warped(image: Floats, place: Floats) -> Floats:
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(image, place, (SIDE, SIDE), flags=flags), np.float32)


def _standardised(image: Floats) -> Floats:
    return np.asarray((image - image.mean()) / max(float(image.std()), 1e-6), np.float32)
