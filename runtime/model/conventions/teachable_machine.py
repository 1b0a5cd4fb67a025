"""Teachable Machine: files of fixed names with `labels.txt`, whose lines are numbered.

Read in teachablemachine-community: `snippets/markdown/image/tensorflow/keras.md`, `snippets/converter/image/api.py`.
"""

import re
from typing import Any

from edgeclf.runtime.model.conventions.convention import Convention, from_flag
from edgeclf.runtime.model.conventions.evidence import Evidence
from edgeclf.runtime.model.conventions.facts import Facts
from edgeclf.runtime.model.conventions.json_fields import read_text
from edgeclf.runtime.model.conventions.scales import SCALES

_FILES = {"keras_model.h5", "model_unquant.tflite", "model.savedmodel", "model.tflite"}
_NUMBERED = re.compile(r"0 \S")
_PACKAGE = "@teachablemachine/image"
_AS_TOOL: dict[str, Any] = {
    "scaling": SCALES["-1..1"].scaling,
    "channels": "rgb",
    "resize": "pillow-lanczos",
    "fit": "crop",
    "head": "softmax",
}


def read(evidence: Evidence) -> Facts | None:
    for fields in evidence.with_keys("labels", "packageName"):
        if fields.value("packageName") == _PACKAGE:
            return Facts.of(
                f"{fields.name} (Teachable Machine)", "teachable-machine", classes=fields.classes("labels"), **_AS_TOOL
            )
    if evidence.package.path.name not in _FILES or evidence.descriptions or evidence.own_descriptions:
        return None
    for path in evidence.labels:
        if path.name == "labels.txt" and _NUMBERED.match(read_text(path)):
            is_usual_name = evidence.package.path.name == "model.tflite"  # others call their files so, too
            origin = "file names" if is_usual_name else "the files of Teachable Machine"
            return Facts.of(origin, "teachable-machine", **_AS_TOOL)
    return None


TEACHABLE_MACHINE = Convention(read, from_flag("teachable-machine", **_AS_TOOL))
