"""Strict checks find damage inside a file where that is possible, and never refuse an intact image."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgeclf.runtime import ImageError, Preprocess
from edgeclf.runtime.errors import Reason
from edgeclf.runtime.images.decode import Checks
from tests.support.encodings import ENCODINGS, noisy

PREPROCESS = Preprocess((8, 8))
JPEGS = sorted(name for name in ENCODINGS if name.startswith("jpeg"))
DAMAGED_JPEGS = ["jpeg", "jpeg-444", "jpeg-progressive", "jpeg-grey", "jpeg-cmyk", "jpeg-restarts", "jpeg-rgb"]


def smooth(side: int = 512) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """An image like a photograph: gradients with a little noise."""
    shades = np.add.outer(np.arange(side), np.arange(side))[..., None] // 5
    return (shades + noisy(side=side) // 12).astype(np.uint8)


def refused(data: bytes) -> ImageError:
    with pytest.raises(ImageError) as caught:
        PREPROCESS.prepare(data, Checks(strict=True))
    return caught.value


@pytest.mark.parametrize("name", ENCODINGS)
def test_intact_image_passes(name: str) -> None:
    data = ENCODINGS[name](noisy())

    np.testing.assert_array_equal(PREPROCESS.prepare(data, Checks(strict=True)).pixels, PREPROCESS(data))


@pytest.mark.parametrize("name", DAMAGED_JPEGS)
def test_jpeg_with_a_missing_block_is_refused_although_it_decodes(name: str) -> None:
    data = ENCODINGS[name](smooth())
    middle = len(data) // 2
    damaged = data[:middle] + data[middle + 512 :]

    assert PREPROCESS(damaged).shape == (8, 8, 3)
    assert refused(damaged).reason in (Reason.CORRUPT, Reason.TRUNCATED)


def test_refusal_of_a_damaged_jpeg_has_the_message_of_libjpeg_and_the_size() -> None:
    data = bytearray(ENCODINGS["jpeg-restarts"](smooth()))
    marker = data.index(b"\xff\xd1")
    data[marker - 40 : marker] = b"\x55" * 40

    error = refused(bytes(data))

    assert error.detail.startswith("Corrupt JPEG data: ")
    assert error.size_hw == (512, 512)


def test_half_a_jpeg_with_an_added_end_marker_is_truncated() -> None:
    data = ENCODINGS["jpeg"](smooth())
    repaired = data[: len(data) // 2] + b"\xff\xd9"

    assert PREPROCESS(repaired).shape == (8, 8, 3)
    assert refused(repaired).reason is Reason.TRUNCATED


@pytest.mark.parametrize("name", ["tiff-strips-deflate", "tiff-tiles-deflate"])
def test_deflated_tiff_with_a_flipped_bit_is_corrupt_although_it_decodes(name: str) -> None:
    data = bytearray(ENCODINGS[name](noisy()))
    data[len(data) // 2] ^= 1

    assert PREPROCESS(bytes(data)).shape == (8, 8, 3)
    assert refused(bytes(data)).reason is Reason.CORRUPT


def test_png_with_a_flipped_bit_is_corrupt() -> None:
    data = bytearray(ENCODINGS["png"](noisy()))
    data[len(data) // 2] ^= 1

    assert refused(bytes(data)).reason is Reason.CORRUPT


def test_kind_of_jpeg_that_simplejpeg_does_not_read_passes() -> None:
    data = bytearray(ENCODINGS["jpeg-444"](noisy()))
    scan = data.index(b"\xff\xda")
    data[scan + 2 + 2 + 1 + 6 + 1] = 62  # the last coefficient of the scan, which some cameras write wrong

    PREPROCESS.prepare(bytes(data), Checks(strict=True))


def test_cut_jpeg_is_refused_by_the_check_of_its_end() -> None:
    assert refused(ENCODINGS["jpeg"](noisy())[:-2]).detail == "JPEG without its end"


def test_missing_simplejpeg_is_an_error_at_once(fresh_python: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "simplejpeg.py").write_text("raise ModuleNotFoundError('No module named simplejpeg', name='simplejpeg')")

    printed = fresh_python(
        "import sys; sys.path.insert(0, '.')\n"
        "from edgeclf.runtime.images.decode import Checks\n"
        "Checks()\n"
        "try: Checks(strict=True)\n"
        "except ModuleNotFoundError as error: print(error.name)\n"
    )

    assert printed == "simplejpeg\n"
