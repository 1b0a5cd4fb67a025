"""From any image to the input of a model; training, calibration, the gate, benchmarks and serving all use this."""

import os
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.errors import ImageError, OptionError, Reason, first_line
from edgeclf.runtime.images.bilinear import resize_as_tensorflow
from edgeclf.runtime.images.decode import Channels, Checks, Ground, Pixels, Reduction, decode, read_file


class StoredImage(Protocol):
    """An image file inside another file, such as an archive."""

    def read(self) -> bytes:
        """The bytes of the image file. May be called from any thread. Raises ImageError."""
        ...


ImageLike = str | os.PathLike[str] | bytes | StoredImage | NDArray[np.uint8]
"""A path, a file's bytes, a file in an archive, or decoded pixels: uint8 `[h, w, 3]` RGB, `[h, w, 1]` or `[h, w]` grey."""

Resize = Literal["shrink", "bilinear", "nearest", "area"]
Fit = Literal["stretch", "crop", "pad"]
CropOffset = Literal["floor", "round"]
"""Where the left-over pixel of an odd border goes."""

_CHECKS = Checks()
_INTERPOLATION = {
    "shrink": cv2.INTER_LINEAR_EXACT,  # integer arithmetic: the same result on every processor
    "nearest": cv2.INTER_NEAREST_EXACT,  # pixel centres, like Pillow and TensorFlow; INTER_NEAREST is off by half a pixel
    "area": cv2.INTER_AREA,
}


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """pixels: uint8 `[H, W, C]`, the input of the model. size_hw: the size of the stored image."""

    pixels: Pixels
    size_hw: tuple[int, int]


@dataclass(frozen=True)
class Preprocess:
    """How an image becomes uint8 `[H, W, C]`, RGB or grey.

    resize: `shrink` halves the image until another halving would make it smaller than the model's input, then resizes
        bilinearly. A JPEG is halved in its own DCT, anything else by 2x2 means. Camera-size images do not alias, at a
        fraction of the cost of `area`. `bilinear` is `keras.utils.image_dataset_from_directory`, rounded to whole levels;
        `nearest` is `keras.utils.load_img`; `area` averages.
    fit: `stretch` ignores the aspect ratio, `crop` keeps the centre, `pad` adds black borders.
    ground: what is behind transparent pixels: `white` or `black`. `none` takes the colours that the file holds there, often
        black, as Keras, TensorFlow and Pillow's `convert("RGB")` do.
    """

    size_hw: tuple[int, int]
    channels: Channels = 3
    resize: Resize = "shrink"
    fit: Fit = "stretch"
    ground: Ground = "white"

    def __post_init__(self) -> None:
        if len(self.size_hw) != 2 or not all(isinstance(side, int) and 1 <= side <= 4096 for side in self.size_hw):
            raise OptionError(f"image size must be two whole numbers from 1 to 4096, not {self.size_hw}")
        for name, allowed in (("channels", Channels), ("resize", Resize), ("fit", Fit), ("ground", Ground)):
            if getattr(self, name) not in get_args(allowed):
                choices = ", ".join(map(str, get_args(allowed)))
                raise OptionError(f"{name} must be one of {choices}, not {getattr(self, name)!r}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """`(H, W, C)` of the result."""
        return (*self.size_hw, self.channels)

    def __call__(self, image: ImageLike) -> Pixels:
        """uint8 `[H, W, C]`. Raises ImageError when the image cannot be read."""
        return self.prepare(image).pixels

    def prepare(self, image: ImageLike, checks: Checks = _CHECKS) -> Prepared:
        """The pixels and the size of the stored image. Files must pass the checks before they are decoded."""
        try:
            return self._prepare(image, checks)
        except (MemoryError, cv2.error) as error:
            raise ImageError(Reason.TOO_LARGE, f"cannot be resized ({first_line(error)})") from None

    def to_json(self) -> dict[str, Any]:
        """Plain values for the model card."""
        fields = {name: getattr(self, name) for name in ("channels", "resize", "fit", "ground")}
        return {"size_hw": list(self.size_hw), **fields}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Preprocess":
        """The inverse of `to_json`. A missing field raises KeyError; extra fields are ignored.

        Cards without `ground` are older than that field: their models were trained with `none`.
        """
        ground = fields.get("ground", "none")
        return cls(tuple(fields["size_hw"]), fields["channels"], fields["resize"], fields["fit"], ground)

    def _prepare(self, image: ImageLike, checks: Checks) -> Prepared:
        if isinstance(image, np.ndarray):
            pixels = _as_channels(image, self.channels)
            height, width = pixels.shape[:2]
            return Prepared(self._from_pixels(pixels), (height, width))
        data = read_bytes(image)
        header = checks.header_of(data)
        reduction: Reduction = 1
        if header.format == "JPEG" and self.resize == "shrink":
            reduction = self._jpeg_reduction(header.height, header.width)
        size_hw = (header.height, header.width)
        try:
            pixels = decode(data, header, self.channels, reduction, self.ground)
        except ImageError as error:
            error.size_hw = size_hw
            raise
        return Prepared(self._from_pixels(pixels), size_hw)

    def _from_pixels(self, pixels: Pixels) -> Pixels:
        top, left, height, width = self._region(*pixels.shape[:2])
        inner_h, inner_w = self._inner(height, width)
        pixels = pixels[top : top + height, left : left + width]
        if self.resize == "shrink":
            pixels = _halve(pixels, _power_of_two(height, width, inner_h, inner_w))
        resized = self._resize(pixels, inner_h, inner_w)
        return resized if (inner_h, inner_w) == self.size_hw else self._pad(resized)

    def _region(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Top, left, height and width of the region that is used."""
        if self.fit != "crop":
            return 0, 0, height, width
        scale = min(height / self.size_hw[0], width / self.size_hw[1])
        used_h = max(1, min(height, round(self.size_hw[0] * scale)))
        used_w = max(1, min(width, round(self.size_hw[1] * scale)))
        return (height - used_h) // 2, (width - used_w) // 2, used_h, used_w

    def _inner(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the used region in the result."""
        if self.fit != "pad":
            return self.size_hw
        scale = max(height / self.size_hw[0], width / self.size_hw[1])
        inner_h, inner_w = round(height / scale), round(width / scale)
        return max(1, min(inner_h, self.size_hw[0])), max(1, min(inner_w, self.size_hw[1]))

    def _jpeg_reduction(self, height: int, width: int) -> Reduction:
        """EXIF may still rotate the stored size, so the reduction must be possible in both orientations."""
        factors = []
        for stored_h, stored_w in ((height, width), (width, height)):
            _, _, used_h, used_w = self._region(stored_h, stored_w)
            factors.append(_power_of_two(used_h, used_w, *self._inner(used_h, used_w)))
        smallest = min(factors)
        return 8 if smallest >= 8 else 4 if smallest >= 4 else 2 if smallest >= 2 else 1

    def _resize(self, pixels: Pixels, height: int, width: int) -> Pixels:
        if pixels.shape[:2] == (height, width):
            return np.ascontiguousarray(pixels)
        if self.resize == "bilinear":
            return resize_as_tensorflow(pixels, height, width)
        resized = np.asarray(cv2.resize(pixels, (width, height), interpolation=_INTERPOLATION[self.resize]), np.uint8)
        return resized.reshape(height, width, self.channels)

    def _pad(self, pixels: Pixels) -> Pixels:
        canvas = np.zeros(self.shape, np.uint8)
        height, width = pixels.shape[:2]
        top, left = (self.size_hw[0] - height) // 2, (self.size_hw[1] - width) // 2
        canvas[top : top + height, left : left + width] = pixels
        return canvas


def read_bytes(image: str | os.PathLike[str] | bytes | StoredImage) -> bytes:
    """The bytes of an image file. Raises ImageError."""
    if isinstance(image, bytes):
        return image
    return read_file(image) if isinstance(image, str | os.PathLike) else image.read()


def _power_of_two(height: int, width: int, target_h: int, target_w: int) -> int:
    """The largest power of two that leaves both sides at least as long as the target; at least 1."""
    factor = min(height // target_h, width // target_w)
    return 1 << max(0, factor.bit_length() - 1)


def _halve(pixels: Pixels, factor: int) -> Pixels:
    """Repeated means over 2x2 blocks, which OpenCV does fast. An odd last row or column is dropped."""
    while factor > 1:
        height, width = pixels.shape[0] // 2, pixels.shape[1] // 2
        smaller = cv2.resize(pixels[: height * 2, : width * 2], (width, height), interpolation=cv2.INTER_AREA)
        pixels = smaller.reshape(height, width, -1).astype(np.uint8, copy=False)
        factor //= 2
    return pixels


def _as_channels(pixels: NDArray[np.uint8], channels: Channels) -> Pixels:
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] not in (1, 3)):
        raise OptionError(f"pixels must be uint8 [h, w, 3] RGB or [h, w] grey, not {pixels.dtype} {list(pixels.shape)}")
    if pixels.size == 0:
        raise OptionError(f"pixels must hold at least one pixel, not {list(pixels.shape)}")
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    if pixels.shape[2] == channels:
        return pixels
    code = cv2.COLOR_GRAY2RGB if channels == 3 else cv2.COLOR_RGB2GRAY
    converted = cv2.cvtColor(np.ascontiguousarray(pixels), code)
    return converted.reshape(*pixels.shape[:2], channels).astype(np.uint8, copy=False)
