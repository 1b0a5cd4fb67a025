"""The limits on the size of an image: the one of `Checks`, and OpenCV's own."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeclf.runtime import ImageError, Preprocess
from edgeclf.runtime.errors import OptionError, Reason
from edgeclf.runtime.images.decode import Checks

UNRESIZED = Preprocess((32, 48))
"""The size of the scene, so nothing is resized."""


@pytest.mark.parametrize("max_pixels", [0, -1])
def test_pixel_limit_below_one_is_an_error(max_pixels: int) -> None:
    with pytest.raises(OptionError, match=f"at least 1, not {max_pixels}"):
        Checks(max_pixels)


def test_image_above_the_limit_is_refused(png: bytes) -> None:
    with pytest.raises(ImageError) as caught:
        UNRESIZED.prepare(png, Checks(32 * 48 - 1))

    assert (caught.value.reason, caught.value.size_hw) == (Reason.TOO_LARGE, (32, 48))


def test_image_at_the_limit_is_decoded(png: bytes, scene: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(UNRESIZED.prepare(png, Checks(32 * 48)).pixels, scene)


def test_image_above_the_limit_of_opencv_is_too_large(png: bytes, fresh_python: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "image.png").write_bytes(png)

    printed = fresh_python(
        "import os\n"
        "os.environ['OPENCV_IO_MAX_IMAGE_PIXELS'] = '1000'\n"
        "from edgeclf.runtime import ImageError, Preprocess\n"
        "try: Preprocess((8, 8))('image.png')\n"
        "except ImageError as error: print(error)\n"
    )

    assert re.match("too_large: .*48 x 32.*OPENCV_IO_MAX_IMAGE_PIXELS is 1000", printed)


def test_limit_of_opencv_in_the_environment_is_kept(fresh_python: Callable[..., str]) -> None:
    printed = fresh_python(
        "import os\n"
        "os.environ['OPENCV_IO_MAX_IMAGE_PIXELS'] = '200000000'\n"
        "import edgeclf.runtime.images.decode\n"
        "print(os.environ['OPENCV_IO_MAX_IMAGE_PIXELS'])\n"
    )

    assert printed == "200000000\n"
