"""From any image to the input of a model; training, calibration, the gate, benchmarks and serving all use this."""

import os
from dataclasses import dataclass
from typing import Any, Protocol, cast, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.errors import ImageError, OptionError, Reason, first_line
from edgeclf.runtime.images.bilinear import resize_as_tensorflow
from edgeclf.runtime.images.decode import Channels, Checks, Ground, Pixels, Reduction, decode, read_file
from edgeclf.runtime.images.geometry import CropOffset as CropOffset
from edgeclf.runtime.images.geometry import Fit as Fit
from edgeclf.runtime.images.geometry import Layout, lay_out, lay_out_larger
from edgeclf.runtime.images.geometry import Resize as Resize
from edgeclf.runtime.images.levels import grey_as_pillow, through_tables, with_borders
from edgeclf.runtime.images.limits import MAX_PIXELS
from edgeclf.runtime.images.photo import NO_PHOTO, Photo, read_photo
from edgeclf.runtime.images.pil_image import PilImage, is_pil_image, pixels_of
from edgeclf.runtime.images.pillow_resize import resize_as_pillow
from edgeclf.runtime.images.pillow_weights import PillowFilter
from edgeclf.runtime.spelling import require_choice


class StoredImage(Protocol):
    """An image file inside another file, such as an archive."""

    def read(self) -> bytes:
        """The bytes of the image file. May be called from any thread. Raises ImageError."""
        ...


ImageLike = str | os.PathLike[str] | bytes | StoredImage | NDArray[np.uint8]
"""A path, a file's bytes, a file in an archive, or decoded pixels: uint8 `[h, w, 3]` RGB, `[h, w, 1]` or `[h, w]` grey."""
AnyImage = ImageLike | PilImage
"""An image of Pillow may be in any mode. It is turned upright, as a file is."""

_CHOICES = {"channels": Channels, "resize": Resize, "fit": Fit, "ground": Ground, "crop_offset": CropOffset}
MAX_SIDE = 4096
"""Of the images that a model takes."""
_LARGEST_SIDE = 8_192
_CHECKS = Checks()
_INTERPOLATION = {
    "shrink": cv2.INTER_LINEAR_EXACT,  # integer arithmetic: the same result on every processor
    "nearest": cv2.INTER_NEAREST_EXACT,  # pixel centres, like Pillow and TensorFlow; INTER_NEAREST is off by half a pixel
    "area": cv2.INTER_AREA,
    "opencv-bilinear": cv2.INTER_LINEAR,
    "opencv-bicubic": cv2.INTER_CUBIC,
}
_PILLOW: dict[str, PillowFilter] = {
    "pillow-bilinear": "bilinear",
    "pillow-bicubic": "bicubic",
    "pillow-lanczos": "lanczos",
    "pillow-box": "box",
}


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """pixels: uint8 `[H, W, C]`, the input of the model. size_hw: of the stored image. photo: if it was asked for."""

    pixels: Pixels
    size_hw: tuple[int, int]
    photo: Photo = NO_PHOTO


@dataclass(frozen=True)
class Preprocess:
    """How an image becomes uint8 `[H, W, C]`, RGB or grey.

    resize: `shrink` halves the image until another halving would make it smaller than the model's input, then resizes
        bilinearly. A JPEG is halved in its own DCT, anything else by 2x2 means. Camera-size images do not alias, at a
        fraction of the cost of `area`. `bilinear` is `keras.utils.image_dataset_from_directory`, rounded to whole levels;
        `nearest` is `keras.utils.load_img`; `area` averages. `pillow-bilinear`, `pillow-bicubic`, `pillow-lanczos` and
        `pillow-box` are Pillow's `Image.resize`, and make a colour image grey as Pillow does. `opencv-bilinear` and
        `opencv-bicubic` are OpenCV's, which do not average when they make an image smaller.
    fit: `stretch` ignores the aspect ratio, `crop` keeps the centre, `pad` adds borders of `pad_color`.
        With a resize of Pillow, `crop` is its `ImageOps.fit`.
    ground: what is behind transparent pixels: `white` or `black`. `none` takes the colours that the file holds there, often
        black, as Keras, TensorFlow and Pillow's `convert("RGB")` do.
    crop_pct: above 0, at most 1. The whole image is resized for an input that is larger by `1 / crop_pct`, and its centre is
        kept, as torchvision and timm do: see `lay_out_larger`. None: the input is filled.
    crop_offset: with `crop_pct`, how many of n superfluous rows or columns are cut off at the top or the left: `floor` is
        n // 2, as in Keras and Hugging Face, `round` is Python's `round(n / 2)`, as in torchvision and timm. `lobe` is
        `floor` too, but the long side of the resized image is rounded, not cut to a whole number.
    pad_color: one level, or one per channel, 0 to 255.
    levels: one table of 256 levels, or one per channel. It replaces the levels of the finished image, for a quantised
        network whose input is not on the scale of an image. None: they stay as they are.
    """

    size_hw: tuple[int, int]
    channels: Channels = 3
    resize: Resize = "shrink"
    fit: Fit = "stretch"
    ground: Ground = "white"
    crop_pct: float | None = None
    crop_offset: CropOffset = "floor"
    pad_color: tuple[int, ...] = (0,)
    levels: tuple[tuple[int, ...], ...] | None = None

    def __post_init__(self) -> None:
        if len(self.size_hw) != 2 or not all(isinstance(side, int) and 1 <= side <= MAX_SIDE for side in self.size_hw):
            raise OptionError(f"image size must be two whole numbers from 1 to {MAX_SIDE}, not {self.size_hw}")
        for name, allowed in _CHOICES.items():
            require_choice(name, getattr(self, name), get_args(allowed))
        self._check_crop()
        self._check_levels()

    @property
    def shape(self) -> tuple[int, int, int]:
        """`(H, W, C)` of the result."""
        return (*self.size_hw, self.channels)

    def __call__(self, image: AnyImage) -> Pixels:
        """uint8 `[H, W, C]`. Raises ImageError when the image cannot be read."""
        return self.prepare(image).pixels

    def prepare(self, image: AnyImage, checks: Checks = _CHECKS) -> Prepared:
        """The pixels and the size of the stored image. Files must pass the checks before they are decoded."""
        try:
            known = pixels_of(image, self.ground) if is_pil_image(image) else cast(ImageLike, image)
            return self._prepare(known, checks)
        except (MemoryError, cv2.error) as error:
            raise ImageError(Reason.TOO_LARGE, f"cannot be resized ({first_line(error)})") from None

    def to_json(self) -> dict[str, Any]:
        """Plain values for the model card. What few models need is there only if it differs from its default."""
        always = {name: getattr(self, name) for name in ("channels", "resize", "fit", "ground")}
        seldom = {
            "crop_pct": self.crop_pct,
            "crop_offset": None if self.crop_offset == "floor" else self.crop_offset,
            "pad_color": None if self.pad_color == (0,) else list(self.pad_color),
            "levels": self.levels and [list(table) for table in self.levels],
        }
        given = {name: value for name, value in seldom.items() if value is not None}
        return {"size_hw": list(self.size_hw), **always, **given}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Preprocess":
        """The inverse of `to_json`. A missing field raises KeyError; extra fields are ignored.

        Cards without `ground` are older than that field: their models were trained with `none`. The fields after it have
        their defaults in older cards.
        """
        levels = fields.get("levels")
        return cls(
            tuple(fields["size_hw"]),
            fields["channels"],
            fields["resize"],
            fields["fit"],
            ground=fields.get("ground", "none"),
            crop_pct=fields.get("crop_pct"),
            crop_offset=fields.get("crop_offset", "floor"),
            pad_color=tuple(fields.get("pad_color", (0,))),
            levels=None if levels is None else tuple(map(tuple, levels)),
        )

    def _check_crop(self) -> None:
        if self.crop_pct is None:
            return
        if type(self.crop_pct) not in (float, int) or not 0 < self.crop_pct <= 1:
            raise OptionError(f"crop_pct must be a number above 0 and at most 1, not {self.crop_pct!r}")
        if (larger := max(self.size_hw) / self.crop_pct) > _LARGEST_SIDE:
            raise OptionError(
                f"crop_pct must not resize images to more than {_LARGEST_SIDE:,} pixels; {self.crop_pct} makes {larger:,.0f}"
            )

    def _check_levels(self) -> None:
        if len(self.pad_color) not in (1, self.channels) or not _are_levels(self.pad_color):
            wanted = "1 level" if self.channels == 1 else "1 or 3 levels"
            raise OptionError(f"pad_color must be {wanted} from 0 to 255, not {self.pad_color}")
        tables = self.levels
        if tables is None:
            return
        if len(tables) not in (1, self.channels) or not all(len(table) == 256 and _are_levels(table) for table in tables):
            wanted = "1 table" if self.channels == 1 else "1 or 3 tables"
            raise OptionError(f"levels must be {wanted} of 256 whole numbers from 0 to 255, not {tables!s:.60}")

    def _prepare(self, image: ImageLike, checks: Checks) -> Prepared:
        if isinstance(image, np.ndarray):
            pixels = _checked(image)
            height, width = pixels.shape[:2]
            return Prepared(self._from_pixels(pixels), (height, width))
        data = read_bytes(image)
        header = checks.header_of(data)
        reduction: Reduction = 1
        if header.format == "JPEG" and self.resize == "shrink":
            reduction = self._jpeg_reduction(header.height, header.width)
        size_hw = (header.height, header.width)
        try:
            pixels = decode(data, header, 3 if self.resize in _PILLOW else self.channels, reduction, self.ground)
        except ImageError as error:
            error.size_hw = size_hw
            raise
        return Prepared(self._from_pixels(pixels), size_hw, read_photo(data, header) if checks.exif else NO_PHOTO)

    def _from_pixels(self, pixels: Pixels) -> Pixels:
        pixels = self._in_channels(pixels)
        layout = self.lay_out(*pixels.shape[:2])
        finished = self._resized(pixels, layout)
        if layout.kept_hw != self.size_hw:
            finished = with_borders(finished, self.size_hw, layout.place, self.pad_color)
        return finished if self.levels is None else through_tables(finished, self.levels)

    def _in_channels(self, pixels: Pixels) -> Pixels:
        if pixels.shape[2] == self.channels:
            return pixels
        if self.channels == 1 and self.resize in _PILLOW:
            return grey_as_pillow(pixels)
        code = cv2.COLOR_GRAY2RGB if self.channels == 3 else cv2.COLOR_RGB2GRAY
        converted = cv2.cvtColor(np.ascontiguousarray(pixels), code)
        return converted.reshape(*pixels.shape[:2], self.channels).astype(np.uint8, copy=False)

    def lay_out(self, height: int, width: int) -> Layout:
        if self.crop_pct is not None:
            return lay_out_larger((height, width), self.size_hw, self.fit, self.crop_pct, self.crop_offset)
        return lay_out((height, width), self.size_hw, self.fit, exact=self.resize in _PILLOW)

    def _jpeg_reduction(self, height: int, width: int) -> Reduction:
        """EXIF may still rotate the stored size, so the reduction must be possible in both orientations."""
        smallest = min(_halvings(self.lay_out(height, width)), _halvings(self.lay_out(width, height)))
        return 8 if smallest >= 8 else 4 if smallest >= 4 else 2 if smallest >= 2 else 1

    def _resized(self, pixels: Pixels, layout: Layout) -> Pixels:
        """What is kept of the resized image."""
        if self.resize in _PILLOW:
            return resize_as_pillow(pixels, layout.resized_hw, _PILLOW[self.resize], layout.box, layout.cut)
        top, left, bottom, right = map(int, layout.box)
        pixels = pixels[top:bottom, left:right]
        if self.resize == "shrink":
            pixels = _halve(pixels, _halvings(layout))
        height, width = layout.resized_hw
        if height * width > MAX_PIXELS:
            raise ImageError(Reason.TOO_LARGE, f"would be resized to {width} x {height} pixels; the sides are too unequal")
        resized = self._resize(pixels, height, width)
        top, left, bottom, right = layout.cut
        return np.ascontiguousarray(resized[top:bottom, left:right])

    def _resize(self, pixels: Pixels, height: int, width: int) -> Pixels:
        if pixels.shape[:2] == (height, width):
            return pixels
        if self.resize == "bilinear":
            return resize_as_tensorflow(pixels, height, width)
        resized = np.asarray(cv2.resize(pixels, (width, height), interpolation=_INTERPOLATION[self.resize]), np.uint8)
        return resized.reshape(height, width, self.channels)


def read_bytes(image: str | os.PathLike[str] | bytes | StoredImage) -> bytes:
    """The bytes of an image file. Raises ImageError, or OptionError for what is no image at all."""
    if isinstance(image, bytes):
        return image
    if isinstance(image, str | os.PathLike):
        return read_file(image)
    if not hasattr(image, "read"):
        kinds = "a path, the bytes of a file, a uint8 array or an image of Pillow"
        raise OptionError(f"an image is {kinds}, not {type(image).__name__!r}")
    return image.read()


def _are_levels(numbers: tuple[int, ...]) -> bool:
    return all(type(number) is int and 0 <= number <= 255 for number in numbers)


def _halvings(layout: Layout) -> int:
    """The largest power of two by which both sides can be divided without becoming shorter than wanted; at least 1."""
    top, left, bottom, right = map(int, layout.box)
    factor = min((bottom - top) // layout.resized_hw[0], (right - left) // layout.resized_hw[1])
    return 1 << max(0, factor.bit_length() - 1)


def _halve(pixels: Pixels, factor: int) -> Pixels:
    """Repeated means over 2x2 blocks, which OpenCV does fast. An odd last row or column is dropped."""
    while factor > 1:
        height, width = pixels.shape[0] // 2, pixels.shape[1] // 2
        smaller = cv2.resize(pixels[: height * 2, : width * 2], (width, height), interpolation=cv2.INTER_AREA)
        pixels = smaller.reshape(height, width, -1).astype(np.uint8, copy=False)
        factor //= 2
    return pixels


def _checked(pixels: NDArray[np.uint8]) -> Pixels:
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] not in (1, 3)):
        raise OptionError(f"pixels must be uint8 [h, w, 3] RGB or [h, w] grey, not {pixels.dtype} {list(pixels.shape)}")
    if pixels.size == 0:
        raise OptionError(f"pixels must hold at least one pixel, not {list(pixels.shape)}")
    return pixels.reshape(*pixels.shape[:2], -1)
