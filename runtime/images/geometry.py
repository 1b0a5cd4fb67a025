"""Which part of an image a model sees, how large it becomes, and where it lies in the model's input."""

import math
from dataclasses import dataclass
from typing import Literal

Fit = Literal["stretch", "crop", "pad"]
CropOffset = Literal["floor", "round", "lobe"]
"""Where the left-over pixel of an odd border goes."""
Resize = Literal[
    "shrink",
    "bilinear",
    "nearest",
    "area",
    "pillow-bilinear",
    "pillow-bicubic",
    "pillow-lanczos",
    "pillow-box",
    "opencv-bilinear",
    "opencv-bicubic",
]
"""How images are resized: our own way, and those of other tools."""
Size = tuple[int, int]
"""Height and width."""


@dataclass(frozen=True)
class Layout:
    """box: top, left, bottom and right of the part of the image that is resized; whole numbers unless `exact` was asked for.

    resized_hw: what that part becomes. cut: top, left, bottom and right of what is kept of that.
    place: where the top left corner of that lies in the model's input.
    """

    box: tuple[float, float, float, float]
    resized_hw: Size
    cut: tuple[int, int, int, int]
    place: Size

    @property
    def kept_hw(self) -> Size:
        """The size of what is kept. Where it is smaller than the model's input, borders are added."""
        return self.cut[2] - self.cut[0], self.cut[3] - self.cut[1]


def lay_out(image_hw: Size, size_hw: Size, fit: Fit, *, exact: bool = False) -> Layout:
    """The layout that fills the model's input. exact: a crop may begin within a pixel, as in Pillow's `ImageOps.fit`."""
    box: tuple[float, float, float, float] = (0, 0, *image_hw)
    if fit == "pad":
        return _centred(box, _inner(image_hw, size_hw), size_hw, "floor")
    if fit == "crop":
        box = _exact_centre(image_hw, size_hw) if exact else _centre(image_hw, size_hw)
    return _centred(box, size_hw, size_hw, "floor")


def lay_out_larger(image_hw: Size, size_hw: Size, fit: Fit, crop_pct: float, offset: CropOffset) -> Layout:
    """The layout that resizes the whole image for an input that is larger by `1 / crop_pct`, and then keeps the centre.

    The sizes are those of torchvision and timm: `crop` is torchvision's `Resize(int)` or, for an input that is not square,
    timm's `ResizeKeepRatio`; `pad` and `stretch` are timm's `border` and `squash`.
    """
    height, width = image_hw
    # A fraction such as 224 / 232 may be rounded up.
    larger_h, larger_w = (math.floor(side / crop_pct + 1e-6) for side in size_hw)
    if fit == "stretch":
        resized = larger_h, larger_w
    elif fit == "crop" and larger_h == larger_w:
        long = larger_h * max(image_hw) / min(image_hw)
        long = round(long) if offset == "lobe" else int(long)
        resized = (larger_h, long) if height <= width else (long, larger_w)
    else:
        ratio = (min if fit == "crop" else max)(height / larger_h, width / larger_w)
        resized = max(1, round(height / ratio)), max(1, round(width / ratio))
    return _centred((0, 0, *image_hw), resized, size_hw, offset)


def _centred(box: tuple[float, float, float, float], resized_hw: Size, size_hw: Size, offset: CropOffset) -> Layout:
    """A side that is too long is cut, and one that is too short gets borders, of which the first is never the wider one."""
    kept = [min(pair) for pair in zip(resized_hw, size_hw, strict=True)]
    borders = [resized - side for resized, side in zip(resized_hw, kept, strict=True)]
    top, left = (round(border / 2) if offset == "round" else border // 2 for border in borders)
    place = (size_hw[0] - kept[0]) // 2, (size_hw[1] - kept[1]) // 2
    return Layout(box, resized_hw, (top, left, top + kept[0], left + kept[1]), place)


def _centre(image_hw: Size, size_hw: Size) -> tuple[int, int, int, int]:
    (height, width), (target_h, target_w) = image_hw, size_hw
    scale = min(height / target_h, width / target_w)
    used_h = max(1, min(height, round(target_h * scale)))
    used_w = max(1, min(width, round(target_w * scale)))
    top, left = (height - used_h) // 2, (width - used_w) // 2
    return top, left, top + used_h, left + used_w


def _exact_centre(image_hw: Size, size_hw: Size) -> tuple[float, float, float, float]:
    """The arithmetic of Pillow's `ImageOps.fit`."""
    (height, width), ratio = image_hw, size_hw[1] / size_hw[0]
    used_h, used_w = float(height), float(width)
    if width / height > ratio:
        used_w = ratio * height
    elif width / height < ratio:
        used_h = width / ratio
    top, left = (height - used_h) * 0.5, (width - used_w) * 0.5
    return top, left, top + used_h, left + used_w


def _inner(image_hw: Size, size_hw: Size) -> Size:
    (height, width), (target_h, target_w) = image_hw, size_hw
    scale = max(height / target_h, width / target_w)
    return max(1, min(round(height / scale), target_h)), max(1, min(round(width / scale), target_w))
