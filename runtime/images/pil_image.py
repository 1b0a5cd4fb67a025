"""Images of Pillow that are in memory. Pillow itself is never imported: an edge device may lack it."""

import struct
from typing import Any, Literal, Protocol, TypeGuard

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.errors import ImageError, Reason, first_line
from edgeclf.runtime.images.transparency import cover_ground, turn_upright

_ORIENTATION = 0x0112
_DAMAGE = (OSError, ValueError, SyntaxError, KeyError, struct.error)
"""What Pillow raises for a damaged file."""
_DEEP = "I"
"""Modes that begin with it hold more than 8 bits: 16 of them, of which the upper ones count, as in a file."""


class PilImage(Protocol):
    """What is needed of a `PIL.Image.Image`."""

    @property
    def mode(self) -> str: ...

    @property
    def info(self) -> dict[Any, Any]: ...

    def convert(self, mode: Any = ..., /) -> Any: ...

    def getexif(self) -> Any: ...


def is_pil_image(image: object) -> TypeGuard[PilImage]:
    """Whether it is an image of Pillow, by the module of its class or of a class that this one is derived from."""
    return hasattr(image, "getexif") and any(kind.__module__.partition(".")[0] == "PIL" for kind in type(image).__mro__)


def pixels_of(image: PilImage, ground: Literal["white", "black", "none"]) -> NDArray[np.uint8]:
    """uint8 `[h, w, 3]` RGB or `[h, w]` grey, upright by EXIF, on its ground, as if it came from a file.

    Raises ImageError if Pillow cannot decode it; it opens files without reading them.
    """
    try:
        pixels = _deep(image) if image.mode.startswith(_DEEP) else _on_ground(image, ground)
    except _DAMAGE as error:
        raise ImageError(Reason.CORRUPT, f"Pillow cannot decode it ({first_line(error)})") from None
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)  # not before: Pillow turns a TIFF itself when it reads the pixels
    except _DAMAGE:
        orientation = 1
    return turn_upright(pixels, orientation)


def _on_ground(image: PilImage, ground: str) -> NDArray[np.uint8]:
    """Of an image with 8 bits per channel, or with floats, which Pillow itself cuts to 0 to 255."""
    if image.mode == "La":  # Pillow converts it to nothing else
        image = image.convert("LA")
    plain = "L" if image.mode in ("1", "L", "LA", "F") else "RGB"
    is_transparent = image.mode in ("LA", "PA", "RGBA", "RGBa") or "transparency" in image.info
    if not is_transparent or ground == "none":
        return np.array(image.convert(plain), np.uint8)
    whole = np.array(image.convert("RGBA"), np.uint8)
    colours = np.ascontiguousarray(whole[..., 0] if plain == "L" else whole[..., :3])
    return cover_ground(colours, cv2.extractChannel(whole, 3).astype(np.uint8, copy=False), white=ground == "white")


def _deep(image: PilImage) -> NDArray[np.uint8]:
    levels = np.clip(np.array(image, np.int64), 0, 65_535)
    return np.right_shift(levels, 8).astype(np.uint8)
