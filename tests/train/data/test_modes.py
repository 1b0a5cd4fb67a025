"""Colour modes and EXIF orientation are read from the header, without decoding the image."""

import numpy as np
import pytest
from PIL import Image

from edgeclf.runtime.images.formats.header import read_header
from edgeclf.train.data.modes import modes, orientation
from tests.support.encodings import ENCODINGS, animated, jpeg_with_thumbnail, noisy, pillow

MODES = {
    "jpeg": set(),
    "jpeg-mpo": set(),
    "jpeg-progressive": set(),
    "jpeg-grey": {"grey"},
    "jpeg-cmyk": {"CMYK"},
    "png": set(),
    "png-grey": {"grey"},
    "png-grey-alpha": {"grey", "alpha"},
    "png-alpha": {"alpha"},
    "png-palette": {"palette"},
    "png-16": {"16-bit"},
    "png-animated": {"animated"},
    "webp": set(),
    "webp-alpha": {"alpha"},
    "webp-alpha-lossless": {"alpha"},
    "webp-animated": {"animated"},
    "gif": {"palette"},
    "bmp": set(),
    "bmp-core": set(),
    "bmp-palette": {"palette"},
    "tiff": set(),
    "tiff-big-endian": set(),
    "tiff-grey": {"grey"},
    "tiff-palette": {"palette"},
    "tiff-16": {"16-bit"},
    "tiff-alpha": {"alpha"},
    "tiff-pages": {"3 pages, of which the first is read"},
    "bigtiff": set(),
}


@pytest.mark.parametrize("name", MODES)
def test_mode_of_an_encoding_is_read(name: str) -> None:
    data = ENCODINGS[name](noisy())

    assert modes(data, read_header(data)) == MODES[name]


def test_animated_gif_is_recognised() -> None:
    data = animated(noisy(), "GIF", duration=100)

    assert modes(data, read_header(data)) == {"palette", "animated"}


@pytest.mark.parametrize("stored", range(1, 9))
def test_exif_orientation_of_a_jpeg_is_read(stored: int) -> None:
    exif = Image.Exif()
    exif[274] = stored

    assert orientation(pillow(noisy(), "JPEG", exif=exif)) == stored
    assert orientation(jpeg_with_thumbnail(noisy(), stored)) == stored


@pytest.mark.parametrize("stored", [0, 9])
def test_impossible_exif_orientation_counts_as_upright(stored: int) -> None:
    assert orientation(jpeg_with_thumbnail(noisy(), stored)) == 1


def test_jpeg_without_exif_is_upright() -> None:
    assert orientation(pillow(np.zeros((8, 8, 3), np.uint8), "JPEG")) == 1
