"""Images that lose nearly all of their levels, because their files hold 12-bit values in 16 bits, are found."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeclf.runtime.images.encode import encode_image
from edgeclf.runtime.images.formats import tiff
from edgeclf.train.data.check import check
from edgeclf.train.data.findings import Kind
from edgeclf.train.data.levels import brightest_of_all
from tests.support.checkups import details, found, noise
from tests.support.tiffs import pages_of, tiff_of

LayOut = Callable[..., Path]


def grey(seed: int, bits: int) -> NDArray[np.uint16]:
    """Values over the whole range of a sensor with so many bits."""
    return noise(seed, 40, 48).astype(np.uint16) << (bits - 8)


@pytest.mark.parametrize("encode", [encode_image, tiff_of], ids=["png", "tiff"])
@pytest.mark.parametrize(("bits", "levels", "factor"), [(10, 4, 64), (12, 16, 16), (14, 64, 4)])
def test_sensor_values_in_16_bit_files_are_found(
    bits: int, levels: int, factor: int, encode: Callable[..., bytes], lay_out: LayOut
) -> None:
    root = lay_out({"cat": 20, "dog": 20}, 40, 48)
    for number in range(3):
        (root / f"cat/deep{number}.png").write_bytes(encode(grey(number, bits)))

    (detail,) = details(check(root).findings, Kind.FEW_LEVELS)

    assert detail.startswith(f"3 images use {levels} of 256 levels, from 16-bit files for {bits}-bit values; multiply")
    assert f"by {factor} " in detail


def test_a_few_dark_images_among_deep_ones_are_no_finding(lay_out: LayOut) -> None:
    root = lay_out({"cat": 20, "dog": 20}, 40, 48)
    for number, bits in enumerate((12, 16, 16)):
        (root / f"cat/deep{number}.png").write_bytes(encode_image(grey(number, bits)))

    assert found(check(root), Kind.FEW_LEVELS) == []


def test_a_tiff_that_states_its_range_is_no_finding(lay_out: LayOut) -> None:
    root = lay_out({"cat": 20, "dog": 20}, 40, 48)
    (root / "cat/deep.tif").write_bytes(tiff_of(grey(1, 12), {281: (4095,)}))

    assert found(check(root), Kind.FEW_LEVELS) == []


def test_images_in_the_dark_are_known_before_they_are_trained_on() -> None:
    dark = np.full((300, 4, 4, 1), 15, np.uint8)
    bright = np.concatenate([dark, np.full((1, 4, 4, 1), 64, np.uint8)])

    assert (brightest_of_all(dark), brightest_of_all(bright)) == (15, None)


def test_a_tiff_of_several_pages_is_named(lay_out: LayOut) -> None:
    root = lay_out({"cat": 20, "dog": 20}, 40, 48)
    page = tiff_of(noise(7))
    (root / "cat/pages.tif").write_bytes(pages_of(page, (0, 0, 0)))
    (root / "cat/thumbnail.tif").write_bytes(pages_of(tiff_of(noise(8)), (0, 1, 4)))

    checkup = check(root)

    assert details(checkup.findings, Kind.ODD_MODE) == ["3 pages, of which the first is read"]
    assert found(checkup, Kind.ODD_MODE) == [("notice", ["data/cat/pages.tif"])]


def test_pages_that_go_round_in_circles_end() -> None:
    data = bytearray(pages_of(tiff_of(noise(7)), (0, 0)))
    data[-4:] = data[4:8]  # after the last page, the first

    assert tiff.pages(bytes(data)) == 2
