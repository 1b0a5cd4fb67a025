"""Frigate's own classifiers: `model.tflite` with `labelmap.txt`.

Read in frigate: `data_processing/real_time/custom_classification.py`. Levels go into the network as they are.
"""

from edgeclf.runtime.model.conventions.convention import Convention, from_flag
from edgeclf.runtime.model.conventions.evidence import Evidence
from edgeclf.runtime.model.conventions.facts import Facts

_AS_TOOL = {"channels": "rgb", "resize": "opencv-bilinear", "fit": "stretch"}


def read(evidence: Evidence) -> Facts | None:
    labels = next((path for path in evidence.labels if path.name == "labelmap.txt"), None)
    if evidence.package.path.name != "model.tflite" or labels is None or evidence.descriptions:
        return None
    return Facts.of("the files of Frigate", "frigate", **_AS_TOOL)


FRIGATE = Convention(read, from_flag("frigate", **_AS_TOOL))
