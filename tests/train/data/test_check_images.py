"""What `clf-check` finds in single images: unreadable, odd, rotated, tiny or uniform ones, and wrong extensions."""

import os
import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeclf.runtime.images.encode import encode_image
from edgeclf.train.data.check import check
from edgeclf.train.data.findings import Kind
from tests.support.checkups import details, details_by_name, found, noise
from tests.support.encodings import animated, pillow

LayOut = Callable[..., Path]


@pytest.fixture
def cats(lay_out: LayOut) -> Path:
    """The first of two class folders, with 20 images of noise each. Nothing is wrong with them."""
    return lay_out({"cat": 20, "dog": 20}, 40, 48) / "cat"


def write(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (folder / name).write_bytes(data)


def with_exif(jpeg: bytes, orientation: int, order: str) -> bytes:
    """The JPEG with an EXIF orientation. order: of the bytes, `<` or `>`."""
    entry = struct.pack(order + "HHIHH", 274, 3, 1, orientation, 0)
    header = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    exif = b"Exif\0\0" + header + struct.pack(order + "H", 1) + entry + bytes(4)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


def test_unreadable_files_are_named_with_the_reason(cats: Path) -> None:
    files = {
        "a.png": (b"", "empty: "),
        "b.png": (b"<html>", "not_an_image: not JPEG, PNG"),
        "c.png": (encode_image(noise())[:2000], "truncated: PNG"),
    }
    write(cats, {name: data for name, (data, _) in files.items()})
    checkup = check(cats.parent)
    assert found(checkup, Kind.UNREADABLE) == [("error", [f"data/cat/{name}"]) for name in files]
    for detail, (_, start) in zip(details(checkup.findings, Kind.UNREADABLE), files.values(), strict=True):
        assert detail.startswith(start)


def test_a_pipe_is_unreadable_and_does_not_block(cats: Path) -> None:
    os.mkfifo(cats / "pipe.png")
    assert found(check(cats.parent), Kind.UNREADABLE) == [("error", ["data/cat/pipe.png"])]


def test_images_that_are_not_plain_colour_are_named_with_their_modes(cats: Path) -> None:
    grey = noise(1, 40, 48)
    files = {
        "grey.png": (encode_image(grey), "grey among colour images"),
        "grey.jpg": (encode_image(grey, ".jpg"), "grey among colour images"),
        "grey.tif": (encode_image(grey, ".tif"), "grey among colour images"),
        "grey16.png": (encode_image(grey.astype(np.uint16) * 257), "16-bit, grey among colour images"),
        "deep.tif": (encode_image(noise().astype(np.uint16) * 257, ".tif"), "16-bit"),
        "alpha.png": (encode_image(noise(1, 40, 48, 4)), "alpha"),
        "alpha.webp": (encode_image(noise(1, 40, 48, 4), ".webp"), "alpha"),
        "palette.png": (pillow(noise(), "PNG", "P"), "palette"),
        "transparent.png": (pillow(noise(), "PNG", "P", transparency=0), "alpha, palette"),
        "palette.bmp": (encode_image(grey, ".bmp"), "palette"),
        "palette.gif": (encode_image(noise(), ".gif"), "palette"),
        "cmyk.jpg": (pillow(noise(), "JPEG", "CMYK"), "CMYK"),
        "cmyk.tif": (pillow(noise(), "TIFF", "CMYK"), "CMYK"),
        "animated.png": (animated(noise(), "PNG"), "animated"),
        "animated.gif": (animated(noise(), "GIF", duration=100), "animated, palette"),
        "animated.webp": (animated(noise(), "WEBP"), "animated"),
    }
    write(cats, {name: data for name, (data, _) in files.items()})
    assert details_by_name(check(cats.parent), Kind.ODD_MODE) == {name: detail for name, (_, detail) in files.items()}


def test_plain_colour_is_not_odd_in_any_format(cats: Path) -> None:
    extensions = (".jpg", ".png", ".bmp", ".tif", ".webp")
    write(cats, {f"x{extension}": encode_image(noise(90 + n), extension) for n, extension in enumerate(extensions)})
    assert check(cats.parent).findings == ()


def test_colour_is_odd_among_grey_images(cats: Path) -> None:
    for number, path in enumerate(sorted(cats.parent.rglob("*.png"))[:-1]):
        path.write_bytes(encode_image(noise(number + 1, 40, 48)))
    assert details_by_name(check(cats.parent), Kind.ODD_MODE) == {"19.png": "colour among grey images"}


def test_rotated_jpegs_are_named_with_their_orientation(cats: Path) -> None:
    rotated = {
        f"{kind}{turn}.jpg": (turn, order) for kind, order in (("intel", "<"), ("motorola", ">")) for turn in (2, 6, 8)
    }
    jpeg = encode_image(noise(), ".jpg")
    write(cats, {name: with_exif(jpeg, turn, order) for name, (turn, order) in rotated.items()})
    expected = {name: f"EXIF orientation {turn}" for name, (turn, _) in rotated.items()}
    assert details_by_name(check(cats.parent), Kind.EXIF_ROTATED) == expected


def test_an_upright_an_impossible_and_a_damaged_orientation_are_ignored(cats: Path) -> None:
    jpegs = [encode_image(noise(90 + number), ".jpg") for number in range(4)]
    write(cats, {f"{value}.jpg": with_exif(jpeg, value, "<") for value, jpeg in zip((0, 1, 9), jpegs, strict=False)})
    cut_exif = b"\xff\xe1\0\x0eExif\0\0II*\0\xff\xff"
    (cats / "cut.jpg").write_bytes(jpegs[3][:2] + cut_exif + jpegs[3][2:])
    assert check(cats.parent).findings == ()


def test_an_image_with_a_side_below_32_pixels_is_tiny(cats: Path) -> None:
    (cats / "x.png").write_bytes(encode_image(noise(1, 31, 400, 3)))
    assert found(check(cats.parent), Kind.TINY) == [("notice", ["data/cat/x.png"])]


def test_an_image_with_less_than_a_quarter_of_the_usual_side_is_tiny(lay_out: LayOut) -> None:
    root = lay_out({"cat": 5, "dog": 5}, 200, 240)
    (root / "cat/x.png").write_bytes(encode_image(noise(1, 49, 49, 3)))
    (root / "cat/y.png").write_bytes(encode_image(noise(2, 50, 50, 3)))
    assert found(check(root), Kind.TINY) == [("notice", ["data/cat/x.png"])]


def test_one_notice_is_enough_if_all_images_are_tiny(lay_out: LayOut) -> None:
    findings = check(lay_out({"cat": 20, "dog": 20}, 28, 28)).findings
    assert [(finding.kind, finding.paths) for finding in findings] == [(Kind.TINY, ())]


def test_uniform_images_are_uniform_and_not_near_duplicates(cats: Path) -> None:
    black = np.zeros((64, 64, 3), np.uint8)
    write(
        cats,
        {
            "black.png": encode_image(black),
            "larger.png": encode_image(cv2.resize(black, (80, 80))),
            "noisy.png": encode_image(100 + noise(3, 64, 64, 3) % 9),
        },
    )
    checkup = check(cats.parent)
    names = ["data/cat/black.png", "data/cat/larger.png", "data/cat/noisy.png"]
    assert found(checkup, Kind.UNIFORM) == [("warning", [name]) for name in names]
    assert found(checkup, Kind.NEAR_DUPLICATE) == []


def test_a_wrong_extension_is_named_with_the_format(cats: Path) -> None:
    (cats / "x.png").write_bytes(encode_image(noise(), ".jpg"))
    assert details_by_name(check(cats.parent), Kind.WRONG_EXTENSION) == {"x.png": "is a JPEG file"}


def test_an_extension_may_be_in_any_letter_case(cats: Path) -> None:
    (cats / "x.JPEG").write_bytes(encode_image(noise(), ".jpg"))
    assert check(cats.parent).findings == ()
