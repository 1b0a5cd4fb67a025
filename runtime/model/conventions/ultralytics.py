"""Ultralytics (YOLO): metadata inside the exported file, with the classes as the text of a Python dictionary.

Read in ultralytics 8.4: `engine/exporter.py`, `data/augment.py`, `nn/backends/base.py`. An ONNX file has metadata
properties. A TFLite file has a zip behind it with the same as JSON or, from older versions, as the text of a dictionary.
A folder has it as `metadata.yaml`.
"""

import ast
import json
import re
import warnings
from typing import Any

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.conventions.convention import Convention, from_flag
from edgeclf.runtime.model.conventions.evidence import Evidence
from edgeclf.runtime.model.conventions.facts import Fact, Facts
from edgeclf.runtime.model.conventions.json_fields import is_side, read_text
from edgeclf.runtime.model.conventions.scales import SCALES
from edgeclf.runtime.model.conventions.ultralytics_yaml import read_metadata
from edgeclf.runtime.model.label_formats import names_in_value
from edgeclf.runtime.model.labels import distinct_classes

_MAX_TEXT = 1 << 20
_KINDS = {"detect": "detection", "segment": "segmentation", "pose": "pose", "obb": "rotated-box detection"}
_AS_TOOL: dict[str, Any] = {
    "scaling": SCALES["1/255"].scaling,
    "channels": "rgb",
    "resize": "pillow-bilinear",
    "fit": "crop",
    "crop_pct": 1.0,
    "crop_offset": "round",
    "head": "softmax",
}
_OLD = re.compile(r"8\.0\.(?:\d\d?|1\d\d|2[0-2]\d|23[0-2])")
"""Versions in which OpenCV resized the square in the middle."""
_BEFORE_8_1 = {"resize": "opencv-bilinear", "crop_pct": None, "crop_offset": None}


def read(evidence: Evidence) -> Facts | None:
    metadata, origin = _metadata(evidence)
    task = metadata.get("task")
    if not isinstance(task, str) or "names" not in metadata:
        return None
    if task != "classify":
        kind = _KINDS.get(task, f"{task[:40]!r}")
        raise ModelError(
            f"{evidence.package.name} is a {kind} model of Ultralytics; edgeclf runs classifiers (task classify)"
        )
    values = _AS_TOOL | (_BEFORE_8_1 if _OLD.fullmatch(str(metadata.get("version", ""))[:20]) else {})
    size_hw = _size(_parsed(metadata.get("imgsz"), f"{origin} (imgsz)"))
    if size_hw and size_hw[0] != size_hw[1]:  # Ultralytics then resizes to exactly this size
        values |= {"fit": "stretch", "crop_pct": None, "crop_offset": None}
    where = f"{origin} (names)"
    names = names_in_value(_with_text_keys(_parsed(metadata["names"], f"{evidence.package.name}: {where}")))
    if names is None:
        raise ModelError(f"{evidence.package.name}: {where} are not names by numbers from 0; export the model again")
    classes = distinct_classes(names, f"{evidence.package.name}: {where}")
    return Facts.of(f"{origin} (Ultralytics)", "ultralytics", classes=Fact(classes, where), size_hw=size_hw, **values)


def _metadata(evidence: Evidence) -> tuple[dict[str, Any], str]:
    """All fields, and where they were. Of a TFLite file, any member may hold them."""
    if evidence.properties:
        return dict(evidence.properties), "ONNX metadata"
    for name, content in evidence.members.items():
        text = content.decode("utf-8", "replace")
        if "task" not in text or "names" not in text or len(text) > _MAX_TEXT:
            continue
        try:
            fields = json.loads(text) if text.lstrip().startswith('{"') or name.endswith(".json") else _literal(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(fields, dict) and "task" in fields:
            return fields, f"{name} inside the file"
    for path in evidence.package.files(["metadata.yaml"] if evidence.whole_folder else []):
        return read_metadata(read_text(path)), path.name
    return {}, ""


def _parsed(value: Any, where: str) -> Any:
    """The value of a Python literal; anything but text as it is. No code is run."""
    if not isinstance(value, str):
        return value
    if len(value) > _MAX_TEXT:
        raise ModelError(
            f"{where} has {len(value):,} characters, and no list of classes is that long; export the model again"
        )
    try:
        return _literal(value)
    except ValueError:
        raise ModelError(f"{where} is not the text of a dictionary or a list; export the model again") from None


def _literal(text: str) -> Any:
    """Raises ValueError for anything but a literal."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of a backslash in a name
            return ast.literal_eval(text)
    except (SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError(str(error)) from None


def _with_text_keys(names: Any) -> Any:
    return {str(number): name for number, name in names.items()} if isinstance(names, dict) else names


def _size(sides: Any) -> tuple[int, int] | None:
    is_size = isinstance(sides, list | tuple) and len(sides) == 2 and all(map(is_side, sides))
    return (sides[0], sides[1]) if is_size else None


ULTRALYTICS = Convention(read, from_flag("ultralytics", **_AS_TOOL))
