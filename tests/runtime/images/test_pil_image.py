"""An image of Pillow becomes what its file would have become."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edgeclf.runtime import ImageError, Preprocess

RGB, GREY = Preprocess((32, 48)), Preprocess((32, 48), 1)


def stored(image: Image.Image, kind: str = "PNG", **options: object) -> tuple[bytes, Image.Image]:
    """A file, and what Pillow opens from it."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue(), Image.open(io.BytesIO(file.getvalue()))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_an_image_of_any_mode_is_read_as_its_file(mode: str, scene: NDArray[np.uint8]) -> None:
    image = Image.fromarray(scene)
    image = Image.fromarray(scene[..., 0].astype(np.uint16) * 257) if mode == "I;16" else image.convert(mode)
    data, opened = stored(image)

    assert opened.mode == mode
    np.testing.assert_array_equal(RGB(opened), RGB(data))


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "HSV", "LAB", "I", "F", "PA", "La", "RGBa", "RGBX"])
def test_an_image_of_a_mode_that_few_files_have_becomes_pixels(mode: str, scene: NDArray[np.uint8]) -> None:
    image = Image.fromarray(scene).convert("L" if mode in "IF" else "LA" if mode in ("PA", "La") else "RGB")
    image = image.convert("RGBA").convert(mode) if mode == "RGBa" else image.convert(mode) if mode != "LAB" else lab(image)

    assert RGB(image).shape == (32, 48, 3)
    assert GREY(image).shape == (32, 48, 1)


def lab(image: Image.Image) -> Image.Image:
    from PIL import ImageCms

    return ImageCms.profileToProfile(image, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_an_image_is_turned_upright_as_its_file_is(kind: str, orientation: int, scene: NDArray[np.uint8]) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data, opened = stored(Image.fromarray(scene), kind, exif=exif)

    np.testing.assert_array_equal(RGB(opened), RGB(data))


@pytest.mark.parametrize("value", [0, 9, "up"])
def test_an_orientation_that_does_not_exist_is_ignored(value: object, scene: NDArray[np.uint8]) -> None:
    image = Image.fromarray(scene)
    image.getexif()[0x0112] = value

    np.testing.assert_array_equal(RGB(image), RGB(scene))


@pytest.mark.parametrize("ground", ["white", "black", "none"])
@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_transparent_pixels_show_the_ground(ground: str, mode: str, scene: NDArray[np.uint8]) -> None:
    image = Image.fromarray(scene).convert(mode)
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    data, opened = stored(image)
    preprocess = Preprocess((32, 48), ground=ground)  # type: ignore[arg-type]

    np.testing.assert_array_equal(preprocess(opened), preprocess(data))


def test_a_file_that_pillow_cannot_decode_is_an_image_error(png: bytes) -> None:
    cut = Image.open(io.BytesIO(png[: len(png) // 2]))

    with pytest.raises(ImageError, match="corrupt"):
        RGB(cut)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")  # of Pillow
def test_damaged_exif_ends_nothing(scene: NDArray[np.uint8]) -> None:
    image = stored(Image.fromarray(scene), exif=b"Exif\0\0II*\0\xff\xff\xff\xff")[1]

    np.testing.assert_array_equal(RGB(image), RGB(scene))


def test_pillow_is_not_imported_for_it(fresh_python: Callable[..., str]) -> None:
    printed = fresh_python(
        "import sys, numpy; from edgeclf import Preprocess\n"
        "Preprocess((8, 8))(numpy.zeros((9, 9, 3), numpy.uint8)); print('PIL' in sys.modules)"
    )

    assert printed == "False\n"
