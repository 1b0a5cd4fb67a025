"""Image files with EXIF, as cameras write them."""

import io
from typing import Any

from PIL import Image
from PIL.ExifTags import IFD, Base

TAKEN = {Base.DateTimeOriginal: "2026:05:01 12:34:56", Base.OffsetTimeOriginal: "+02:00"}
SYDNEY = {1: "S", 2: (33.0, 51.0, 24.12), 3: "E", 4: (151.0, 12.0, 54.0)}
CAMERA = {Base.Make: "Canon", Base.Model: "Canon EOS 80D"}


def photo(
    image_format: str = "JPEG",
    *,
    main: dict[int, Any] = CAMERA,
    taken: dict[int, Any] = TAKEN,
    gps: dict[int, Any] = SYDNEY,
    size: tuple[int, int] = (64, 48),
) -> bytes:
    """A file of one colour. main, taken, gps: the tags of the three directories."""
    exif = Image.Exif()
    exif.update(main)
    exif.get_ifd(IFD.Exif).update(taken)
    exif.get_ifd(IFD.GPSInfo).update(gps)
    file = io.BytesIO()
    Image.new("RGB", size, (200, 40, 40)).save(file, image_format, exif=exif.tobytes())
    return file.getvalue()
