"""OpenVINO's Model API, OpenVINO Training Extensions and Geti: metadata properties `model_info ...` of an ONNX file.

Read in openvino-model-api 0.4: `adapters/onnx_adapter.py`, `models/parameters.py`, `adapters/utils.py`; in getitune 0.4:
`backend/lightning/exporter/base.py`, `types/export.py`.
"""

import math
from typing import Any

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.conventions.convention import Convention, from_flag
from edgeclf.runtime.model.conventions.evidence import Evidence
from edgeclf.runtime.model.conventions.facts import Fact, Facts, Scaling
from edgeclf.runtime.model.conventions.json_fields import parse_fields
from edgeclf.runtime.model.labels import distinct_classes

_PREFIX = "model_info "
_ORIGIN = "ONNX metadata"
_FITS = {"standard": "stretch", "crop": "crop", "fit_to_window_letterbox": "pad"}
_RESIZES = {"LINEAR": "opencv-bilinear", "CUBIC": "opencv-bicubic", "AREA": "area"}
_TRUE, _FALSE = ("True", "true", "YES", "1"), ("False", "false", "NO", "0")


def read(evidence: Evidence) -> Facts | None:
    info = {key[len(_PREFIX) :]: value for key, value in evidence.properties.items() if key.startswith(_PREFIX)}
    if not info:
        return None
    model = evidence.package.name
    _check_task(info, model)
    fit = _FITS.get(info.get("resize_type", "standard"))
    return Facts.of(
        f"{_ORIGIN} (model_info)",
        "openvino",
        classes=_classes(info, model),
        scaling=_scaling(info, model),
        channels=_channels(info),
        resize=_RESIZES.get(info.get("interpolation_mode", "LINEAR")),
        fit=fit,
        pad_color=_pad_color(info) if fit == "pad" else None,
    )


def _check_task(info: dict[str, str], model: str) -> None:
    kind = info.get("model_type", "Classification")
    if kind.lower() != "classification":
        raise ModelError(f"{model} is a {kind[:40]!r} model of OpenVINO; edgeclf runs classifiers")
    for name, answer in (("multilabel", "a yes or no per class"), ("hierarchical", "a class on several levels")):
        if info.get(name) in _TRUE:
            raise ModelError(f"{model} gives {answer} (model_info {name}); edgeclf runs models that give one class")


def _classes(info: dict[str, str], model: str) -> Fact[tuple[str, ...]] | None:
    """`labels` are separated by spaces and have underscores for their own; `label_info` has them as they are."""
    if "label_info" in info:
        fields = parse_fields(info["label_info"], f"{_ORIGIN} (label_info)", f"{model}: model_info label_info")
        names = fields.value("label_names") if fields else None
        if isinstance(names, list):
            return Fact(distinct_classes(names, f"{model}: model_info label_info"), f"{_ORIGIN} (label_info)")
    names = info.get("labels", "").split()
    return Fact(distinct_classes(names, f"{model}: model_info labels"), f"{_ORIGIN} (labels)") if names else None


def _scaling(info: dict[str, str], model: str) -> Scaling | None:
    """Values are in levels, unless images are scaled to 0..1 first. Other kinds of scaling are not for plain images."""
    mode = info.get("intensity_mode", "none")
    unit = 255.0 if mode == "scale_to_unit" else 1.0
    if mode not in ("none", "scale_to_unit") or info.get("input_dtype", "u8") != "u8":
        return None
    mean, std = (_numbers(info.get(name, ""), f"{model}: model_info {name}") for name in ("mean_values", "scale_values"))
    if 0 in std:
        raise ModelError(f"{model}: model_info scale_values has a 0; export the model again")
    return Scaling(tuple(unit * value for value in mean or (0.0,)), tuple(unit * value for value in std or (1.0,)))


def _numbers(text: str, where: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(word) for word in text.strip("[]() ").replace(",", " ").split()[:5])
    except ValueError:
        numbers = (math.nan,)
    if len(numbers) > 4 or not all(map(math.isfinite, numbers)):
        raise ModelError(f"{where} is {text[:60]!r}, which is not one number per channel; export the model again")
    return numbers


def _channels(info: dict[str, str]) -> str | None:
    """Training Extensions, which write `label_info`, read images as RGB. Others may mean BGR: then it cannot be told."""
    reverses = info.get("reverse_input_channels")
    if "label_info" not in info or reverses not in (*_TRUE, *_FALSE):
        return None
    return "bgr" if reverses in _TRUE else "rgb"


def _pad_color(info: dict[str, str]) -> tuple[int, ...] | None:
    text = info.get("pad_value", "0")
    return (int(text),) * 3 if text.isascii() and text.isdecimal() and len(text) < 4 and int(text) < 256 else None


def _defaults() -> dict[str, Any]:
    return {"resize": "opencv-bilinear", "fit": "stretch"}


OPENVINO = Convention(read, from_flag("openvino", **_defaults()))
