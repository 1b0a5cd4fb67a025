"""Bytes to pixels: every kind of image is decoded correctly, and damage is an error, never a guess."""

import io
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edgeclf.runtime import ImageError, Preprocess
from edgeclf.runtime.errors import Reason
from edgeclf.runtime.images.encode import encode_image
from tests.support.encodings import ENCODINGS, animated

Encode = Callable[..., bytes]
UNRESIZED = Preprocess((32, 48))
"""The size of the scene, so nothing is resized."""

EXIF_STORED: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.transpose(1, 0, 2),
    6: lambda upright: np.rot90(upright, 1),
    7: lambda upright: upright[::-1, ::-1].transpose(1, 0, 2),
    8: lambda upright: np.rot90(upright, -1),
}
"""What a camera in this orientation stores, by the table of the EXIF standard."""

LOSSLESS: dict[str, tuple[str, dict[str, object]]] = {
    "png": ("PNG", {}),
    "bmp": ("BMP", {}),
    "tiff": ("TIFF", {}),
    "tiff-lzw": ("TIFF", {"compression": "tiff_lzw"}),
    "tiff-deflate": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    "webp": ("WEBP", {"lossless": True}),
    "gif": ("GIF", {}),
}


def exif(orientation: int) -> Image.Exif:
    block = Image.Exif()
    block[274] = orientation
    return block


def difference(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> int:
    return int(np.abs(first.astype(int) - second).max())


@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless_image_keeps_every_pixel(name: str, encode: Encode, scene: NDArray[np.uint8]) -> None:
    format_name, options = LOSSLESS[name]

    np.testing.assert_array_equal(UNRESIZED(encode(scene, format_name, **options)), scene)


@pytest.mark.parametrize("options", [{}, {"progressive": True}], ids=["baseline", "progressive"])
def test_jpeg_is_close_to_the_original(options: dict[str, object], encode: Encode, scene: NDArray[np.uint8]) -> None:
    pixels = UNRESIZED(encode(scene, "JPEG", quality=100, subsampling=0, **options))

    assert difference(pixels, scene) <= 3


@pytest.mark.parametrize("orientation", EXIF_STORED)
def test_jpeg_with_exif_orientation_is_upright(orientation: int, encode: Encode, scene: NDArray[np.uint8]) -> None:
    stored = EXIF_STORED[orientation](scene)

    pixels = UNRESIZED(encode(stored, "JPEG", quality=100, subsampling=0, exif=exif(orientation)))

    assert difference(pixels, scene) <= 3


@pytest.mark.parametrize("orientation", EXIF_STORED)
@pytest.mark.parametrize(("format_name", "options"), [("PNG", {}), ("WEBP", {"lossless": True})], ids=["png", "webp"])
def test_lossless_image_with_exif_orientation_is_upright(
    orientation: int, format_name: str, options: dict[str, object], encode: Encode, scene: NDArray[np.uint8]
) -> None:
    stored = EXIF_STORED[orientation](scene)

    pixels = UNRESIZED(encode(stored, format_name, exif=exif(orientation), **options))

    np.testing.assert_array_equal(pixels, scene)


@pytest.mark.parametrize("orientation", EXIF_STORED)
def test_tiff_with_orientation_tag_is_upright(orientation: int, encode: Encode, scene: NDArray[np.uint8]) -> None:
    stored = EXIF_STORED[orientation](scene)

    np.testing.assert_array_equal(UNRESIZED(encode(stored, "TIFF", tiffinfo={274: orientation})), scene)


@pytest.mark.parametrize("orientation", EXIF_STORED)
def test_jpeg_with_exif_orientation_is_upright_when_shrunk_in_its_dct(
    orientation: int, encode: Encode, scene: NDArray[np.uint8]
) -> None:
    large = scene.repeat(16, 0).repeat(16, 1)
    stored = EXIF_STORED[orientation](large)

    pixels = UNRESIZED(encode(stored, "JPEG", quality=100, subsampling=0, exif=exif(orientation)))

    assert difference(pixels, scene) <= 3


def test_palette_png_becomes_rgb(scene: NDArray[np.uint8]) -> None:
    four_colours = Image.fromarray(scene).quantize(4)
    file = io.BytesIO()
    four_colours.save(file, "PNG")

    np.testing.assert_array_equal(UNRESIZED(file.getvalue()), four_colours.convert("RGB"))


@pytest.mark.parametrize("format_name", ["PNG", "BMP", "TIFF", "JPEG", "GIF"])
def test_grey_image_becomes_three_equal_channels(format_name: str, encode: Encode, scene: NDArray[np.uint8]) -> None:
    pixels = UNRESIZED(encode(scene, format_name, mode="L"))

    assert pixels.shape == (32, 48, 3)
    np.testing.assert_array_equal(pixels, pixels[..., :1].repeat(3, 2))


def test_grey_png_keeps_its_levels(encode: Encode, scene: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(UNRESIZED(encode(scene[..., 0], "PNG"))[..., 0], scene[..., 0])


def test_colour_image_for_a_grey_model_becomes_its_luma(encode: Encode, scene: NDArray[np.uint8]) -> None:
    luma = scene @ np.array([0.299, 0.587, 0.114])

    pixels = Preprocess((32, 48), channels=1)(encode(scene, "PNG"))

    assert pixels.shape == (32, 48, 1)
    assert np.abs(pixels[..., 0] - luma).max() <= 1


def test_one_bit_image_is_black_and_white(encode: Encode, scene: NDArray[np.uint8]) -> None:
    pixels = UNRESIZED(encode(scene[..., 0] > 128, "PNG"))

    np.testing.assert_array_equal(pixels[..., 0], np.where(scene[..., 0] > 128, 255, 0))


@pytest.mark.parametrize(
    ("extension", "shape"),
    [(".png", (32, 48)), (".png", (32, 48, 3)), (".tiff", (32, 48))],
    ids=["grey-png", "rgb-png", "grey-tiff"],
)
def test_16_bit_image_keeps_its_upper_8_bits(extension: str, shape: tuple[int, ...]) -> None:
    deep = np.random.default_rng(0).integers(0, 1 << 16, shape, dtype=np.uint16)
    upper_rgb = np.broadcast_to((deep >> 8).reshape(32, 48, -1)[..., :3], (32, 48, 3))

    np.testing.assert_array_equal(UNRESIZED(encode_image(deep, extension)), upper_rgb)


def test_16_bit_rgb_tiff_is_within_one_level_of_its_upper_8_bits() -> None:
    deep = np.random.default_rng(0).integers(0, 1 << 16, (32, 48, 3), dtype=np.uint16)

    pixels = UNRESIZED(encode_image(deep, ".tiff"))

    assert difference(pixels, deep >> 8) <= 1


def test_cmyk_jpeg_is_close_to_the_rgb_original(encode: Encode, scene: NDArray[np.uint8]) -> None:
    pixels = UNRESIZED(encode(scene, "JPEG", mode="CMYK", quality=100, subsampling=0))

    assert difference(pixels, scene) <= 6


def test_animated_gif_is_its_first_frame(scene: NDArray[np.uint8]) -> None:
    file = io.BytesIO()
    Image.fromarray(scene).save(file, "GIF", save_all=True, append_images=[Image.fromarray(255 - scene)])

    np.testing.assert_array_equal(UNRESIZED(file.getvalue()), scene)


@pytest.mark.parametrize("after", [b"\0" * 40, b"\xff" * 40, b"appended text\n"], ids=["zeros", "ones", "text"])
@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "BMP", "GIF", "WEBP"])
def test_bytes_after_the_end_of_an_image_are_ignored(
    format_name: str, after: bytes, encode: Encode, scene: NDArray[np.uint8]
) -> None:
    data = encode(scene, format_name)

    np.testing.assert_array_equal(UNRESIZED(data + after), UNRESIZED(data))


def test_extension_of_the_name_is_ignored(encode: Encode, scene: NDArray[np.uint8], tmp_path: Path) -> None:
    path = tmp_path / "really_a_png.jpg"
    path.write_bytes(encode(scene, "PNG"))

    np.testing.assert_array_equal(UNRESIZED(path), scene)


def test_half_a_jpeg_is_truncated_when_shrunk_in_its_dct(encode: Encode) -> None:
    data = encode(np.random.default_rng(0).integers(0, 256, (512, 512, 3), dtype=np.uint8), "JPEG")

    with pytest.raises(ImageError, match="truncated"):
        Preprocess((32, 32))(data[: len(data) // 2])


def test_png_with_a_flipped_bit_is_corrupt(encode: Encode, texture: NDArray[np.uint8]) -> None:
    data = bytearray(encode(texture, "PNG"))
    data[len(data) // 2] ^= 1

    with pytest.raises(ImageError) as caught:
        Preprocess((32, 32))(bytes(data))

    assert caught.value.reason is Reason.CORRUPT


def test_damaged_first_frame_of_an_animated_png_is_corrupt(texture: NDArray[np.uint8]) -> None:
    data = bytearray(animated(texture, "PNG"))
    data[data.index(b"IDAT") + 1000] ^= 1

    with pytest.raises(ImageError, match="corrupt"):
        UNRESIZED(bytes(data))


def test_animated_png_is_its_first_frame(scene: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(UNRESIZED(animated(scene, "PNG")), scene)


def test_chunk_length_that_the_file_cannot_hold_costs_no_memory(
    encode: Encode, scene: NDArray[np.uint8], fresh_python: Callable[..., str], tmp_path: Path
) -> None:
    for name, length in (("1-gigabyte", b"\x3f\xff\xff\xff"), ("2-gigabytes", b"\x7f\xff\xff\xff")):
        data = bytearray(encode(scene, "PNG"))
        start = data.index(b"IDAT") - 4
        data[start : start + 4] = length
        (tmp_path / name).write_bytes(data)

    printed = fresh_python(
        "from edgeclf.runtime import ImageError, Preprocess\n"
        "for name in ('1-gigabyte', '2-gigabytes'):\n"
        "    try: Preprocess((224, 224))(name)\n"
        "    except ImageError: print('refused')\n"
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))\n"
    )

    *outcomes, peak_kb = printed.split()
    assert outcomes == ["refused", "refused"]
    assert int(peak_kb) < 300_000


@pytest.mark.parametrize("name", ["jpeg", "bmp", "gif", "tiff-lzw", "webp"])
def test_damaged_file_ends_in_pixels_or_a_reason(name: str, texture: NDArray[np.uint8]) -> None:
    whole = np.frombuffer(ENCODINGS[name](texture), np.uint8)
    for seed in range(12):
        rng = np.random.default_rng(seed)
        data = whole.copy()
        data[rng.integers(0, min(len(data), 400), 6)] = rng.integers(0, 256, 6)

        with suppress(ImageError):
            assert Preprocess((32, 32))(data.tobytes()).shape == (32, 32, 3), seed
