"""Kinds of image that are not read: phones and archives make them, so they are refused by their name."""

_MAGICS = {
    b"\0\0\0\x0cjP  \r\n\x87\n": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"\0\0\0\x0cJXL \r\n\x87\n": "JPEG XL",
    b"\xff\x0a": "JPEG XL",
    b"II\xbc\x01": "JPEG XR",
    b"8BPS\0": "Photoshop",
}
_BRANDS = {
    "AVIF": {b"avif", b"avis"},
    "HEIC": {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"},
    "HEIF": {b"mif1", b"mif2", b"msf1"},
    "Canon raw": {b"crx "},
}
"""The brands of files that begin as MP4 does, the most exact name first."""
_MAX_BRANDS = 16


def kind_of(data: bytes) -> str:
    """The name of the kind, as in `HEIC`; empty for everything else."""
    for magic, kind in _MAGICS.items():
        if data.startswith(magic):
            return kind
    if data[4:8] != b"ftyp":
        return ""
    end = min(int.from_bytes(data[:4]), len(data), 8 + 4 * _MAX_BRANDS)
    brands = {data[start : start + 4] for start in range(8, end, 4)}
    return next((kind for kind, known in _BRANDS.items() if brands & known), "")
