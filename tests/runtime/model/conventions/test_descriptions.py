"""The tools whose description is one small file: Lobe, Luxonis, Edge Impulse, Teachable Machine, Frigate."""

from typing import Any

import pytest

from edgeclf.runtime.errors import EdgeclfError
from edgeclf.runtime.model.conventions.facts import Facts, Scaling
from tests.runtime.model.conventions.conftest import ReadBeside, classes_of, values_of

UNIT = Scaling((0.0,), (255.0,))
LOBE = {
    "doc_id": "0c", "doc_name": "Pets", "doc_version": "7", "format": "onnx", "version": 60, "export_model_version": 1,
    "inputs": {"Image": {"dtype": "float32", "shape": [None, 224, 224, 3], "name": "Image:0"}},
    "outputs": {"Confidences": {"dtype": "float32", "shape": [None, 2], "name": "Softmax:0"}},
    "classes": {"Label": ["cat", "dog"]}, "filename": "model.onnx",
}  # fmt: skip
PREPROCESSING: dict[str, Any] = {
    "mean": [123.675, 116.28, 103.53], "scale": [58.395, 57.12, 57.375], "reverse_channels": None,
    "interleaved_to_planar": None, "dai_type": "RGB888p", "resize_mode": None,
}  # fmt: skip
HEAD = {"name": None, "parser": "ClassificationParser", "outputs": ["output"]}
RESULT = {"postprocessor_path": None, "classes": ["cat", "dog"], "n_classes": 2, "is_softmax": False}
EDGE_IMPULSE = {
    "model_type": "classification", "labels": ["cat", "dog"], "image_input_width": 96, "image_input_height": 64,
    "image_channel_count": 3, "image_resize_mode": "fit-shortest", "sensor": 3,
}  # fmt: skip
TM_LABELS = "0 Class 1\n1 Class 2\n"


def luxonis(
    result: dict[str, Any] | None = None, parser: str = "ClassificationParser", **settings: object
) -> dict[str, Any]:
    image = {"name": "image", "dtype": "float32", "input_type": "image", "shape": [1, 3, 224, 224], "layout": "NCHW"}
    model = {
        "metadata": {"name": "x", "path": "model.onnx", "precision": "float32"},
        "inputs": [image | {"preprocessing": PREPROCESSING | settings}],
        "outputs": [{"name": "output", "dtype": "float32"}],
        "heads": [HEAD | {"parser": parser, "metadata": RESULT | (result or {})}],
    }
    return {"config_version": "1.0", "model": model}


def test_lobe_fills_the_square(read_beside: ReadBeside) -> None:
    facts = read_beside({"signature.json": LOBE, "labels.txt": "cat\ndog\n"})
    assert facts.tool == "lobe"
    assert classes_of(facts) == (("cat", "dog"), "signature.json (Label)")
    assert values_of(facts) == {
        "scaling": UNIT,
        "channels": "rgb",
        "size_hw": (224, 224),
        "resize": "pillow-bicubic",
        "fit": "crop",
        "crop_pct": 1.0,
        "crop_offset": "lobe",
        "head": "softmax",
    }


def test_luxonis_has_scaling_channels_and_head(read_beside: ReadBeside) -> None:
    facts = read_beside({"config.json": luxonis()})
    assert facts.tool == "luxonis"
    assert classes_of(facts) == (("cat", "dog"), "config.json (classes)")
    assert values_of(facts) == {
        "scaling": Scaling((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
        "channels": "rgb",
        "resize": "opencv-bilinear",
        "head": "logits",
    }


@pytest.mark.parametrize(
    ("settings", "name", "value"),
    [
        ({"dai_type": "BGR888p"}, "channels", "bgr"),
        ({"dai_type": "GRAY8"}, "channels", None),
        ({"dai_type": None, "reverse_channels": True}, "channels", "rgb"),
        ({"dai_type": None, "reverse_channels": False}, "channels", "bgr"),
        ({"dai_type": None}, "channels", None),
        ({"resize_mode": "LETTERBOX"}, "fit", "pad"),
        ({"resize_mode": "CROP"}, "fit", "crop"),
        ({"mean": None}, "scaling", Scaling((0.0,), (58.395, 57.12, 57.375))),
        ({"mean": None, "scale": None}, "scaling", None),
        ({"result": {"is_softmax": True}}, "head", "softmax"),
    ],
)
def test_each_setting_of_luxonis_is_a_fact(
    settings: dict[str, Any], name: str, value: object, read_beside: ReadBeside
) -> None:
    assert values_of(read_beside({"config.json": luxonis(**settings)})).get(name) == value


@pytest.mark.parametrize("wrap", [lambda fields: {"model_parameters": fields}, dict], ids=["wrapped", "flat"])
def test_edge_impulse_says_all_but_the_scaling_of_its_default(wrap: Any, read_beside: ReadBeside) -> None:
    facts = read_beside({"model_parameters.json": wrap(EDGE_IMPULSE)})
    assert facts.tool == "edge-impulse"
    assert classes_of(facts) == (("cat", "dog"), "model_parameters.json (labels)")
    expected = {"scaling": UNIT, "channels": "rgb", "size_hw": (64, 96), "resize": "area", "fit": "crop"}
    assert values_of(facts) == expected
    assert facts.known()["scaling"].origin == "Edge Impulse's default"


@pytest.mark.parametrize(("mode", "fit"), [("fit-longest", "pad"), ("squash", "stretch"), (None, "stretch")])
def test_each_resize_mode_of_edge_impulse_is_a_fit(mode: str | None, fit: str, read_beside: ReadBeside) -> None:
    assert values_of(read_beside({"m.json": EDGE_IMPULSE | {"image_resize_mode": mode}}, "m.onnx"))["fit"] == fit


AS_TEACHABLE_MACHINE = {
    "scaling": Scaling((127.5,), (127.5,)),
    "channels": "rgb",
    "resize": "pillow-lanczos",
    "fit": "crop",
    "head": "softmax",
}


@pytest.mark.parametrize(
    "name", ["keras_model.h5", "model_unquant.tflite", "model.tflite", "model.savedmodel/saved_model.pb"]
)
def test_teachable_machine_is_known_by_its_files(name: str, read_beside: ReadBeside, bare_tflite: bytes) -> None:
    facts = read_beside({"labels.txt": TM_LABELS}, name, bare_tflite)
    assert (facts.tool, values_of(facts)) == ("teachable-machine", AS_TEACHABLE_MACHINE)
    assert classes_of(facts) == (("Class 1", "Class 2"), "labels.txt")


def test_teachable_machine_for_the_web_lists_its_labels(read_beside: ReadBeside) -> None:
    metadata = {"tfjsVersion": "1.7.4", "tmVersion": "2.4.7", "packageName": "@teachablemachine/image", "labels": ["a", "b"]}
    facts = read_beside({"metadata.json": metadata | {"imageSize": 224, "userMetadata": {}}}, "keras_model.h5", b"x")
    assert (facts.tool, values_of(facts)) == ("teachable-machine", AS_TEACHABLE_MACHINE)
    assert classes_of(facts) == (("a", "b"), "metadata.json (labels)")


@pytest.mark.parametrize(
    ("model", "labels"), [("model_unquant.tflite", "ant\nbee\n"), ("ants.tflite", TM_LABELS)], ids=["labels", "name"]
)
def test_other_files_are_not_of_teachable_machine(
    model: str, labels: str, read_beside: ReadBeside, bare_tflite: bytes
) -> None:
    facts = read_beside({"labels.txt": labels}, model, bare_tflite)
    assert (facts.tool, values_of(facts)) == ("", {})


def test_frigate_stretches_with_opencv(read_beside: ReadBeside, bare_tflite: bytes) -> None:
    facts = read_beside({"labelmap.txt": "none\nopen\n"}, "model.tflite", bare_tflite)
    assert (facts.tool, classes_of(facts)) == ("frigate", (("none", "open"), "labelmap.txt"))
    assert values_of(facts) == {"channels": "rgb", "resize": "opencv-bilinear", "fit": "stretch"}


def test_a_model_without_a_description_has_no_facts(read_beside: ReadBeside) -> None:
    assert read_beside({"notes.json": {"a": 1}, "config.json": {"b": [1]}, "metadata.json": [1]}) == Facts()


@pytest.mark.parametrize(
    ("files", "keyword"),
    [
        ({"config.json": luxonis(parser="YOLO")}, "'YOLO'"),
        ({"config.json": luxonis(resize_mode="ZOOM")}, "resize_mode"),
        ({"config.json": luxonis(scale=[0, 1, 1])}, "scale as"),
        ({"config.json": luxonis(result={"is_softmax": "yes"})}, "is_softmax"),
        ({"config.json": {"config_version": "1.0", "model": {"inputs": "x"}}}, "inputs as 'x'"),
        ({"config.json": {"config_version": "1.0", "model": {"inputs": [7]}}}, "inputs"),
        ({"config.json": {"config_version": "1.0", "model": [1]}}, "model as"),
        ({"m.json": EDGE_IMPULSE | {"model_type": "object_detection"}}, "'object_detection' model"),
        ({"m.json": EDGE_IMPULSE | {"image_resize_mode": "zoom"}}, "image_resize_mode as 'zoom'"),
        ({"m.json": EDGE_IMPULSE | {"labels": {"a": "b"}}}, "labels as"),
        ({"signature.json": LOBE | {"inputs": 7}}, "inputs as 7"),
        ({"signature.json": LOBE | {"classes": {"Label": ["cat", None]}}}, "has the class None"),
        ({"signature.json": LOBE | {"classes": {"Label": "cat"}}}, "Label as 'cat'"),
    ],
)
def test_a_damaged_description_is_refused_by_name(files: dict[str, Any], keyword: str, read_beside: ReadBeside) -> None:
    with pytest.raises(EdgeclfError, match=rf"^[^\n]*{keyword}[^\n]*$"):
        read_beside(files, "m.onnx")
