"""Pixels to the bytes of an image file, and back."""

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeclf.runtime import Preprocess
from edgeclf.runtime.images.encode import encode_image

UNRESIZED = Preprocess((32, 48))
"""The size of the scene, so nothing is resized."""


@pytest.mark.parametrize("extension", [".png", ".bmp", ".tiff"])
def test_lossless_file_decodes_to_the_same_pixels(extension: str, scene: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(UNRESIZED(encode_image(scene, extension)), scene)


@pytest.mark.parametrize("shape", [(32, 48), (32, 48, 1)], ids=["two-axes", "three-axes"])
def test_grey_pixels_become_a_grey_file(shape: tuple[int, ...], scene: NDArray[np.uint8]) -> None:
    grey = np.ascontiguousarray(scene[..., 0])

    np.testing.assert_array_equal(Preprocess((32, 48), channels=1)(encode_image(grey.reshape(shape)))[..., 0], grey)


def test_alpha_is_kept_beside_the_colours(scene: NDArray[np.uint8]) -> None:
    data = encode_image(np.dstack([scene, scene[..., 0]]))

    assert data[25] == 6  # the PNG colour type of RGB with alpha
    np.testing.assert_array_equal(Preprocess((32, 48), ground="none")(data), scene)


def test_lower_jpeg_quality_makes_a_smaller_file(texture: NDArray[np.uint8]) -> None:
    assert len(encode_image(texture, ".jpg", quality=50)) < len(encode_image(texture, ".jpg")) // 2


@pytest.mark.parametrize("shape", [(1, 70_000, 3), (0, 8, 3), (8, 8, 2)], ids=["too-wide", "empty", "two-channels"])
def test_pixels_that_a_jpeg_cannot_hold_are_an_error_with_their_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=rf"{shape[0]}, {shape[1]}.*\.jpg"):
        encode_image(np.zeros(shape, np.uint8), ".jpg")
