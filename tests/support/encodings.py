"""A good image in every encoding that occurs in practice, as the bytes of a file.

This module writes what Pillow and OpenCV cannot: interlaced PNG, tiled or big-endian TIFF, run-length encoded BMP.
"""

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgeclf.runtime.images.encode import encode_image

Pixels = NDArray[np.uint8]
COLOURS = ("red", "green", "blue")
_ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
"""For each pass, the first row and column, and the steps between rows and columns."""


def noisy(colour: str = "red", side: int = 96, seed: int = 0) -> Pixels:
    """uint8 `[side, side, 3]` RGB noise in which one colour, the label of `colour_model`, is the strongest."""
    pixels = np.random.default_rng(seed).integers(0, 120, (side, side, 3), dtype=np.uint8)
    pixels[..., COLOURS.index(colour)] += 120
    return pixels


def pillow(pixels: Pixels, format_name: str, mode: str | None = None, **options: object) -> bytes:
    """Encode with Pillow; the options are those of its encoder."""
    image = Image.fromarray(pixels)
    file = io.BytesIO()
    (image.convert(mode) if mode else image).save(file, format_name, **options)
    return file.getvalue()


def animated(pixels: Pixels, format_name: str, **options: object) -> bytes:
    """Three frames or pages. The first is the image."""
    others = [Image.fromarray(255 - pixels), Image.fromarray(pixels[::-1])]
    return pillow(pixels, format_name, save_all=True, append_images=others, **options)


def deep(pixels: Pixels, extension: str) -> bytes:
    """Encode with 16 bits a channel."""
    return encode_image(pixels.astype(np.uint16) * 257, extension)


def jpeg_with_thumbnail(pixels: Pixels, orientation: int = 1) -> bytes:
    """A JPEG as cameras write it: with another JPEG, which has its own end marker, inside the EXIF block."""
    thumbnail = pillow(np.ascontiguousarray(255 - pixels[::4, ::4]), "JPEG")
    entries = [(0x0112, 3, 1, orientation), (0x0201, 4, 1, 56), (0x0202, 4, 1, len(thumbnail))]
    first = struct.pack("<HHHIII", 1, *entries[0], 26)
    second = struct.pack("<H", 2) + b"".join(struct.pack("<HHII", *entry) for entry in entries[1:]) + bytes(4)
    block = b"II*\0" + struct.pack("<I", 8) + first + second
    return pillow(pixels, "JPEG", exif=b"Exif\0\0" + block + thumbnail)


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_of(width: int, height: int, rows: bytes, *, depth: int = 8, colour: int = 2, interlaced: bool = False) -> bytes:
    """A PNG around filtered rows."""
    start = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    chunks = ((b"IHDR", start), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)


def png_interlaced(pixels: Pixels) -> bytes:
    passes = (pixels[top::down, left::across] for top, left, down, across in _ADAM7)
    rows = b"".join(b"\0" + row.tobytes() for one_pass in passes for row in one_pass)
    return png_of(pixels.shape[1], pixels.shape[0], rows, interlaced=True)


def tiff(
    pixels: Pixels,
    order: Literal["<", ">"] = "<",
    *,
    big: bool = False,
    deflate: bool = False,
    tile: int = 0,
    rows_per_strip: int = 16,
    directory_first: bool = False,
) -> bytes:
    """Uncompressed or deflated, in strips or square tiles, in either byte order, with 32-bit or 64-bit offsets."""
    height, width = pixels.shape[:2]
    chunks = [chunk.tobytes() for chunk in (_tiles(pixels, tile) if tile else _strips(pixels, rows_per_strip))]
    chunks = [zlib.compress(chunk) for chunk in chunks] if deflate else chunks
    layout = [(322, tile), (323, tile)] if tile else [(278, rows_per_strip)]
    tags = [(256, width), (257, height), (259, 8 if deflate else 1), (262, 2), (277, 3), *layout]
    count = len(tags) + 3
    size, entry_size, head = (8, 20, 16) if big else (4, 12, 8)
    directory_size = (8 if big else 2) + count * entry_size + size
    single = len(chunks) == 1  # its position and length are in the directory itself
    lists_size = 6 + (0 if single else 2 * size * len(chunks))
    pixels_at = head + directory_size + lists_size if directory_first else head
    directory_at = head if directory_first else head + sum(map(len, chunks))
    lists_at = directory_at + directory_size
    offsets = [pixels_at + sum(map(len, chunks[:index])) for index in range(len(chunks))]
    long = order + ("Q" if big else "I")
    entry = order + ("HHQQ" if big else "HHII")
    kind = 16 if big else 4
    bits_at, offsets_at, counts_at = lists_at, lists_at + 6, lists_at + 6 + size * len(chunks)
    entries = [(tag, kind, 1, value) for tag, value in tags] + [(258, 3, 3, bits_at)]
    entries.append((324 if tile else 273, kind, len(chunks), offsets[0] if single else offsets_at))
    entries.append((325 if tile else 279, kind, len(chunks), len(chunks[0]) if single else counts_at))
    packed = [struct.pack(entry, *fields) for fields in sorted(entries)]
    if big:  # three 16-bit numbers fit into the entry itself
        place = next(index for index, fields in enumerate(sorted(entries)) if fields[0] == 258)
        packed[place] = struct.pack(order + "HHQHHHH", 258, 3, 3, 8, 8, 8, 0)
    directory = struct.pack(order + ("Q" if big else "H"), count) + b"".join(packed) + bytes(size)
    lists = struct.pack(order + "HHH", 8, 8, 8)
    lists += b"" if single else b"".join(struct.pack(long, number) for number in (*offsets, *map(len, chunks)))
    magic = (b"II" if order == "<" else b"MM") + struct.pack(order + "H", 43 if big else 42)
    start = magic + (struct.pack(order + "HHQ", 8, 0, directory_at) if big else struct.pack(order + "I", directory_at))
    body = b"".join(chunks)
    return start + (directory + lists + body if directory_first else body + directory + lists)


def bmp(pixels: Pixels, *, top_down: bool = False, core: bool = False) -> bytes:
    """24 bits a pixel. core: with the header of 1987."""
    height, width = pixels.shape[:2]
    rows = (pixels if top_down else pixels[::-1])[..., ::-1]
    body = b"".join(row.tobytes() + bytes(-len(row.tobytes()) % 4) for row in rows)
    header = struct.pack("<IHHHH", 12, width, height, 1, 24)
    if not core:
        stored = -height if top_down else height
        header = struct.pack("<IiiHHIIiiII", 40, width, stored, 1, 24, 0, len(body), 0, 0, 0, 0)
    start = 14 + len(header)
    return b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + header + body


def bmp_run_lengths(pixels: Pixels, bits: Literal[4, 8] = 8) -> bytes:
    """A palette and run lengths; in noise, each run is one pixel long."""
    colours = 1 << bits
    quantized = Image.fromarray(pixels).quantize(colours)
    palette = np.zeros((colours, 4), np.uint8)
    stored = np.array(quantized.getpalette()).reshape(-1, 3)
    palette[: len(stored), :3] = stored[:, ::-1]
    rows = np.asarray(quantized)[::-1]
    encoded = [b"".join(bytes((1, level << 4 if bits == 4 else level)) for level in row) + b"\0\0" for row in rows.tolist()]
    body = b"".join(encoded) + b"\0\1"
    height, width = pixels.shape[:2]
    kind = 1 if bits == 8 else 2
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, kind, len(body), 0, 0, colours, 0)
    start = 14 + len(header) + palette.nbytes
    return b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + header + palette.tobytes() + body


def _strips(pixels: Pixels, rows: int) -> Iterator[Pixels]:
    return (pixels[top : top + rows] for top in range(0, len(pixels), rows))


def _tiles(pixels: Pixels, side: int) -> Iterator[Pixels]:
    height, width = pixels.shape[:2]
    padded = np.pad(pixels, ((0, -height % side), (0, -width % side), (0, 0)))
    for top in range(0, height, side):
        yield from (padded[top : top + side, left : left + side] for left in range(0, width, side))


ENCODINGS: dict[str, Callable[[Pixels], bytes]] = {
    "jpeg": lambda p: pillow(p, "JPEG", quality=95),
    "jpeg-444": lambda p: pillow(p, "JPEG", quality=95, subsampling=0),
    "jpeg-poor": lambda p: pillow(p, "JPEG", quality=5),
    "jpeg-optimized": lambda p: pillow(p, "JPEG", optimize=True),
    "jpeg-progressive": lambda p: pillow(p, "JPEG", progressive=True),
    "jpeg-restarts": lambda p: pillow(p, "JPEG", restart_marker_blocks=2),
    "jpeg-progressive-restarts": lambda p: pillow(p, "JPEG", progressive=True, restart_marker_blocks=2),
    "jpeg-grey": lambda p: pillow(p, "JPEG", "L"),
    "jpeg-cmyk": lambda p: pillow(p, "JPEG", "CMYK"),
    "jpeg-cmyk-progressive": lambda p: pillow(p, "JPEG", "CMYK", progressive=True),
    "jpeg-rgb": lambda p: pillow(p, "JPEG", keep_rgb=True),
    "jpeg-thumbnail": jpeg_with_thumbnail,
    "jpeg-profile": lambda p: pillow(p, "JPEG", icc_profile=bytes(100_000), comment=b"a comment\xff\xd9"),
    "jpeg-trailing": lambda p: pillow(p, "JPEG") + bytes(40),
    "jpeg-mpo": lambda p: animated(p, "MPO"),
    "png": lambda p: pillow(p, "PNG"),
    "png-alpha": lambda p: pillow(p, "PNG", "RGBA"),
    "png-grey": lambda p: pillow(p, "PNG", "L"),
    "png-grey-alpha": lambda p: pillow(p, "PNG", "LA"),
    "png-palette": lambda p: pillow(p, "PNG", "P"),
    "png-bits": lambda p: pillow(p, "PNG", "1"),
    "png-16": lambda p: deep(p, ".png"),
    "png-16-grey": lambda p: deep(p[..., :1], ".png"),
    "png-interlaced": png_interlaced,
    "png-chunks": lambda p: pillow(
        p, "PNG", icc_profile=bytes(9000), exif=Image.Exif(), dpi=(72, 72), transparency=(1, 2, 3)
    ),
    "png-animated": lambda p: animated(p, "PNG"),
    "webp": lambda p: pillow(p, "WEBP"),
    "webp-lossless": lambda p: pillow(p, "WEBP", lossless=True),
    "webp-alpha": lambda p: pillow(np.dstack([p, p[..., 0]]), "WEBP"),
    "webp-alpha-lossless": lambda p: pillow(np.dstack([p, p[..., 0]]), "WEBP", lossless=True),
    "webp-metadata": lambda p: pillow(p, "WEBP", icc_profile=bytes(1000), exif=b"Exif\0\0II*\0\x08\0\0\0\0\0", xmp=b"<x/>"),
    "webp-animated": lambda p: animated(p, "WEBP"),
    "gif": lambda p: pillow(p, "GIF"),
    "gif-grey": lambda p: pillow(p, "GIF", "L"),
    "gif-plain": lambda p: pillow(p, "GIF", interlace=0, comment=b"a comment;"),
    "gif-transparent": lambda p: pillow(p, "GIF", "P", transparency=3),
    "gif-animated": lambda p: animated(p, "GIF"),
    "tiff": lambda p: pillow(p, "TIFF"),
    "tiff-grey": lambda p: pillow(p, "TIFF", "L"),
    "tiff-alpha": lambda p: pillow(p, "TIFF", "RGBA"),
    "tiff-palette": lambda p: pillow(p, "TIFF", "P"),
    "tiff-bits": lambda p: pillow(p, "TIFF", "1"),
    "tiff-fax": lambda p: pillow(p, "TIFF", "1", compression="group4"),
    "tiff-lzw": lambda p: pillow(p, "TIFF", compression="tiff_lzw"),
    "tiff-deflate": lambda p: pillow(p, "TIFF", compression="tiff_adobe_deflate"),
    "tiff-packbits": lambda p: pillow(p, "TIFF", compression="packbits"),
    "tiff-jpeg": lambda p: pillow(p, "TIFF", compression="jpeg"),
    "tiff-16": lambda p: deep(p, ".tiff"),
    "tiff-pages": lambda p: animated(p, "TIFF"),
    "tiff-pages-lzw": lambda p: animated(p, "TIFF", compression="tiff_lzw"),
    "tiff-strips": tiff,
    "tiff-one-strip": lambda p: tiff(p, rows_per_strip=1 << 20),
    "tiff-big-endian": lambda p: tiff(p, ">"),
    "tiff-directory-first": lambda p: tiff(p, directory_first=True),
    "tiff-tiles": lambda p: tiff(p, tile=32),
    "tiff-tiles-deflate": lambda p: tiff(p, ">", tile=64, deflate=True),
    "tiff-strips-deflate": lambda p: tiff(p, deflate=True),
    "bigtiff": lambda p: tiff(p, big=True),
    "bigtiff-big-endian": lambda p: tiff(p, ">", big=True),
    "bigtiff-tiles": lambda p: tiff(p, big=True, tile=32, directory_first=True),
    "bigtiff-pillow": lambda p: pillow(p, "TIFF", big_tiff=True),
    "bmp": bmp,
    "bmp-top-down": lambda p: bmp(p, top_down=True),
    "bmp-core": lambda p: bmp(p, core=True),
    "bmp-32": lambda p: pillow(p, "BMP", "RGBA"),
    "bmp-palette": lambda p: pillow(p, "BMP", "P"),
    "bmp-grey": lambda p: pillow(p, "BMP", "L"),
    "bmp-bits": lambda p: pillow(p, "BMP", "1"),
    "bmp-rle8": bmp_run_lengths,
    "bmp-rle4": lambda p: bmp_run_lengths(p, 4),
}
"""By name, a function from RGB pixels to the bytes of a good file."""

COLOURLESS = frozenset(name for name in ENCODINGS if name.endswith(("grey", "bits", "fax", "grey-alpha")))
"""Encodings that lose the colour of the image."""
