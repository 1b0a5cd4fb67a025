"""What a photo says about itself in EXIF: when, where and with which camera it was taken."""

import re
from dataclasses import dataclass
from datetime import datetime

from edgeclf.runtime.images.formats import exif, tiff
from edgeclf.runtime.images.formats.header import TRUNCATION_ERRORS, Header, exif_block

_EXIF_DIRECTORY, _GPS_DIRECTORY = 0x8769, 0x8825
_MAKE, _MODEL = 0x010F, 0x0110
_ORIGINAL, _DIGITIZED = (0x9003, 0x9011), (0x9004, 0x9012)
"""When the photo was taken and when it became a file, each with its offset from UTC."""
_LATITUDE, _LONGITUDE, _GPS_STATUS = (2, 1), (4, 3), 9
_VOID = "V"
_TIME = re.compile(r"(\d{4})[:-](\d\d)[:-](\d\d)[ T](\d\d):(\d\d):(\d\d)", re.ASCII)
_OFFSET = re.compile(r"([+-])(0\d|1[0-4]):([0-5]\d)", re.ASCII)
_DECIMALS = 6  # 11 cm


@dataclass(frozen=True, slots=True)
class Photo:
    """Empty text or None for what the file does not say, or not in a valid form.

    taken_at: the camera's clock, ISO 8601 without an offset. taken_offset_h: hours by which that clock is ahead of UTC.
    latitude, longitude: degrees, negative in the south and in the west. camera: make and model.
    """

    taken_at: str | None = None
    taken_offset_h: float | None = None
    latitude: float | None = None
    longitude: float | None = None
    camera: str = ""


NO_PHOTO = Photo()


def read_photo(data: bytes, header: Header) -> Photo:
    """What the EXIF block of an image file says. Damaged parts count as missing."""
    block = exif_block(header, data)
    if not block.startswith(tiff.MAGICS):
        return NO_PHOTO
    try:
        main = tiff.read_directory(block)
    except TRUNCATION_ERRORS:
        return NO_PHOTO
    taken_at, offset = _taken(block, exif.sub_directory(block, main, _EXIF_DIRECTORY))
    latitude, longitude = _place(block, exif.sub_directory(block, main, _GPS_DIRECTORY))
    return Photo(
        taken_at, offset, latitude, longitude, _camera(exif.text(block, main, _MAKE), exif.text(block, main, _MODEL))
    )


def _taken(block: bytes, directory: tiff.Directory) -> tuple[str | None, float | None]:
    for time_tag, offset_tag in (_ORIGINAL, _DIGITIZED):
        if taken_at := _iso(exif.text(block, directory, time_tag)):
            return taken_at, _hours(exif.text(block, directory, offset_tag))
    return None, None


def _iso(text: str) -> str | None:
    """Cameras whose clock was never set write zeros or blanks."""
    match = _TIME.fullmatch(text)
    try:
        return datetime(*map(int, match.groups())).isoformat() if match else None  # type: ignore[arg-type]
    except ValueError:
        return None


def _hours(text: str) -> float | None:
    """Of an offset.

    >>> _hours("+05:30"), _hours("-03:00"), _hours("UTC")
    (5.5, -3.0, None)
    """
    match = _OFFSET.fullmatch(text)
    if not match:
        return None
    hours = int(match[2]) + int(match[3]) / 60
    return -hours if match[1] == "-" else hours


def _place(block: bytes, directory: tiff.Directory) -> tuple[float | None, float | None]:
    latitude = _degrees(block, directory, _LATITUDE, {"N": 1, "S": -1}, 90)
    longitude = _degrees(block, directory, _LONGITUDE, {"E": 1, "W": -1}, 180)
    if exif.text(block, directory, _GPS_STATUS) == _VOID or latitude is None or longitude is None:
        return None, None
    has_fix = (latitude, longitude) != (0, 0)
    return (latitude, longitude) if has_fix else (None, None)


def _degrees(
    block: bytes, directory: tiff.Directory, tags: tuple[int, int], signs: dict[str, int], limit: int
) -> float | None:
    """tags: of degrees, minutes and seconds, and of the letter that gives the sign."""
    parts, sign = exif.fractions(block, directory, tags[0]), signs.get(exif.text(block, directory, tags[1]).upper())
    if len(parts) != 3 or sign is None:
        return None
    degrees = parts[0] + parts[1] / 60 + parts[2] / 3600
    return round(sign * degrees, _DECIMALS) + 0.0 if degrees <= limit else None  # -0.0 + 0.0 is 0.0


def _camera(make: str, model: str) -> str:
    """Many makers begin the model with their name.

    >>> _camera("Canon", "Canon EOS 80D"), _camera("NIKON CORPORATION", "NIKON D90"), _camera("Apple", "iPhone 15")
    ('Canon EOS 80D', 'NIKON D90', 'Apple iPhone 15')
    """
    has_make = bool(make) and model.lower().startswith(make.split()[0].lower())
    return model if has_make else f"{make} {model}".strip()
