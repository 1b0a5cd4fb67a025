"""How Hugging Face's image processors fit an image into the size that the network takes."""

from typing import Any

from edgeclf.runtime.model.conventions.json_fields import Fields, is_side

_Size = tuple[int, int]
_SHORT_SIDE = {"convnext", "clip", "levit", "mobilenetv1", "mobilenetv2", "mobilevit", "poolformer", "bit", "chineseclip"}
"""Those that take a plain number as the short side, not as a square."""
_OTHER_ORDER = {"perceiver", "imagegpt"}
"""They crop before they resize, or do not return images."""
_WARPS_FROM = 384
_CROP_PCT = 224 / 256


def fit_of(images: Fields, kind: str) -> dict[str, Any]:
    """The facts about the fit, by name; empty if it cannot be told. kind: such as `ConvNext`."""
    kind = kind.lower()
    if kind in _OTHER_ORDER or images.flag("do_resize") is False:
        return {}
    square, short = _resized(images, kind)
    target = size_of(images, kind)
    if square is not None and target in (square, None):
        return {"fit": "stretch"}
    if target is None or (square is None and short is None):
        return {}
    crop_pct = target[0] / square[0] if square else min(target) / (short or 1)
    is_uniform = abs(target[0] / square[0] - target[1] / square[1]) < 1e-9 if square else target[0] == target[1]
    if crop_pct > 1 or not is_uniform:
        return {}
    return {"fit": "stretch" if square else "crop", "crop_pct": crop_pct, "crop_offset": "floor"}


def size_of(images: Fields, kind: str) -> _Size | None:
    """Height and width of the result; None if it depends on the image, or cannot be told."""
    kind = kind.lower()
    if kind in _OTHER_ORDER:
        return None
    if images.flag("do_center_crop"):
        return _sides(images, "crop_size")
    square, _ = _resized(images, kind)
    if square is None and kind in ("convnext", "convnextv2"):
        short = _short_side(images, kind)
        return (short, short) if short else None
    return square


def _resized(images: Fields, kind: str) -> tuple[_Size | None, int | None]:
    """To what images are resized before the crop: height and width, or the short side."""
    square, short = _sides(images, "size") if not _is_short(images, kind) else None, _short_side(images, kind)
    if short is None:
        return square, None
    crop_pct = images.number("crop_pct")
    if crop_pct is not None and not 0 < crop_pct <= 1:
        images.refuse("crop_pct", "a part of the image, from 0 to 1")
    if kind == "convnext":
        return ((short, short), None) if short >= _WARPS_FROM else (None, int(short / (crop_pct or _CROP_PCT)))
    if kind == "levit":
        return None, int((256 / 224) * short)
    return None, int(short / crop_pct) if kind == "poolformer" and crop_pct else short


def _is_short(images: Fields, kind: str) -> bool:
    return is_side(images.value("size")) and kind in _SHORT_SIDE


def _short_side(images: Fields, kind: str) -> int | None:
    if _is_short(images, kind):
        return images.side("size")
    size = images.inner("size") if isinstance(images.value("size"), dict) else None
    return size.side("shortest_edge") if size and "longest_edge" not in size else None


def _sides(images: Fields, key: str) -> _Size | None:
    """Height and width from an object with both, or from one number for a square."""
    value = images.value(key)
    if is_side(value):
        return value, value
    sides = images.inner(key)
    height, width = (sides.side("height"), sides.side("width")) if sides else (None, None)
    return (height, width) if height and width else None
