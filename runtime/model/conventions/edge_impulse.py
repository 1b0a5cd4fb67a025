"""Edge Impulse: the `model_parameters` that its runner reports, saved as JSON beside the model.

Read in edge-impulse-linux 1.2: `image.py`; in the inferencing SDK: `ei_model_types.h`. Features are from 0 to 1 unless the
learning block scales them otherwise, which the parameters do not say.
"""

from typing import Any

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.conventions.convention import Convention, from_flag
from edgeclf.runtime.model.conventions.evidence import Evidence
from edgeclf.runtime.model.conventions.facts import Fact, Facts
from edgeclf.runtime.model.conventions.json_fields import Fields
from edgeclf.runtime.model.conventions.scales import SCALES

_FITS = {"fit-shortest": "crop", "fit-longest": "pad", "squash": "stretch", "not-reported": "stretch"}

_DEFAULT = "Edge Impulse's default"
_SCALING = SCALES["1/255"].scaling


def read(evidence: Evidence) -> Facts | None:
    fields = _parameters(evidence)
    if fields is None:
        return None
    kind = fields.text("model_type") or "classification"
    if kind != "classification":
        raise ModelError(f"{evidence.package.name} is a {kind[:40]!r} model of Edge Impulse; edgeclf runs classifiers")
    mode = fields.text("image_resize_mode") or "not-reported"
    if mode not in _FITS:
        fields.refuse("image_resize_mode", "fit-shortest, fit-longest or squash")
    height, width = fields.side("image_input_height"), fields.side("image_input_width")
    size_hw = (height, width) if height and width else None
    classes = fields.classes("labels")
    values: dict[str, Any] = {"channels": "rgb", "resize": "area", "fit": _FITS[mode], "scaling": Fact(_SCALING, _DEFAULT)}
    return Facts.of(f"{fields.name} (Edge Impulse)", "edge-impulse", classes=classes, size_hw=size_hw, **values)


def _parameters(evidence: Evidence) -> Fields | None:
    outer = next(evidence.with_keys("model_parameters"), None)
    if outer is not None:
        return outer.inner("model_parameters")
    return next(evidence.with_keys("labels", "image_input_width"), None)


EDGE_IMPULSE = Convention(read, from_flag("edge-impulse", scaling=_SCALING, channels="rgb", resize="area", fit="stretch"))
