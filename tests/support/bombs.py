"""Small files that would cost a decoder many pixels, much memory or much time."""

import itertools
import struct
import zlib
from collections.abc import Callable
from functools import cache

import numpy as np

from tests.support.encodings import noisy, pillow, png_chunk

MEGABYTE = 1 << 20
HUGE = 30_000
"""30,000 x 30,000 are 900 megapixels, above the limit."""
LARGE = 10_000
"""10,000 x 10,000 are 100 megapixels, exactly the limit."""
FLAT = 3_600
"""3,600 x 3,600 are 13 megapixels, more than a file that is packed extremely well may have."""


@cache
def deflated_zeros(size_bytes: int) -> bytes:
    """Zeros, compressed to a thousandth. Kept, because compressing 100 MB takes half a second."""
    return zlib.compress(bytes(size_bytes), 9)


def png(width: int, height: int, data: bytes, *before: bytes, depth: int = 1, colour: int = 0) -> bytes:
    start = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + start + b"".join(before) + png_chunk(b"IDAT", data) + png_chunk(b"IEND", b"")


def png_of_texts(kind: bytes, count: int, each: int) -> bytes:
    """Texts or profiles that unpack to `each` bytes."""
    body = b"key\0\0" + deflated_zeros(each)
    if kind == b"iTXt":
        body = b"key\0\1\0\0\0" + deflated_zeros(each)
    return png(8, 8, zlib.compress(bytes(16)), *[png_chunk(kind, body)] * count)


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def jpeg_header(width: int, height: int, *, progressive: bool = False, extra: bytes = b"") -> bytes:
    """A grey JPEG up to its first scan. In its Huffman table the shortest code, 0, means an empty block."""
    quantization = segment(0xDB, b"\0" + b"\1" * 64)
    frame = segment(0xC2 if progressive else 0xC0, struct.pack(">BHHB", 8, height, width, 1) + b"\1\x11\0")
    tables = b"".join(segment(0xC4, bytes((kind, 1)) + bytes(15) + b"\0") for kind in (0x00, 0x10))
    return b"\xff\xd8" + extra + quantization + tables + frame


def scan(first: int, last: int, data: bytes) -> bytes:
    return segment(0xDA, bytes((1, 1, 0, first, last, 0))) + data


def jpeg_of_scans(side: int, count: int) -> bytes:
    """A complete first scan, then many that refine nothing: the decoder visits all blocks for each of them."""
    run = bytes((0x10, 1)) + bytes(15) + b"\xe0"  # a code for "the next 16,384 blocks or more are empty"
    blocks = (side + 7) // 8
    head = jpeg_header(side, side, progressive=True) + scan(0, 0, bytes(blocks * blocks // 8 + 1))
    runs = b"\x00\x00\x00" * (blocks * blocks // (1 << 14) + 1)
    scans = (scan(position, position, runs[: 2 * len(runs)]) for position in itertools.cycle(range(1, 64)))
    return head + segment(0xC4, run) + b"".join(itertools.islice(scans, count)) + b"\xff\xd9"


def gif(width: int, height: int, frame: tuple[int, int] = (1, 1), lzw: bytes = b"\x44\x01", code_size: int = 2) -> bytes:
    blocks = b"".join(bytes((len(lzw[at : at + 255]),)) + lzw[at : at + 255] for at in range(0, len(lzw), 255))
    start = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    return start + b"," + struct.pack("<HHHHB", 0, 0, *frame, 0) + bytes((code_size,)) + blocks + b"\0;"


def gif_of_frames(count: int) -> bytes:
    one = gif(8, 8, lzw=b"\x44\x01")
    start, frame = one[:19], one[19:-1]
    return start + frame * count + b";"


def repeated_codes(codes: list[int], width: int, count: int) -> bytes:
    """LZW codes of one width, least significant bit first, repeated up to `count` bytes."""
    number = sum(code << width * index for index, code in enumerate(codes * 8))
    unit = number.to_bytes(len(codes) * width, "little")
    return (unit * (count // len(unit) + 1))[:count]


def tiff(
    width: int,
    height: int,
    *,
    samples: int = 1,
    depth: int = 8,
    compression: int = 1,
    kind: int = 1,
    tile: tuple[int, int] | None = None,
    rows: int = 0,
    strips: int = 1,
    data: bytes = bytes(64),
    count: int | None = None,
) -> bytes:
    """Little-endian. All strips or tiles are the same bytes. count: how many bytes each of them claims to have."""
    each = len(data) if count is None else count
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, depth), (259, 3, 1, compression), (262, 3, 1, 1)]
    tags += [(277, 3, 1, samples), (339, 3, 1, kind), (278, 4, 1, rows or height)]
    layout = (324, 325) if tile else (273, 279)
    if tile:
        tags = [tag for tag in tags if tag[0] != 278] + [(322, 4, 1, tile[0]), (323, 4, 1, tile[1])]
    directory = 8
    after = directory + 2 + 12 * (len(tags) + 2) + 4
    lists = b"" if strips == 1 else struct.pack("<I", after + 8 * strips) * strips + struct.pack("<I", each) * strips
    tags.append((layout[0], 4, strips, after))
    tags.append((layout[1], 4, strips, each if strips == 1 else after + 4 * strips))
    packed = b"".join(struct.pack("<HHII", *tag) for tag in sorted(tags))
    return b"II*\0" + struct.pack("<IH", directory, len(tags)) + packed + bytes(4) + lists + data


def tiff_of_shared_strips(side: int, samples: int, depth: int) -> bytes:
    """Each row is a strip, and all strips are the same few bytes."""
    row = zlib.compress(bytes(side * samples * depth // 8), 9)
    return tiff(side, side, samples=samples, depth=depth, kind=3, rows=1, strips=side, compression=8, data=row)


def tiff_of_directories(count: int) -> bytes:
    """A chain of pages. All but the first have only a width."""
    one = tiff(8, 8)
    head, data = one[:-68], one[-64:]  # the four bytes between them point to the next page
    pages = [len(one) + 18 * index for index in range(count)]
    nexts = [*pages[1:], 0]
    chain = b"".join(struct.pack("<HHHIII", 1, 256, 4, 1, 8, after) for after in nexts)
    return head + struct.pack("<I", pages[0]) + data + chain


def webp(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2) for kind, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def webp_extended(width: int, height: int, flags: int, *chunks: tuple[bytes, bytes]) -> bytes:
    sides = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    return webp((b"VP8X", bytes((flags, 0, 0, 0)) + sides), *chunks)


def webp_animation(width: int, height: int, count: int = 1) -> bytes:
    """A large canvas with frames of 16 x 16."""
    small = pillow(noisy(side=16), "WEBP")[12:]
    frame = bytes(6) + struct.pack("<I", 15)[:3] + struct.pack("<I", 15)[:3] + b"\x0a\0\0\0" + small
    return webp_extended(width, height, 2, (b"ANIM", bytes(6)), *[(b"ANMF", frame)] * count)


def webp_lossless(width: int, height: int) -> bytes:
    """An image of one colour: hardly more than its header, whatever its size."""
    one = pillow(np.zeros((16, 16, 3), np.uint8), "WEBP", lossless=True)
    data = bytearray(one[20:])
    data[1:5] = struct.pack("<I", (width - 1) | (height - 1) << 14 | struct.unpack("<I", data[1:5])[0] & 0xF0000000)
    return webp((b"VP8L", bytes(data)))


def bmp(width: int, height: int, depth: int, compression: int, body: bytes) -> bytes:
    palette = bytes(4 << depth) if depth <= 8 else b""
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, depth, compression, len(body), 0, 0, 0, 0)
    start = 14 + len(header) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + header + palette + body


BOMBS: dict[str, Callable[[], bytes]] = {
    "png-900-megapixels": lambda: png(HUGE, HUGE, deflated_zeros((1 + HUGE // 8) * HUGE)),
    "png-wide": lambda: png(2_000_000_000, 1, zlib.compress(bytes(9))),
    "png-no-data": lambda: png(LARGE, LARGE, zlib.compress(bytes(9)), depth=8, colour=6),
    "png-texts": lambda: png_of_texts(b"zTXt", 120, 7_900_000),
    "png-international-texts": lambda: png_of_texts(b"iTXt", 120, 7_900_000),
    "png-frames": lambda: png(LARGE, LARGE, zlib.compress(bytes(16)), png_chunk(b"acTL", b"\x7f\xff\xff\xff" + bytes(4))),
    "png-nothing": lambda: pillow(np.zeros((FLAT, FLAT, 3), np.uint8), "PNG"),
    "png-nothing-in-grey": lambda: pillow(np.zeros((FLAT, FLAT), np.uint8), "PNG"),
    "png-nothing-in-bits": lambda: pillow(np.zeros((FLAT, FLAT), np.uint8), "PNG", "1"),
    "webp-nothing": lambda: webp_lossless(FLAT, FLAT),
    "tiff-nothing": lambda: pillow(np.zeros((FLAT, FLAT, 3), np.uint8), "TIFF", compression="tiff_deflate"),
    "jpeg-4-gigapixels": lambda: jpeg_header(65_500, 65_500) + scan(0, 63, bytes(900_000)) + b"\xff\xd9",
    "jpeg-tables": lambda: jpeg_header(8, 8, extra=segment(0xC4, bytes(17)) * 49_000) + scan(0, 63, b"\0") + b"\xff\xd9",
    "jpeg-frames": lambda: jpeg_header(8, 8) * 8_000 + b"\xff\xd9",
    "jpeg-comments": lambda: jpeg_header(8, 8, extra=segment(0xFE, b"") * 200_000) + scan(0, 63, b"\0") + b"\xff\xd9",
    "jpeg-scans-of-a-large-image": lambda: jpeg_of_scans(9_000, 3_000),
    "jpeg-scans-of-a-small-image": lambda: jpeg_of_scans(1_000, 60_000),
    "gif-4-gigapixels": lambda: gif(65_535, 65_535),
    "gif-canvas": lambda: gif(LARGE, LARGE),
    "gif-no-data": lambda: gif(LARGE, LARGE, (LARGE, LARGE)),
    "gif-clear-codes": lambda: gif(900, 900, (900, 900), repeated_codes([4], 3, 900_000)),
    "gif-clear-codes-of-a-small-image": lambda: gif(8, 8, (8, 8), repeated_codes([4], 3, 900_000)),
    "gif-end-codes": lambda: gif(900, 900, (900, 900), repeated_codes([5], 3, 900_000)),
    "tiff-900-megapixels": lambda: tiff(HUGE, HUGE),
    "tiff-tile-of-1-gigabyte": lambda: tiff(8, 8, tile=(8_323_104, 32)),
    "tiff-tile-of-1-gigapixel": lambda: tiff(8, 8, tile=(32_768, 32_752)),
    "tiff-tile-of-256-megapixels": lambda: tiff(
        8, 8, tile=(16_384, 16_384), compression=8, data=zlib.compress(bytes(MEGABYTE))
    ),
    "tiff-strips-of-3-gigabytes": lambda: tiff_of_shared_strips(LARGE, 4, 64),
    "webp-268-megapixels": lambda: webp_lossless(16_384, 16_384),
    "webp-canvas": lambda: webp_animation(LARGE, LARGE),
    "webp-hidden-size": lambda: webp_extended(16, 16, 0, (b"VP8L", webp_lossless(16_384, 16_384)[20:])),
    "bmp-900-megapixels": lambda: bmp(HUGE, HUGE, 24, 0, b""),
    "bmp-no-data": lambda: bmp(LARGE, LARGE, 24, 0, b""),
    "bmp-runs": lambda: bmp(LARGE, LARGE, 8, 1, b"\xff\x01" * 400_000),
    "bmp-deltas": lambda: bmp(LARGE, LARGE, 8, 1, b"\0\2\0\0" * 250_000),
    "bmp-line-ends": lambda: bmp(LARGE, LARGE, 4, 2, b"\0\0" * 500_000),
    "bmp-end-at-once": lambda: bmp(LARGE, LARGE, 8, 1, b"\0\1"),
}
"""By name, each at most 1 MB. All must be refused at little cost."""

HARMLESS: dict[str, Callable[[], bytes]] = {
    "png-empty-page": lambda: pillow(np.zeros((3_507, 2_480), np.uint8), "PNG", "1"),
    "png-text": lambda: png_of_texts(b"zTXt", 1, 100 * MEGABYTE),
    "png-small-texts": lambda: png_of_texts(b"tEXt", 40_000, 1),
    "png-profile": lambda: png_of_texts(b"iCCP", 1, 100 * MEGABYTE),
    "png-exif": lambda: png(8, 8, zlib.compress(bytes(16)), png_chunk(b"eXIf", b"II*\0" + bytes(MEGABYTE - 400))),
    "png-empty-chunks": lambda: png(8, 8, zlib.compress(bytes(16)), *[png_chunk(b"abCd", b"")] * 80_000),
    "jpeg-no-data": lambda: jpeg_header(LARGE, LARGE) + scan(0, 63, bytes(900)) + b"\xff\xd9",
    "jpeg-exif": lambda: jpeg_header(8, 8, extra=segment(0xE1, b"Exif\0\0II*\0" + bytes(65_000)) * 15) + b"\xff\xd9",
    "gif-frames": lambda: gif_of_frames(55_000),
    "gif-comments": lambda: gif(8, 8)[:19] + b"!\xfe\x01x\0" * 200_000 + gif(8, 8)[19:],
    "tiff-strip-of-4-gigabytes": lambda: tiff(8, 8, count=0xFFFFFFFF),
    "tiff-deflate": lambda: tiff(64, 64, compression=8, data=deflated_zeros(100 * MEGABYTE)),
    "tiff-pages": lambda: tiff_of_directories(55_000),
    "webp-frames": lambda: webp_animation(64, 64, 1_500),
    "webp-profile": lambda: webp_extended(16, 16, 0x20, (b"ICCP", bytes(900_000)), (b"VP8L", webp_lossless(16, 16)[20:])),
}
"""By name, each at most 1 MB. They only look like bombs: whether they are decoded or refused, the cost is little."""
