"""Kinds of TIFF that OpenCV does not read, although they are sound.

It refuses some of them. Others it fills with black (a compression that its libtiff does not know) or with noise (signed
samples), and says nothing.
"""

_COMPRESSIONS = frozenset({1, 2, 3, 4, 5, 7, 8, 32771, 32773, 32809, 32946, 34676, 34677})
_COMPRESSION_NAMES = {
    6: "old JPEG",
    33003: "JPEG 2000",
    33005: "JPEG 2000",
    34712: "JPEG 2000",
    34887: "LERC",
    34925: "LZMA",
    50000: "Zstandard",
    50001: "WebP",
    50002: "JPEG XL",
    52546: "JPEG XL",
}
_SAMPLE_FORMATS = {2: "signed", 3: "floating-point", 5: "complex", 6: "complex"}
_BITS = frozenset({1, 8, 10, 12, 14, 16})
_PALETTE, _CMYK = 3, 5
_COLOURS = {9: "ICC L*a*b*", 10: "ITU L*a*b*", 32803: "raw sensor", 34892: "raw sensor"}
_MAX_SAMPLES = 4


def unread(*, compression: int, photometric: int, samples: int, bits: int, sample_format: int) -> str:
    """What it holds that is not read, as in `signed 16-bit samples`; empty for a TIFF that is read.

    All arguments are numbers of the TIFF 6.0 specification.
    """
    if compression not in _COMPRESSIONS:
        return f"{_COMPRESSION_NAMES.get(compression, 'unknown')} compression (number {compression})"
    if sample_format in _SAMPLE_FORMATS:
        return f"{_SAMPLE_FORMATS[sample_format]} {bits}-bit samples"
    if bits not in _BITS and not (bits == 4 and photometric == _PALETTE):
        return f"{bits}-bit samples"
    if samples > _MAX_SAMPLES:
        return f"{samples} channels"
    if photometric == _CMYK and bits > 8:
        return f"CMYK in {bits} bits"
    return f"{_COLOURS[photometric]} colours" if photometric in _COLOURS else ""
