"""Azure Custom Vision: metadata properties of the ONNX file, and `metadata_properties.json` beside it.

Read in customvision-export-samples: `python/onnx/classification/predict.py`, which stretches the image. A description that
crops the centre out of a larger image is followed.
"""

import json
from typing import Any

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.conventions.convention import Convention, from_flag
from edgeclf.runtime.model.conventions.evidence import Evidence
from edgeclf.runtime.model.conventions.facts import Facts, Scaling
from edgeclf.runtime.model.conventions.json_fields import Fields, is_side
from edgeclf.runtime.model.conventions.scales import SCALES
from edgeclf.runtime.model.formats import model_format

_FORMAT, _RANGE = "Image.BitmapPixelFormat", "Image.NominalPixelRange"
_PREPROCESS = "CustomVision.Preprocess."
_METHOD = "CustomVision.Postprocess.Method"
_CHANNELS = {"bgr8": "bgr", "bgra8": "bgr", "rgb8": "rgb", "rgba8": "rgb"}
_SCALES = {"nominalrange_0_255": "none", "normalized_0_1": "1/255", "nominalrange_0_1": "1/255", "normalized_1_1": "-1..1"}


def read(evidence: Evidence) -> Facts | None:
    beside = next((fields for fields in _beside(evidence)), None)
    inside = Fields(dict(evidence.properties), "ONNX metadata", f"{evidence.package.name}: metadata")
    is_custom_vision = beside is not None or _METHOD in inside or _PREPROCESS + "ResizeMethod" in inside
    if not is_custom_vision and not (_FORMAT in inside and _RANGE in inside):
        return None
    fields = inside if _FORMAT in inside or beside is None else beside
    properties = Fields({**(beside.values if beside else {}), **inside.values}, fields.name, fields.where)
    _check_task(evidence, properties)
    facts = Facts.of(
        f"{fields.name} (Image.*)",
        channels=_CHANNELS.get((properties.text(_FORMAT) or "").lower()),
        scaling=_scaling(properties),
    )
    if not is_custom_vision:  # ONNX defines the Image.* properties for all tools
        return facts
    origin = f"{(beside or fields).name} (Custom Vision)"
    resized = Facts.of(origin, "custom-vision", resize="pillow-bicubic", **_fit(properties))
    return facts.over(resized).over(_as_in_the_samples(evidence, properties))


def _as_in_the_samples(evidence: Evidence, properties: Fields) -> Facts:
    """What the sample programs do for a file without the properties: ONNX gets RGB of 0 to 1, TensorFlow BGR of 0 to 255."""
    channels, scale = ("rgb", "1/255") if model_format(evidence.package.path) == "ONNX" else ("bgr", "none")
    return Facts.of(
        "Custom Vision's samples",
        channels=channels if _FORMAT not in properties else None,
        scaling=SCALES[scale].scaling if _RANGE not in properties and _is_plain(properties) else None,  # type: ignore[index]
    )


def _beside(evidence: Evidence) -> list[Fields]:
    every = evidence.every_description()
    return [fields for fields in every if any(key.startswith(("CustomVision.", _FORMAT)) for key in fields.values)]


def _check_task(evidence: Evidence, properties: Fields) -> None:
    method = properties.text(_METHOD) or ""
    manifest = next(evidence.with_keys("DomainType"), None)
    domain = (manifest.text("DomainType") if manifest else None) or ""
    if "detect" in domain.lower() or method.lower().startswith(("yolo", "ssd")):
        raise ModelError(f"{evidence.package.name} is a detection model of Custom Vision; edgeclf runs classifiers")
    if "multilabel" in method.lower():
        answer = f"a yes or no per tag ({_METHOD}: {method})"
        raise ModelError(f"{evidence.package.name} gives {answer}; train a project of the type Multiclass")


def _scaling(properties: Fields) -> Scaling | None:
    name = _SCALES.get((properties.text(_RANGE) or "").lower())
    if name is None:
        return None
    return SCALES[name].scaling if _is_plain(properties) else None  # type: ignore[index]


def _is_plain(properties: Fields) -> bool:
    """Whether nothing is subtracted or divided by after the range, in units that nobody states."""
    mean, std = (_numbers(properties, _PREPROCESS + key) for key in ("NormalizeMean", "NormalizeStd"))
    return not any(mean) and set(std) <= {1.0}


def _numbers(properties: Fields, key: str) -> tuple[float, ...]:
    """From the text of a list."""
    text = properties.text(key)
    try:
        parsed = {key: json.loads(text) if text else []}
    except (ValueError, RecursionError):
        properties.refuse(key, "the text of a list of numbers")
    return Fields(parsed, properties.name, properties.where).numbers(key) if parsed[key] else ()  # type: ignore[return-value]


def _fit(properties: Fields) -> dict[str, Any]:
    """The names of the methods: `Stretch`, `ByShorterSide...`; `OneCropCenter`, `FullImageShorterSide`."""
    if (properties.text(_PREPROCESS + "CropMethod") or "").lower() != "onecropcenter":
        return {"fit": "stretch"}
    target, crop = (_side(properties, f"{name}Height") for name in ("Target", "Crop"))
    if not target or not crop or crop > target:
        return {}
    is_stretched = "shorterside" not in (properties.text(_PREPROCESS + "ResizeMethod") or "").lower()
    return {"fit": "stretch" if is_stretched else "crop", "crop_pct": crop / target, "crop_offset": "floor"}


def _side(properties: Fields, name: str) -> int | None:
    text = properties.text(_PREPROCESS + name) or ""
    side = int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else None
    return side if is_side(side) else None


CUSTOM_VISION = Convention(
    read,
    from_flag("custom-vision", scaling=SCALES["none"].scaling, channels="bgr", resize="pillow-bicubic", fit="stretch"),
)
