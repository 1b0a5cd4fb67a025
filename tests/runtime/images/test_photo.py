"""What a photo says about itself: values in plain units, and empty ones for whatever is missing, damaged or hostile."""

import random
import struct
import time
from typing import Any

import pytest
from PIL.ExifTags import Base

from edgeclf.runtime.errors import ImageError
from edgeclf.runtime.images.decode import Checks
from edgeclf.runtime.images.formats.header import Header, read_header
from edgeclf.runtime.images.photo import NO_PHOTO, Photo, read_photo
from edgeclf.runtime.images.preprocess import Preprocess
from tests.support.photos import SYDNEY, TAKEN, photo

WHOLE = Photo("2026-05-01T12:34:56", 2.0, -33.8567, 151.215, "Canon EOS 80D")
FORMATS = ["JPEG", "PNG", "TIFF", "WEBP"]


def read(data: bytes) -> Photo:
    return read_photo(data, read_header(data))


def block(*entries: tuple[int, int, int, int]) -> bytes:
    """EXIF with one directory of these entries: tag, type, count and value."""
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + packed + bytes(4)


def png_with(exif: bytes) -> bytes:
    """A PNG with this EXIF block."""
    plain = photo("PNG", main={}, taken={}, gps={})
    at = plain.index(b"IDAT") - 4
    return plain[:at] + struct.pack(">I", len(exif)) + b"eXIf" + exif + bytes(4) + plain[at:]


@pytest.mark.parametrize("image_format", FORMATS)
def test_every_format_says_when_where_and_with_what(image_format: str) -> None:
    assert read(photo(image_format)) == WHOLE


@pytest.mark.parametrize("image_format", [*FORMATS, "BMP", "GIF"])
def test_an_image_without_exif_says_nothing(image_format: str) -> None:
    assert read(photo(image_format, main={}, taken={}, gps={})) == NO_PHOTO


def test_it_is_read_with_the_pixels_and_only_if_asked_for() -> None:
    preprocess = Preprocess((8, 8))

    assert preprocess.prepare(photo(), Checks(exif=True)).photo == WHOLE
    assert preprocess.prepare(photo()).photo == NO_PHOTO


@pytest.mark.parametrize(
    "text",
    [
        "0000:00:00 00:00:00",
        "    :  :     :  :  ",
        "2026:13:01 00:00:00",
        "2026:02:30 10:00:00",
        "yesterday",
        "",
        "2026:05:01",
    ],
)
def test_a_time_that_is_none_is_empty(text: str) -> None:
    assert read(photo(taken={Base.DateTimeOriginal: text, Base.OffsetTimeOriginal: "+02:00"})).taken_at is None


@pytest.mark.parametrize("offset", ["", "+2", "+99:00", "   :  ", "UTC"])
def test_an_offset_that_is_none_is_empty_and_the_time_stays(offset: str) -> None:
    found = read(photo(taken=TAKEN | {Base.OffsetTimeOriginal: offset}))

    assert (found.taken_at, found.taken_offset_h) == ("2026-05-01T12:34:56", None)


def test_a_scan_has_the_time_when_it_was_made() -> None:
    assert read(photo(taken={Base.DateTimeDigitized: "2001:02:03 04:05:06"})).taken_at == "2001-02-03T04:05:06"


@pytest.mark.parametrize(
    "changed",
    [
        {2: (0.0, 0.0, 0.0), 4: (0.0, 0.0, 0.0)},
        {9: "V"},
        {1: "X"},
        {2: (91.0, 0.0, 0.0)},
        {4: (180.0, 1.0, 0.0)},
        {2: (33.0, 51.0)},
        {1: 3},
    ],
    ids=["no fix", "void", "sign", "latitude", "longitude", "two parts", "number"],
)
def test_a_place_that_is_none_is_empty(changed: dict[int, Any]) -> None:
    found = read(photo(gps=SYDNEY | changed))

    assert (found.latitude, found.longitude, found.taken_at) == (None, None, WHOLE.taken_at)


def test_the_equator_is_a_place() -> None:
    found = read(photo(gps=SYDNEY | {1: "N", 2: (0.0, 0.0, 0.0)}))

    assert (found.latitude, found.longitude) == (0.0, 151.215)


@pytest.mark.parametrize(
    ("main", "camera"),
    [
        ({Base.Make: "Apple", Base.Model: "iPhone 15"}, "Apple iPhone 15"),
        ({Base.Make: "NIKON CORPORATION", Base.Model: "NIKON D90"}, "NIKON D90"),
        ({Base.Model: "caf\u00e9 \U0001f4f7"}, "caf\u00e9 \U0001f4f7"),
        ({Base.Make: " Sony\0junk", Base.Model: "A7\n\x1b[31m"}, "Sony A7 [31m"),
        ({Base.Make: "x" * 10_000}, "x" * 200),
    ],
    ids=["both", "twice", "letters", "control characters", "long"],
)
def test_the_camera_is_one_short_line(main: dict[int, Any], camera: str) -> None:
    if "caf\u00e9" in camera:
        main = {tag: text.encode() for tag, text in main.items()}

    assert read(photo(main=main)).camera == camera


HUGE = (1 << 32) - 1
EXIF, GPS = 0x8769, 0x8825
HOSTILE = {
    "empty": b"",
    "no directory": b"II*\0",
    "directory beyond the end": b"II*\0" + struct.pack("<I", HUGE),
    "count beyond the end": b"II*\0" + struct.pack("<IH", 8, 65_535) + b"abc",
    "other order": b"MM\0*" + struct.pack("<IH", 8, 1) + bytes(20),
    "no tiff": b"Exif" * 100,
}
ENTRIES = {
    "directory in itself": [(EXIF, 4, 1, 8), (GPS, 4, 1, 8)],
    "directory of text": [(EXIF, 2, HUGE, 8)],
    "directory far away": [(EXIF, 4, 1, HUGE), (GPS, 13, 1, HUGE)],
    "huge texts": [(Base.Make, 2, HUGE, HUGE), (Base.Model, 2, HUGE, 0)],
    "unknown types": [(Base.Make, 99, HUGE, 8), (Base.Model, 65_535, 1, 1)],
    "huge fractions": [(GPS, 4, 1, 8), (2, 5, HUGE, 8), (4, 5, HUGE, HUGE), (1, 2, 2, ord("N")), (3, 2, 2, ord("E"))],
    "full": [(EXIF, 4, 1, 8)] * 4_000,
}


@pytest.mark.parametrize("exif", HOSTILE.values(), ids=list(HOSTILE))
def test_damaged_exif_says_nothing(exif: bytes) -> None:
    assert read(png_with(exif)) == NO_PHOTO


@pytest.mark.parametrize("entries", ENTRIES.values(), ids=list(ENTRIES))
def test_hostile_exif_says_nothing_of_time_and_place_at_once(entries: list[tuple[int, int, int, int]]) -> None:
    data = png_with(block(*entries))
    started = time.perf_counter()

    found = read(data)

    assert time.perf_counter() - started < 0.5
    assert (found.taken_at, found.latitude, found.longitude) == (None, None, None)
    assert len(found.camera) <= 401


@pytest.mark.parametrize("image_format", FORMATS)
def test_no_damage_ends_a_run(image_format: str) -> None:
    data, dice = photo(image_format), random.Random(image_format)
    for _ in range(2_000):
        damaged = bytearray(data)
        for _ in range(dice.randrange(1, 6)):
            damaged[dice.randrange(min(len(damaged), 700))] = dice.randrange(256)
        damaged = damaged[: dice.randrange(20, len(damaged) + 1)] if dice.random() < 0.3 else damaged
        try:
            header = read_header(bytes(damaged))
        except ImageError:
            header = Header(read_header(data).format, 1, 1)

        found = read_photo(bytes(damaged), header)

        assert isinstance(found, Photo)
        assert found.latitude is None or (abs(found.latitude) <= 90 and abs(found.longitude or 0) <= 180)
