"""An adopted ONNX file answers as the file of the other tool does behind that tool's own pipeline."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgeclf.runtime import Classifier
from edgeclf.runtime.errors import ModelError, OptionError
from edgeclf.runtime.model.adoption import onnx_trial
from edgeclf.runtime.model.adoption.adopted import Adopted
from edgeclf.runtime.model.adoption.onnx_surgery import adopt_onnx
from edgeclf.runtime.model.conventions.facts import Fact, Facts, Scaling
from edgeclf.runtime.model.digest import content_digest, embedded_digest
from tests.support.foreign_onnx import SIDE, foreign_onnx, own_scores, set_shape, softmax

MEAN, STD = (123.7, 116.3, 103.5), (58.4, 57.1, 57.4)
CLASSES = ("ants", "bees", "cats")
FACTS = Facts(classes=Fact(CLASSES, "labels.txt"), scaling=Fact(Scaling(MEAN, STD), "config.json"))
PIXELS = np.random.default_rng(1).integers(0, 256, (5, SIDE, SIDE, 3), np.uint8)
PIXELS[0], PIXELS[1, ..., 0], PIXELS[2, ..., 2] = 0, 255, 255
Open = Callable[..., tuple[Classifier, Adopted]]


@pytest.fixture
def adopt(tmp_path: Path) -> Open:
    """`adopt(model, facts)` opens the adopted file in the runtime."""

    def opened(model: onnx.ModelProto, facts: Facts = FACTS) -> tuple[Classifier, Adopted]:
        source = tmp_path / "foreign.onnx"
        adopted = adopt_onnx(source, model.SerializeToString(), facts, {})
        onnx.checker.check_model(onnx.load_from_string(adopted.data), full_check=True)
        (tmp_path / "adopted.onnx").write_bytes(adopted.data)
        return Classifier.open(tmp_path / "adopted.onnx", device="cpu", threads=1), adopted

    return opened


def scaled(pixels: NDArray[np.uint8] = PIXELS, dtype: Any = np.float32) -> NDArray[Any]:
    """`[N, C, H, W]`, as other tools make it."""
    return ((pixels - np.array(MEAN)) / STD).transpose(0, 3, 1, 2).astype(dtype)


def test_channels_in_front_and_logits_become_our_contract(adopt: Open) -> None:
    model = foreign_onnx()

    opened, adopted = adopt(model)

    np.testing.assert_allclose(opened.probabilities(PIXELS), softmax(own_scores(model, scaled())), atol=1e-6)
    assert (adopted.card, adopted.one_by_one, opened.card.head) == (opened.card, False, "logits")
    assert embedded_digest(adopted.data) == content_digest(adopted.data)
    assert opened.probabilities(PIXELS).std(axis=0).min() > 0.01  # otherwise the test could not fail


@pytest.mark.parametrize(
    ("dtype", "kind", "tolerance"),
    [(np.float16, TensorProto.FLOAT16, 2e-2), (np.float64, TensorProto.DOUBLE, 1e-5)],
    ids=["half", "double"],
)
def test_other_float_types(dtype: Any, kind: int, tolerance: float, adopt: Open) -> None:
    model = foreign_onnx(input_type=kind)

    opened, _ = adopt(model)

    expected = softmax(own_scores(model, scaled(dtype=dtype)))
    np.testing.assert_allclose(opened.probabilities(PIXELS), expected, atol=tolerance)


def test_channels_behind_are_left_there(adopt: Open) -> None:
    model = foreign_onnx(channels_first=False, end="Softmax")

    opened, _ = adopt(model)

    np.testing.assert_allclose(opened.probabilities(PIXELS), own_scores(model, scaled().transpose(0, 2, 3, 1)), atol=1e-6)


@pytest.mark.parametrize("channels_first", [True, False])
def test_blue_first(channels_first: bool, adopt: Open) -> None:
    model = foreign_onnx(channels_first=channels_first)
    facts = Facts(channels=Fact("bgr", "metadata")).over(FACTS)

    opened, _ = adopt(model, facts)

    inputs = scaled(PIXELS[..., ::-1])
    inputs = inputs if channels_first else inputs.transpose(0, 2, 3, 1)
    np.testing.assert_allclose(opened.probabilities(PIXELS), softmax(own_scores(model, inputs)), atol=1e-6)


def test_grey_images(adopt: Open) -> None:
    model = foreign_onnx(channels=1)
    facts = Facts(scaling=Fact(Scaling((127.5,), (127.5,)), "--scale")).over(FACTS)

    opened, _ = adopt(model, facts)

    grey = PIXELS[..., :1]
    expected = softmax(own_scores(model, (grey / 127.5 - 1).transpose(0, 3, 1, 2).astype(np.float32)))
    np.testing.assert_allclose(opened.probabilities(grey), expected, atol=1e-6)


@pytest.mark.parametrize(("end", "head"), [("Sigmoid", None), ("", Fact("logits", "--head"))])
def test_one_unit_is_the_second_of_two_classes(end: str, head: Any, adopt: Open) -> None:
    model = foreign_onnx(outputs=1, end=end)
    facts = Facts(classes=Fact(("no", "yes"), "labels.txt"), head=head).over(FACTS)

    opened, _ = adopt(model, facts)

    scores = own_scores(model, scaled())
    second = scores if end else 1 / (1 + np.exp(-scores))
    np.testing.assert_allclose(opened.probabilities(PIXELS), np.hstack([1 - second, second]), atol=1e-6)


def test_one_unit_without_an_axis_of_its_own(adopt: Open) -> None:
    model = foreign_onnx(outputs=1, end="Sigmoid")
    model.graph.node[-1].output[0] = "unit"
    model.graph.initializer.append(numpy_helper.from_array(np.array([-1]), "flat"))
    model.graph.node.append(helper.make_node("Reshape", ["unit", "flat"], ["output"]))
    set_shape(model.graph.output[0], ["batch"])

    opened, _ = adopt(model, Facts(classes=Fact(("no", "yes"), "labels.txt")).over(FACTS))

    np.testing.assert_allclose(opened.probabilities(PIXELS)[:, 1], own_scores(model, scaled())[:, 0], atol=1e-6)


@pytest.mark.parametrize("channels_first", [True, False])
def test_raw_levels_stay_as_they_are(channels_first: bool, adopt: Open) -> None:
    model = foreign_onnx(input_type=TensorProto.UINT8, channels_first=channels_first, end="Softmax")

    opened, _ = adopt(model)  # a scale that is known as well is that of the file

    inputs = PIXELS.transpose(0, 3, 1, 2) if channels_first else PIXELS
    np.testing.assert_allclose(opened.probabilities(PIXELS), own_scores(model, inputs), atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "step", "zero_point"),
    [(TensorProto.INT8, 0.02, -3), (TensorProto.UINT8, 0.019, 110), (TensorProto.UINT8, 1 / 58, 120)],
)
def test_a_quantised_input_gets_scaled_pixels_in_its_own_steps(kind: int, step: float, zero_point: int, adopt: Open) -> None:
    model = foreign_onnx(input_type=kind, step=step, zero_point=zero_point, end="Softmax")
    low, high, dtype = (-128, 127, np.int8) if kind == TensorProto.INT8 else (0, 255, np.uint8)

    opened, _ = adopt(model)

    steps = np.clip(np.rint(scaled(dtype=np.float64) / step) + zero_point, low, high).astype(dtype)
    np.testing.assert_allclose(opened.probabilities(PIXELS), own_scores(model, steps), atol=2e-4)


def test_the_zero_point_counts_even_if_a_step_is_a_level(adopt: Open) -> None:
    model = foreign_onnx(input_type=TensorProto.UINT8, step=1 / 255, zero_point=30, end="Softmax")
    facts = Facts(scaling=Fact(Scaling((0.0,), (255.0,)), "--scale")).over(FACTS)

    opened, _ = adopt(model, facts)

    steps = np.clip(PIXELS.astype(np.int16) + 30, 0, 255).astype(np.uint8).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(opened.probabilities(PIXELS), own_scores(model, steps), atol=1e-6)


def test_levels_moved_to_int8_need_no_scale(adopt: Open) -> None:
    model = foreign_onnx(input_type=TensorProto.INT8, step=1 / 128, end="Softmax")

    opened, _ = adopt(model, Facts(classes=FACTS.classes))

    steps = (PIXELS.astype(np.int16) - 128).astype(np.int8).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(opened.probabilities(PIXELS), own_scores(model, steps), atol=1e-6)


def test_a_row_with_empty_axes_is_flattened(adopt: Open) -> None:
    model = foreign_onnx(end="Softmax")
    model.graph.node[-1].output[0] = "flat"
    model.graph.initializer.append(numpy_helper.from_array(np.array([0, 3, 1, 1]), "four"))
    model.graph.node.append(helper.make_node("Reshape", ["flat", "four"], ["output"]))
    set_shape(model.graph.output[0], ["batch", 3, 1, 1])

    opened, _ = adopt(model)

    expected = own_scores(model, scaled()).reshape(5, 3)
    np.testing.assert_allclose(opened.probabilities(PIXELS), expected, atol=1e-6)


def test_a_batch_nailed_by_constants_becomes_free(adopt: Open) -> None:
    model = foreign_onnx(batch=1)
    model.graph.node[-2].CopyFrom(helper.make_node("Reshape", ["pooled", "row"], ["features"]))
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, -1]), "row"))
    model.graph.value_info.append(helper.make_tensor_value_info("features", TensorProto.FLOAT, [1, 8]))

    opened, adopted = adopt(model)

    assert not adopted.one_by_one
    assert not onnx.load_from_string(adopted.data).graph.value_info  # it would say a batch of 1
    np.testing.assert_allclose(opened.probabilities(PIXELS), softmax(own_scores(model, scaled())), atol=1e-6)


def test_a_batch_that_cannot_be_freed_is_run_image_by_image(adopt: Open) -> None:
    """A token for one image is joined to its features, as in vision transformers."""
    model = foreign_onnx(batch=1)
    linear = model.graph.node[-1]
    linear.input[0] = "joined"
    model.graph.node.insert(4, helper.make_node("Concat", ["features", "token"], ["joined"], axis=1))
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    weights["linear"].CopyFrom(
        numpy_helper.from_array(np.random.default_rng(5).normal(size=(10, 3)).astype(np.float32), "linear")
    )
    model.graph.initializer.append(numpy_helper.from_array(np.ones((1, 2), np.float32), "token"))

    opened, adopted = adopt(model)

    assert adopted.one_by_one
    np.testing.assert_allclose(opened.probabilities(PIXELS), softmax(own_scores(model, scaled())), atol=1e-6)


def test_a_row_without_a_batch_is_one(adopt: Open) -> None:
    model = foreign_onnx(batch=1, end="Softmax")
    model.graph.node[-1].output[0] = "row"
    model.graph.node.append(helper.make_node("Squeeze", ["row"], ["output"]))
    set_shape(model.graph.output[0], [3])

    opened, _ = adopt(model)

    np.testing.assert_allclose(opened.probabilities(PIXELS), own_scores(model, scaled()), atol=1e-6)


def test_shapes_that_cannot_be_freed_stay(adopt: Open) -> None:
    """The batch is squeezed away and comes back by a constant."""
    model = foreign_onnx(batch=1)
    model.graph.node[-2].CopyFrom(helper.make_node("Squeeze", ["pooled"], ["alone"]))
    model.graph.node.insert(4, helper.make_node("Reshape", ["alone", "row"], ["features"]))
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, -1]), "row"))

    opened, adopted = adopt(model)

    assert adopted.one_by_one
    np.testing.assert_allclose(opened.probabilities(PIXELS), softmax(own_scores(model, scaled())), atol=1e-6)


def test_images_that_influence_each_other_are_run_one_by_one(adopt: Open) -> None:
    model = foreign_onnx(batch=1)
    model.graph.node[-1].output[0] = "raw"
    model.graph.node.append(helper.make_node("ReduceMax", ["raw"], ["most"], keepdims=1))
    model.graph.node.append(helper.make_node("Mul", ["raw", "most"], ["output"]))

    opened, adopted = adopt(model, Facts(head=Fact("logits", "--head")).over(FACTS))

    assert adopted.one_by_one
    np.testing.assert_allclose(opened.probabilities(PIXELS), softmax(own_scores(model, scaled())), atol=1e-6)


def test_a_batch_of_several_images_becomes_free(adopt: Open) -> None:
    opened, _ = adopt(foreign_onnx(batch=4))

    expected = softmax(own_scores(foreign_onnx(), scaled()))
    np.testing.assert_allclose(opened.probabilities(PIXELS), expected, atol=1e-6)


def test_probabilities_come_before_the_features_behind_them(adopt: Open) -> None:
    model = foreign_onnx(end="Softmax")
    model.graph.output.insert(0, helper.make_tensor_value_info("linear_out", TensorProto.FLOAT, ["batch", 3]))
    model.graph.output.insert(0, helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", 8]))

    opened, _ = adopt(model)

    np.testing.assert_allclose(opened.probabilities(PIXELS), own_scores(model, scaled(), "output"), atol=1e-6)


@pytest.mark.parametrize(
    "names",
    [("image", "probabilities"), ("probabilities", "image"), ("edgeclf_cast", "edgeclf_mul")],
    ids=["same", "swapped", "those of new tensors"],
)
def test_names_that_collide_make_way(names: tuple[str, str], adopt: Open) -> None:
    model = foreign_onnx(names=names)
    expected = softmax(own_scores(model, scaled()))

    opened, _ = adopt(model)

    np.testing.assert_allclose(opened.probabilities(PIXELS), expected, atol=1e-6)


@pytest.mark.parametrize("names", [("input", "output"), ("image", "probabilities")], ids=["other names", "our names"])
def test_branches_that_read_the_image_from_outside(names: tuple[str, str], adopt: Open) -> None:
    model = foreign_onnx(names=(names[0], "raw"))
    bodies = {}
    for branch, sign in (("then_branch", 1), ("else_branch", -1)):
        node = helper.make_node("Mul", ["raw", f"{branch}_sign"], [f"{branch}_out"])
        total = helper.make_node("ReduceMean", [names[0]], [f"{branch}_mean"], axes=[1, 2, 3], keepdims=0)
        one = helper.make_node("Unsqueeze", [f"{branch}_mean", f"{branch}_axis"], [f"{branch}_column"])
        both = helper.make_node("Add", [f"{branch}_out", f"{branch}_column"], [f"{branch}_all"])
        weights = {f"{branch}_sign": np.array(sign, np.float32), f"{branch}_axis": np.array([1])}
        result = helper.make_tensor_value_info(f"{branch}_all", TensorProto.FLOAT, None)
        stored = [numpy_helper.from_array(values, name) for name, values in weights.items()]
        bodies[branch] = helper.make_graph([node, total, one, both], branch, [], [result], stored)
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "condition"))
    model.graph.node.append(helper.make_node("If", ["condition"], [names[1]], **bodies))
    model.graph.output[0].name = names[1]
    expected = softmax(own_scores(model, scaled()))

    opened, _ = adopt(model, Facts(head=Fact("logits", "--head")).over(FACTS))

    np.testing.assert_allclose(opened.probabilities(PIXELS), expected, atol=1e-6)


def test_nodes_in_the_wrong_order_are_sorted(adopt: Open) -> None:
    """As converters to half precision leave them; onnxruntime does not mind, the onnx package does."""
    model = foreign_onnx(batch=1)
    expected = softmax(own_scores(model, scaled()))
    nodes = list(model.graph.node)
    nodes[3] = helper.make_node("Reshape", ["pooled", "row"], ["features"])
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, -1]), "row"))
    del model.graph.node[:]
    model.graph.node.extend(nodes[place] for place in (4, 3, 0, 2, 1))

    opened, adopted = adopt(model)

    assert not adopted.one_by_one
    np.testing.assert_allclose(opened.probabilities(PIXELS), expected, atol=1e-6)


def test_an_endless_loop_is_stopped(adopt: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_trial, "_MAX_ANSWER_S", 0.5)
    model = foreign_onnx(names=("input", "raw"))
    flag, value = (helper.make_tensor_value_info(name, kind, None) for name, kind in (("go", 9), ("now", 1)))
    steps = helper.make_tensor_value_info("number", TensorProto.INT64, [])
    nodes = [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Identity", ["now"], ["next"])]
    results = [helper.make_tensor_value_info(name, kind, None) for name, kind in (("go_on", 9), ("next", 1))]
    body = helper.make_graph(nodes, "body", [steps, flag, value], results)
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "true"))
    model.graph.node.append(helper.make_node("Loop", ["", "true", "raw"], ["output"], body=body))
    model.graph.output[0].name = "output"

    with pytest.raises(ModelError, match=r"has no answer after 0.5 s; it may hold an endless loop"):
        adopt(model, Facts(head=Fact("logits", "--head")).over(FACTS))


def test_weights_among_the_inputs_are_none(adopt: Open) -> None:
    model = foreign_onnx(opset=8)
    model.ir_version = 3
    for tensor in model.graph.initializer:
        model.graph.input.append(helper.make_tensor_value_info(tensor.name, TensorProto.FLOAT, list(tensor.dims)))

    opened, _ = adopt(model)

    np.testing.assert_allclose(opened.probabilities(PIXELS), softmax(own_scores(model, scaled())), atol=1e-6)


@pytest.mark.parametrize("opset", [7, 9, 12, 13, 21])
@pytest.mark.parametrize("end", ["", "Softmax"])
def test_every_opset(opset: int, end: str, adopt: Open) -> None:
    model = foreign_onnx(opset=opset, end=end)
    scores = own_scores(model, scaled())

    opened, _ = adopt(model)

    np.testing.assert_allclose(opened.probabilities(PIXELS), scores if end else softmax(scores), atol=1e-6)


def test_what_the_file_leaves_open_is_found_out(adopt: Open) -> None:
    model = foreign_onnx()
    set_shape(model.graph.input[0], ["batch", "channels", "height", "width"])
    set_shape(model.graph.output[0], None)
    facts = Facts(size_hw=Fact((SIDE, SIDE), "--imgsz")).over(FACTS)

    opened, _ = adopt(model, facts)

    assert opened.card.preprocess.shape == (SIDE, SIDE, 3)
    np.testing.assert_allclose(opened.probabilities(PIXELS), softmax(own_scores(model, scaled())), atol=1e-6)


def test_the_number_of_classes_is_compared_even_if_the_file_does_not_say_it(adopt: Open) -> None:
    model = foreign_onnx(outputs=4)
    set_shape(model.graph.output[0], None)

    with pytest.raises(OptionError, match=r"returns 4 scores, but labels.txt names 3 classes; .*background class"):
        adopt(model)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        (Facts(classes=FACTS.classes), "the range of pixels that .* takes is unknown; name it with --scale"),
        (Facts(scaling=Fact(Scaling((1, 2), (1,)), "--mean")).over(FACTS), "the mean has 2 numbers, but .* of 3 channels"),
        (Facts(scaling=Fact(Scaling((0,), (0,)), "--std")).over(FACTS), "std above 0"),
    ],
)
def test_a_scale_that_is_missing_or_does_not_fit_is_named(facts: Facts, message: str, adopt: Open) -> None:
    with pytest.raises(OptionError, match=message):
        adopt(foreign_onnx(), facts)


def test_the_metadata_of_the_other_tool_stay(adopt: Open) -> None:
    model = foreign_onnx()
    helper.set_model_props(model, {"task": "classify", "edgeclf.card": "not a card"})

    _, adopted = adopt(model)

    kept = {entry.key: entry.value for entry in onnx.load_from_string(adopted.data).metadata_props}
    assert list(kept) == ["task", "edgeclf.card", "edgeclf.sha256"]
    assert (kept["task"], kept["edgeclf.card"]) == ("classify", adopted.card.to_json())
