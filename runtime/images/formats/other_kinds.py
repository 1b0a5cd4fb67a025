"""Kinds of image that are not read: phones and archives make them, so they are refused by their name."""

_MAGICS = {
    b"\0\0\0\x0cjP  \r\n\x87\n": "a JPEG 2000",
    b"\xff\x4f\xff\x51": "a JPEG 2000",
    b"\0\0\0\x0cJXL \r\n\x87\n": "a JPEG XL",
    b"\xff\x0a": "a JPEG XL",
    b"II\xbc\x01": "a JPEG XR",
    b"8BPS\0": "a Photoshop",
}
_BRANDS = {
    "an AVIF": {b"avif", b"avis"},
    "a HEIC": {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"},
    "a HEIF": {b"mif1", b"mif2", b"msf1"},
    "a Canon raw": {b"crx "},
}
"""The brands of files that begin as MP4 does, the most exact name first."""
_MAX_BRANDS = 16


def kind_of(data: bytes) -> str:
    """The name of the kind, with its article, as in `an AVIF`; empty for everything else."""
    for magic, kind in _MAGICS.items():
        if data.startswith(magic):
            return kind
    if data[4:8] != b"ftyp":
        return ""
    end = min(int.from_bytes(data[:4]), len(data), 8 + 4 * _MAX_BRANDS)
    brands = {data[start : start + 4] for start in range(8, end, 4)}
    return next((kind for kind, known in _BRANDS.items() if brands & known), "")
