"""The metadata of OpenVINO's Model API, as Geti and OpenVINO Training Extensions write it into ONNX files."""

import json

import pytest

from edgeclf.runtime.errors import EdgeclfError
from edgeclf.runtime.model.conventions.facts import Scaling
from tests.runtime.model.conventions.conftest import OnnxWith, ReadBeside, classes_of, values_of

LABEL_INFO = {"label_names": ["big ant", "bee"], "label_groups": [["big ant", "bee"]], "label_ids": ["0", "1"]}
PROPERTIES = {
    "model_info label_info": json.dumps(LABEL_INFO),
    "model_info labels": "big_ant bee",
    "model_info label_ids": "0 1",
    "model_info model_type": "Classification",
    "model_info task_type": "classification",
    "model_info multilabel": "False",
    "model_info hierarchical": "False",
    "model_info output_raw_scores": "True",
    "model_info mean_values": "123.675 116.28 103.53",
    "model_info scale_values": "58.395 57.12 57.375",
    "model_info resize_type": "standard",
    "model_info pad_value": "0",
    "model_info reverse_input_channels": "False",
}


def test_an_export_of_geti_tells_everything_but_its_head(read_beside: ReadBeside, onnx_with: OnnxWith) -> None:
    facts = read_beside({}, data=onnx_with(PROPERTIES))
    assert facts.tool == "openvino"
    assert classes_of(facts) == (("big ant", "bee"), "ONNX metadata (label_info)")
    assert values_of(facts) == {
        "scaling": Scaling((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
        "channels": "rgb",
        "resize": "opencv-bilinear",
        "fit": "stretch",
    }


def test_other_writers_leave_the_channels_open(read_beside: ReadBeside, onnx_with: OnnxWith) -> None:
    """Model API reads BGR, Training Extensions RGB; only the latter write label_info."""
    properties = {key: value for key, value in PROPERTIES.items() if key != "model_info label_info"}
    facts = read_beside({}, data=onnx_with(properties))
    assert classes_of(facts) == (("big_ant", "bee"), "ONNX metadata (labels)")
    assert "channels" not in values_of(facts)


@pytest.mark.parametrize(
    ("change", "name", "value"),
    [
        ({"resize_type": "crop"}, "fit", "crop"),
        ({"resize_type": "fit_to_window_letterbox", "pad_value": "114"}, "fit", "pad"),
        ({"resize_type": "fit_to_window_letterbox", "pad_value": "114"}, "pad_color", (114, 114, 114)),
        ({"resize_type": "fit_to_window"}, "fit", None),
        ({"interpolation_mode": "AREA"}, "resize", "area"),
        ({"interpolation_mode": "CUBIC"}, "resize", "opencv-bicubic"),
        ({"interpolation_mode": "NEAREST"}, "resize", None),
        ({"reverse_input_channels": "True"}, "channels", "bgr"),
        ({"reverse_input_channels": "maybe"}, "channels", None),
        ({"mean_values": "", "scale_values": ""}, "scaling", Scaling((0.0,), (1.0,))),
        ({"mean_values": "[0.5, 0.5, 0.5]", "scale_values": "1", "intensity_mode": "scale_to_unit"}, "scaling",
         Scaling((127.5,) * 3, (255.0,))),
        ({"intensity_mode": "window"}, "scaling", None),
        ({"input_dtype": "u16"}, "scaling", None),
    ],
)  # fmt: skip
def test_each_parameter_is_a_fact_or_none(
    change: dict[str, str], name: str, value: object, read_beside: ReadBeside, onnx_with: OnnxWith
) -> None:
    properties = PROPERTIES | {f"model_info {key}": text for key, text in change.items()}
    assert values_of(read_beside({}, data=onnx_with(properties))).get(name) == value


@pytest.mark.parametrize(
    ("key", "value", "keyword"),
    [
        ("model_type", "SSD", "is a 'SSD' model"),
        ("multilabel", "True", "yes or no per class"),
        ("hierarchical", "True", "several levels"),
        ("mean_values", "a b c", "mean_values is 'a b c'"),
        ("mean_values", "1 2 3 4 5 6", "one number per channel"),
        ("scale_values", "nan 1 1", "scale_values"),
        ("scale_values", "0 1 1", "has a 0"),
        ("label_info", "{" * 3000, "label_info is not JSON"),
        ("label_info", '{"label_names": [1, 2]}', "has the class 1"),
    ],
)
def test_what_is_no_classifier_or_damaged_is_refused(
    key: str, value: str, keyword: str, read_beside: ReadBeside, onnx_with: OnnxWith
) -> None:
    with pytest.raises(EdgeclfError, match=rf"^[^\n]*{keyword}[^\n]*$"):
        read_beside({}, data=onnx_with(PROPERTIES | {f"model_info {key}": value}))
