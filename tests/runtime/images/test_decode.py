"""Bytes to pixels: every kind of image comes out right, and whatever is damaged is an error, never a guess."""

import io
import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edgeclf.runtime import ImageError, Preprocess
from edgeclf.runtime.errors import OptionError, Reason
from edgeclf.runtime.images.decode import MAX_BYTES, Checks, read_file
from tests.support.encodings import ENCODINGS, animated

Encode = Callable[..., bytes]
AS_IT_IS = Preprocess((32, 48))
"""The scene's own size: nothing is resized."""

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
"""What a camera held that way stores, by the EXIF standard's table of orientations."""

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

    np.testing.assert_array_equal(AS_IT_IS(encode(scene, format_name, **options)), scene)


@pytest.mark.parametrize("options", [{}, {"progressive": True}], ids=["baseline", "progressive"])
def test_jpeg_is_close_to_the_original(options: dict[str, object], encode: Encode, scene: NDArray[np.uint8]) -> None:
    pixels = AS_IT_IS(encode(scene, "JPEG", quality=100, subsampling=0, **options))

    assert difference(pixels, scene) <= 3


@pytest.mark.parametrize("orientation", EXIF_STORED)
def test_jpeg_with_exif_orientation_comes_out_upright(orientation: int, encode: Encode, scene: NDArray[np.uint8]) -> None:
    stored = EXIF_STORED[orientation](scene)

    pixels = AS_IT_IS(encode(stored, "JPEG", quality=100, subsampling=0, exif=exif(orientation)))

    assert difference(pixels, scene) <= 3


@pytest.mark.parametrize("orientation", EXIF_STORED)
@pytest.mark.parametrize(("format_name", "options"), [("PNG", {}), ("WEBP", {"lossless": True})], ids=["png", "webp"])
def test_lossless_image_with_exif_orientation_comes_out_upright(
    orientation: int, format_name: str, options: dict[str, object], encode: Encode, scene: NDArray[np.uint8]
) -> None:
    stored = EXIF_STORED[orientation](scene)

    pixels = AS_IT_IS(encode(stored, format_name, exif=exif(orientation), **options))

    np.testing.assert_array_equal(pixels, scene)


@pytest.mark.parametrize("orientation", EXIF_STORED)
def test_tiff_with_orientation_tag_comes_out_upright(orientation: int, encode: Encode, scene: NDArray[np.uint8]) -> None:
    stored = EXIF_STORED[orientation](scene)

    np.testing.assert_array_equal(AS_IT_IS(encode(stored, "TIFF", tiffinfo={274: orientation})), scene)


@pytest.mark.parametrize("orientation", EXIF_STORED)
def test_exif_orientation_holds_where_the_jpeg_is_shrunk_in_its_own_dct(
    orientation: int, encode: Encode, scene: NDArray[np.uint8]
) -> None:
    large = scene.repeat(16, 0).repeat(16, 1)
    stored = EXIF_STORED[orientation](large)

    pixels = AS_IT_IS(encode(stored, "JPEG", quality=100, subsampling=0, exif=exif(orientation)))

    assert difference(pixels, scene) <= 3


@pytest.mark.parametrize("name", ["png", "webp"])
def test_alpha_is_dropped_and_the_colour_below_it_kept(name: str, encode: Encode, scene: NDArray[np.uint8]) -> None:
    alpha = np.full((32, 48, 1), 128, np.uint8)
    format_name, options = LOSSLESS[name]

    pixels = AS_IT_IS(encode(np.concatenate([scene, alpha], 2), format_name, **options))

    np.testing.assert_array_equal(pixels, scene)


def test_fully_transparent_png_keeps_its_colours(encode: Encode, scene: NDArray[np.uint8]) -> None:
    transparent = np.concatenate([scene, np.zeros((32, 48, 1), np.uint8)], 2)

    np.testing.assert_array_equal(AS_IT_IS(encode(transparent, "PNG")), scene)


def test_palette_png_becomes_rgb(scene: NDArray[np.uint8]) -> None:
    four_colours = Image.fromarray(scene).quantize(4)
    file = io.BytesIO()
    four_colours.save(file, "PNG")

    np.testing.assert_array_equal(AS_IT_IS(file.getvalue()), four_colours.convert("RGB"))


@pytest.mark.parametrize("format_name", ["PNG", "BMP", "TIFF", "JPEG", "GIF"])
def test_grey_image_becomes_three_equal_channels(format_name: str, encode: Encode, scene: NDArray[np.uint8]) -> None:
    pixels = AS_IT_IS(encode(scene, format_name, mode="L"))

    assert pixels.shape == (32, 48, 3)
    np.testing.assert_array_equal(pixels, pixels[..., :1].repeat(3, 2))


def test_grey_png_keeps_its_levels(encode: Encode, scene: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(AS_IT_IS(encode(scene[..., 0], "PNG"))[..., 0], scene[..., 0])


def test_colour_image_for_a_grey_model_is_its_luma(encode: Encode, scene: NDArray[np.uint8]) -> None:
    luma = scene @ np.array([0.299, 0.587, 0.114])

    pixels = Preprocess((32, 48), channels=1)(encode(scene, "PNG"))

    assert pixels.shape == (32, 48, 1)
    assert np.abs(pixels[..., 0] - luma).max() <= 1


def test_one_bit_image_is_black_and_white(encode: Encode, scene: NDArray[np.uint8]) -> None:
    pixels = AS_IT_IS(encode(scene[..., 0] > 128, "PNG"))

    np.testing.assert_array_equal(pixels[..., 0], np.where(scene[..., 0] > 128, 255, 0))


@pytest.mark.parametrize(
    ("extension", "shape"),
    [(".png", (32, 48)), (".png", (32, 48, 3)), (".png", (32, 48, 4)), (".tiff", (32, 48))],
    ids=["grey-png", "rgb-png", "rgba-png", "grey-tiff"],
)
def test_16_bit_image_keeps_its_upper_8_bits(extension: str, shape: tuple[int, ...]) -> None:
    deep = np.random.default_rng(0).integers(0, 1 << 16, shape, dtype=np.uint16)
    data = bytes(cv2.imencode(extension, deep)[1])
    upper_rgb = np.broadcast_to((deep >> 8).reshape(32, 48, -1)[..., 2::-1], (32, 48, 3))

    np.testing.assert_array_equal(AS_IT_IS(data), upper_rgb)


def test_16_bit_rgb_tiff_is_within_one_level_of_its_upper_8_bits() -> None:
    deep = np.random.default_rng(0).integers(0, 1 << 16, (32, 48, 3), dtype=np.uint16)

    pixels = AS_IT_IS(bytes(cv2.imencode(".tiff", deep)[1]))

    assert difference(pixels, (deep >> 8)[..., ::-1]) <= 1


def test_cmyk_jpeg_is_close_to_the_rgb_original(encode: Encode, scene: NDArray[np.uint8]) -> None:
    pixels = AS_IT_IS(encode(scene, "JPEG", mode="CMYK", quality=100, subsampling=0))

    assert difference(pixels, scene) <= 6


def test_animation_gives_its_first_frame(scene: NDArray[np.uint8]) -> None:
    file = io.BytesIO()
    Image.fromarray(scene).save(file, "GIF", save_all=True, append_images=[Image.fromarray(255 - scene)])

    np.testing.assert_array_equal(AS_IT_IS(file.getvalue()), scene)


@pytest.mark.parametrize(
    "after", [b"\0" * 40, b"\xff" * 40, b"a text that somebody appended\n"], ids=["zeros", "ones", "text"]
)
@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "BMP", "GIF", "WEBP"])
def test_bytes_after_the_end_of_an_image_are_passed_over(
    format_name: str, after: bytes, encode: Encode, scene: NDArray[np.uint8]
) -> None:
    data = encode(scene, format_name)

    np.testing.assert_array_equal(AS_IT_IS(data + after), AS_IT_IS(data))


def test_extension_is_not_asked(encode: Encode, scene: NDArray[np.uint8], tmp_path: Path) -> None:
    path = tmp_path / "really_a_png.jpg"
    path.write_bytes(encode(scene, "PNG"))

    np.testing.assert_array_equal(AS_IT_IS(path), scene)


def test_half_a_jpeg_is_an_error_where_it_is_shrunk_in_its_own_dct(encode: Encode) -> None:
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
        AS_IT_IS(bytes(data))


def test_animated_png_gives_its_first_frame(scene: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(AS_IT_IS(animated(scene, "PNG")), scene)


PROMISES_TOO_MUCH = {
    "png-chunk-of-2-gigabytes": ("PNG", {}, b"IDAT", -4, b"\x7f\xff\xff\xff"),
    "png-chunk-of-1-gigabyte": ("PNG", {}, b"IDAT", -4, b"\x3f\xff\xff\xff"),
}


@pytest.mark.parametrize("name", PROMISES_TOO_MUCH)
def test_length_that_the_file_cannot_hold_costs_no_memory(
    name: str, encode: Encode, scene: NDArray[np.uint8], fresh_python: Callable[..., str], tmp_path: Path
) -> None:
    format_name, options, marker, offset, length = PROMISES_TOO_MUCH[name]
    data = bytearray(encode(scene, format_name, **options))
    start = data.index(marker) + offset
    data[start : start + len(length)] = length
    (tmp_path / "promises").write_bytes(data)

    printed = fresh_python(
        "from edgeclf.runtime import ImageError, Preprocess\n"
        "try: Preprocess((224, 224))('promises')\n"
        "except ImageError: print('refused')\n"
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))\n"
    )

    assert printed.startswith("refused")
    assert int(printed.split()[1]) < 300_000, printed


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("name", ["jpeg", "bmp", "gif", "tiff-lzw", "webp"])
def test_damaged_file_ends_in_pixels_or_a_reason(name: str, seed: int, texture: NDArray[np.uint8]) -> None:
    rng = np.random.default_rng(seed)
    data = np.frombuffer(ENCODINGS[name](texture), np.uint8).copy()
    data[rng.integers(0, min(len(data), 400), 6)] = rng.integers(0, 256, 6)

    with suppress(ImageError):
        assert Preprocess((32, 32))(data.tobytes()).shape == (32, 32, 3)


@pytest.mark.parametrize("name", ["vanished.jpg", "file.txt/below.jpg"], ids=["missing", "below-a-file"])
def test_missing_file_is_not_found(name: str, tmp_path: Path) -> None:
    (tmp_path / "file.txt").touch()

    with pytest.raises(ImageError) as caught:
        read_file(tmp_path / name)

    assert caught.value.reason is Reason.NOT_FOUND


def test_dangling_link_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "link.jpg").symlink_to("nowhere.jpg")

    with pytest.raises(ImageError) as caught:
        read_file(tmp_path / "link.jpg")

    assert caught.value.reason is Reason.NOT_FOUND


def test_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(ImageError) as caught:
        read_file(tmp_path)

    assert caught.value.reason is Reason.NOT_A_FILE


def test_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.jpg")

    with pytest.raises(ImageError) as caught:
        read_file(tmp_path / "x.jpg")

    assert caught.value.reason is Reason.NOT_A_FILE


def test_device_is_not_opened() -> None:
    with pytest.raises(ImageError) as caught:
        read_file("/dev/null")

    assert caught.value.reason is Reason.NOT_A_FILE


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="needs a regular file whose reading fails for root too")
def test_file_that_fails_while_it_is_read_is_unreadable() -> None:
    with pytest.raises(ImageError) as caught:
        read_file("/proc/self/mem")

    assert caught.value.reason is Reason.UNREADABLE


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_file_without_permission_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(b"x")
    (tmp_path / "secret.jpg").chmod(0)

    with pytest.raises(ImageError) as caught:
        read_file(tmp_path / "secret.jpg")

    assert caught.value.reason is Reason.UNREADABLE


@pytest.mark.parametrize("name", ["a\0b.jpg", "x" * 300 + ".jpg"], ids=["nul", "too-long"])
def test_name_that_no_file_can_have_is_unreadable(name: str) -> None:
    with pytest.raises(ImageError) as caught:
        read_file(name)

    assert caught.value.reason is Reason.UNREADABLE


def test_link_to_itself_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")

    with pytest.raises(ImageError) as caught:
        read_file(tmp_path / "loop.jpg")

    assert caught.value.reason is Reason.UNREADABLE


def test_file_over_the_byte_limit_is_not_read(tmp_path: Path) -> None:
    with open(tmp_path / "large.jpg", "wb") as file:
        file.truncate(MAX_BYTES + 1)

    with pytest.raises(ImageError) as caught:
        read_file(tmp_path / "large.jpg")

    assert caught.value.reason is Reason.TOO_LARGE


def test_name_that_is_not_utf8_is_read(png: bytes, scene: NDArray[np.uint8], tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9\n.png")
    with open(path, "wb") as file:
        file.write(png)

    np.testing.assert_array_equal(AS_IT_IS(path), scene)


@pytest.mark.parametrize("max_pixels", [0, -1])
def test_limit_of_no_pixels_is_an_error(max_pixels: int) -> None:
    with pytest.raises(OptionError, match=f"at least 1, not {max_pixels}"):
        Checks(max_pixels)


def test_image_over_the_limit_is_refused(png: bytes) -> None:
    with pytest.raises(ImageError) as caught:
        AS_IT_IS.prepare(png, Checks(32 * 48 - 1))

    assert (caught.value.reason, caught.value.size_hw) == (Reason.TOO_LARGE, (32, 48))


def test_image_at_the_limit_is_decoded(png: bytes, scene: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(AS_IT_IS.prepare(png, Checks(32 * 48)).pixels, scene)


def test_image_over_the_limit_of_opencv_is_too_large(png: bytes, fresh_python: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "image.png").write_bytes(png)

    printed = fresh_python(
        "import os\n"
        "os.environ['OPENCV_IO_MAX_IMAGE_PIXELS'] = '1000'\n"
        "from edgeclf.runtime import ImageError, Preprocess\n"
        "try: Preprocess((8, 8))('image.png')\n"
        "except ImageError as error: print(error)\n"
    )

    assert re.match("too_large: .*48 x 32.*OPENCV_IO_MAX_IMAGE_PIXELS is 1000", printed)


def test_limit_that_the_environment_sets_for_opencv_stays(fresh_python: Callable[..., str]) -> None:
    printed = fresh_python(
        "import os\n"
        "os.environ['OPENCV_IO_MAX_IMAGE_PIXELS'] = '200000000'\n"
        "import edgeclf.runtime.images.decode\n"
        "print(os.environ['OPENCV_IO_MAX_IMAGE_PIXELS'])\n"
    )

    assert printed == "200000000\n"
