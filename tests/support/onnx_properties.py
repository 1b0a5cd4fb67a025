"""The metadata that other tools write into their ONNX classifiers of 16 x 16."""

import json
from collections.abc import Sequence


def ultralytics_properties(names: Sequence[str]) -> dict[str, str]:
    return {"task": "classify", "imgsz": "[16, 16]", "names": str(dict(enumerate(names))), "version": "8.4.0"}


def geti_properties(names: Sequence[str]) -> dict[str, str]:
    ids = [str(number) for number in range(len(names))]
    labels = {"label_names": list(names), "label_groups": [list(names)], "label_ids": ids}
    return {
        "model_info label_info": json.dumps(labels),
        "model_info model_type": "Classification",
        "model_info output_raw_scores": "True",
        "model_info mean_values": "123.675 116.28 103.53",
        "model_info scale_values": "58.395 57.12 57.375",
        "model_info resize_type": "standard",
        "model_info reverse_input_channels": "False",
    }
