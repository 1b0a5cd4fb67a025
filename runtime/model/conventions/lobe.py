"""Lobe: `signature.json` beside the model. Read in lobe-python 0.6: `signature.py`, `image_utils.py`."""

from typing import Any

from edgeclf.runtime.model.conventions.convention import Convention, from_flag
from edgeclf.runtime.model.conventions.evidence import Evidence
from edgeclf.runtime.model.conventions.facts import Facts
from edgeclf.runtime.model.conventions.json_fields import Fields, is_side
from edgeclf.runtime.model.conventions.scales import SCALES

_AS_TOOL: dict[str, Any] = {
    "scaling": SCALES["1/255"].scaling,
    "channels": "rgb",
    "resize": "pillow-bicubic",
    "fit": "crop",
    "crop_pct": 1.0,
    "crop_offset": "lobe",
    "head": "softmax",
}


def read(evidence: Evidence) -> Facts | None:
    for fields in evidence.with_keys("inputs", "classes"):
        classes, inputs = fields.inner("classes"), fields.inner("inputs")
        image = inputs.inner("Image") if inputs else None
        if classes and image and "Label" in classes:
            size_hw, labels = _size(image), classes.classes("Label")
            return Facts.of(f"{fields.name} (Lobe)", "lobe", classes=labels, size_hw=size_hw, **_AS_TOOL)
    return None


def _size(image: Fields) -> tuple[int, int] | None:
    """From a batch, height, width and channels."""
    shape = image.value("shape")
    if not (isinstance(shape, list) and len(shape) == 4 and all(map(is_side, shape[1:3]))):
        return None
    return shape[1], shape[2]


LOBE = Convention(read, from_flag("lobe", **_AS_TOOL))
