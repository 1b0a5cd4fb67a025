"""A file that is cut anywhere, in any encoding, is reported as truncated; a whole file is decoded."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest

from edgeclf.runtime import ImageError, Preprocess
from edgeclf.runtime.errors import Reason
from tests.support.corpus import SEVERAL_IMAGES
from tests.support.encodings import COLOURLESS, ENCODINGS, bmp, noisy, pillow, tiff

PREPROCESS = Preprocess((8, 8))
SINGLE = sorted(ENCODINGS.keys() - SEVERAL_IMAGES)
MAGIC_BYTES = {"jpeg": 3, "png": 8, "webp": 4, "gif": 6, "tiff": 4, "bigtiff": 4, "bmp": 2}


@cache
def encoded(name: str) -> bytes:
    return ENCODINGS[name](noisy("green"))


def magic_bytes(name: str) -> int:
    return MAGIC_BYTES[name.partition("-")[0]]


def reason_of(data: bytes) -> Reason:
    with pytest.raises(ImageError) as caught:
        PREPROCESS(data)
    return caught.value.reason


@pytest.mark.parametrize("name", sorted(ENCODINGS.keys() - COLOURLESS))
def test_whole_image_keeps_its_colour(name: str) -> None:
    assert PREPROCESS(encoded(name)).mean((0, 1)).argmax() == 1


@pytest.mark.parametrize("name", sorted(COLOURLESS))
def test_whole_image_without_colour_is_decoded(name: str) -> None:
    assert PREPROCESS(encoded(name)).shape == (8, 8, 3)


@pytest.mark.parametrize("name", SINGLE)
@pytest.mark.parametrize(
    "twentieths",
    [(1, 5, 10, 14, 19), pytest.param(range(1, 20), marks=pytest.mark.slow)],
    ids=["sample", "all"],
)
def test_cut_file_is_truncated(name: str, twentieths: Sequence[int]) -> None:
    data = encoded(name)
    reasons = {twentieth: reason_of(data[: len(data) * twentieth // 20]) for twentieth in twentieths}

    assert reasons == dict.fromkeys(twentieths, Reason.TRUNCATED)


@pytest.mark.parametrize("name", SINGLE)
def test_file_without_its_last_bytes_is_truncated(name: str) -> None:
    reasons = [reason_of(encoded(name)[:-missing]) for missing in (1, 2, 3)]

    assert reasons == [Reason.TRUNCATED] * 3


@pytest.mark.parametrize("name", ENCODINGS)
def test_magic_and_nothing_else_is_truncated(name: str) -> None:
    assert reason_of(encoded(name)[: magic_bytes(name)]) is Reason.TRUNCATED


@pytest.mark.parametrize("name", ENCODINGS)
def test_less_than_the_magic_is_not_an_image(name: str) -> None:
    assert reason_of(encoded(name)[: magic_bytes(name) - 1]) is Reason.NOT_AN_IMAGE


@pytest.mark.parametrize("name", sorted(SEVERAL_IMAGES))
def test_cut_after_the_first_image_leaves_it_whole(name: str) -> None:
    data = encoded(name)

    np.testing.assert_array_equal(PREPROCESS(data[:-1]), PREPROCESS(data))


@pytest.mark.parametrize("name", sorted(SEVERAL_IMAGES - {"jpeg-trailing"}))
def test_cut_within_the_first_of_several_images_is_truncated(name: str) -> None:
    data = encoded(name)

    assert reason_of(data[: len(data) // 4]) is Reason.TRUNCATED


def test_end_marker_of_a_thumbnail_does_not_end_the_image() -> None:
    data = encoded("jpeg-thumbnail")
    thumbnail_end = data.index(b"\xff\xd9") + 2

    assert reason_of(data[: thumbnail_end + 700]) is Reason.TRUNCATED


def test_jpeg_with_megabytes_after_its_end_is_whole() -> None:
    data = encoded("jpeg")

    np.testing.assert_array_equal(PREPROCESS(data + bytes(3_000_000)), PREPROCESS(data))


@pytest.mark.parametrize("claimed", [0, 0xFFFFFFFF], ids=["nothing", "4-gigabytes"])
def test_wrong_file_size_in_a_bmp_does_not_matter(claimed: int) -> None:
    data = bmp(noisy("green"))

    pixels = PREPROCESS(data[:2] + claimed.to_bytes(4, "little") + data[6:])

    np.testing.assert_array_equal(pixels, PREPROCESS(data))


def test_wrong_length_of_the_only_strip_does_not_matter() -> None:
    data = tiff(noisy("green"), rows_per_strip=96)
    length = (96 * 96 * 3).to_bytes(4, "little")

    pixels = PREPROCESS(data.replace(length, b"\xff\xff\xff\xff"))

    np.testing.assert_array_equal(pixels, PREPROCESS(data))


def test_damaged_pixels_of_a_whole_file_are_corrupt_not_truncated() -> None:
    data = bytearray(pillow(noisy(), "GIF"))
    data[len(data) // 2 : len(data) // 2 + 40] = b"\xff" * 40

    assert reason_of(bytes(data)) is Reason.CORRUPT
