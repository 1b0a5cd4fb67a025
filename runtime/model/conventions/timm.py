"""timm: `config.json` as `save_config_for_hf` writes it, with the image settings in `pretrained_cfg`.

Read in timm 1.0: `models/_hub.py`, `data/config.py`, `data/transforms_factory.py`.
"""

from typing import Any

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.conventions.convention import Convention, from_flag
from edgeclf.runtime.model.conventions.evidence import Evidence
from edgeclf.runtime.model.conventions.facts import Fact, Facts, Scaling
from edgeclf.runtime.model.conventions.json_fields import Fields, is_side
from edgeclf.runtime.model.conventions.scales import SCALES
from edgeclf.runtime.terminal.plural import plural

_DEFAULT = "timm's default"
_RESIZES = {"bilinear": "pillow-bilinear", "bicubic": "pillow-bicubic", "lanczos": "pillow-lanczos", "box": "pillow-box"}
_RESIZES["nearest"] = "nearest"
_CROP_PCT = 0.875
_FITS = {"center": "crop", "squash": "stretch", "border": "pad"}


def read(evidence: Evidence) -> Facts | None:
    fields = next(evidence.with_keys("pretrained_cfg"), None) or next(
        evidence.with_keys("architecture", "num_classes"), None
    )
    if fields is None:
        return None
    settings = fields.inner("pretrained_cfg") or fields  # timm wrote them flat before 0.9
    origin = f"{fields.name} (pretrained_cfg)" if "pretrained_cfg" in fields else fields.name
    crop_pct, resize = settings.number("crop_pct"), settings.text("interpolation")
    if crop_pct is not None and not 0 < crop_pct <= 1:
        settings.refuse("crop_pct", "a part of the image, from 0 to 1")
    scaling = _scaling(settings)
    return Facts.of(
        origin,
        "timm",
        classes=_classes(fields),
        scaling=scaling or Fact(SCALES["imagenet"].scaling, _DEFAULT),
        channels=Fact("rgb", _DEFAULT),
        size_hw=_size(settings),
        resize=_RESIZES.get(resize) if resize else Fact("pillow-bicubic", _DEFAULT),
        crop_pct=crop_pct or Fact(_CROP_PCT, _DEFAULT),
        crop_offset=Fact("round", _DEFAULT),
        head=Fact("logits", _DEFAULT),
        **_fit(settings, scaling),
    )


def _classes(fields: Fields) -> Fact[tuple[str, ...]] | None:
    classes, count = fields.classes("label_names"), fields.side("num_classes")
    if classes and count and len(classes.value) != count:
        named = f"{classes.origin} names {plural(len(classes.value), 'class')}"
        raise ModelError(f"{named}, but num_classes in {fields.where} is {count}; correct one of them")
    return classes


def _scaling(settings: Fields) -> Scaling | None:
    """timm scales to 0..1 first."""
    mean, std = settings.numbers("mean"), settings.numbers("std")
    if std and 0 in std:
        settings.refuse("std", "a number other than 0")
    return Scaling(tuple(255 * value for value in mean), tuple(255 * value for value in std)) if mean and std else None


def _size(settings: Fields) -> tuple[int, int] | None:
    """From channels, height and width."""
    shape = settings.value("input_size")
    if shape is None:
        return None
    if not (isinstance(shape, list) and len(shape) == 3 and all(map(is_side, shape))):
        settings.refuse("input_size", "channels, height and width")
    return shape[1], shape[2]


def _fit(settings: Fields, scaling: Scaling | None) -> dict[str, Any]:
    mode = settings.text("crop_mode")
    if mode is not None and mode not in _FITS:
        settings.refuse("crop_mode", "center, squash or border")
    if mode != "border":
        return {"fit": _FITS[mode] if mode else Fact("crop", _DEFAULT)}
    mean = scaling or SCALES["imagenet"].scaling
    return {"fit": "pad", "pad_color": tuple(round(level) for level in mean.mean)}


TIMM = Convention(
    read,
    from_flag(
        "timm",
        scaling=SCALES["imagenet"].scaling,
        channels="rgb",
        resize="pillow-bicubic",
        fit="crop",
        crop_pct=_CROP_PCT,
        crop_offset="round",
        head="logits",
    ),
)
