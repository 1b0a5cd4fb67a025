"""What an ONNX file is gets read from its graph: a classifier of images, or something else, which is named."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.adoption.network import Network
from edgeclf.runtime.model.adoption.onnx_network import examine_onnx
from tests.support.foreign_onnx import Axis, foreign_onnx, set_shape

PATH = Path("foreign.onnx")
FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
Value = tuple[str, int, list[Axis] | None]


def examine(model: onnx.ModelProto) -> Network:
    return examine_onnx(PATH, model.SerializeToString())


def graph_of(inputs: list[Value], outputs: list[Value], *operations: str) -> onnx.ModelProto:
    """A graph that is never run. operations: nodes beside those that make the outputs."""
    nodes = [helper.make_node("Identity", [inputs[0][0] if inputs else ""], [name]) for name, _, _ in outputs]
    nodes += [helper.make_node(operation, [], []) for operation in operations]
    values = [[helper.make_tensor_value_info(*value) for value in values] for values in (inputs, outputs)]
    return helper.make_model(helper.make_graph(nodes, "graph", *values))


IMAGE: Value = ("image", FLOAT, ["batch", 3, 640, 640])
ROW: Value = ("scores", FLOAT, ["batch", 5])


def test_a_classifier_is_described() -> None:
    assert examine(foreign_onnx(batch=1)) == Network(
        "ONNX", "float32", True, (16, 16), 3, batch=1, outputs=3, last_operation="Gemm", producer="pytorch"
    )


def test_a_quantised_input_has_its_scale() -> None:
    seen = examine(foreign_onnx(input_type=TensorProto.INT8, step=0.5, zero_point=-3, channels_first=False))

    assert (seen.dtype, seen.scale, seen.zero_point, seen.channels_first) == ("int8", 0.5, -3, False)


@pytest.mark.parametrize(
    ("axes", "channels_first", "size_hw", "channels"),
    [
        (["n", 3, "h", "w"], True, (None, None), 3),
        (["n", "h", "w", 1], False, (None, None), 1),
        ([1, 3, 64, 3], True, (64, 3), 3),
        ([-1, -1, -1, -1], True, (None, None), 3),
    ],
)
def test_the_layout_is_found(axes: list[Axis], channels_first: bool, size_hw: tuple[int, int], channels: int) -> None:
    model = foreign_onnx()
    set_shape(model.graph.input[0], axes)

    seen = examine(model)

    assert (seen.channels_first, seen.size_hw, seen.channels) == (channels_first, size_hw, channels)


def test_open_channels_are_those_of_the_first_convolution() -> None:
    model = foreign_onnx(channels=1, channels_first=False)
    set_shape(model.graph.input[0], ["n", "h", "w", "c"])

    seen = examine(model)

    assert (seen.channels_first, seen.channels) == (False, 1)


@pytest.mark.parametrize(
    ("outputs", "width"),
    [
        ([ROW], 5),
        ([("y", FLOAT, ["n", 5, 1, 1])], 5),
        ([("y", FLOAT, ["n", 1, 5])], 5),
        ([("y", FLOAT, None)], None),
        ([("y", FLOAT, ["n"])], 1),
        ([("number", INT64, ["n"]), ROW], 5),
        ([ROW, ("helper", FLOAT, ["n", 5])], 5),
        ([("map", FLOAT, ["n", 64, 7, 7]), ROW], 5),
    ],
)
def test_the_row_of_scores_is_found(outputs: list[Value], width: int | None) -> None:
    assert examine(graph_of([IMAGE], outputs)).outputs == width


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([], "takes no input; edgeclf runs classifiers"),
        ([IMAGE, ("size", FLOAT, [1, 2])], r"takes 2 inputs \(image: float32 .*, size: float32 \[1, 2\]\), not one image"),
        ([("ids", INT64, ["n", "tokens"]), ("mask", INT64, ["n", "tokens"])], r"takes text, not an image \(ids: int64"),
        ([("words", TensorProto.STRING, ["n", 1])], "takes text, not an image"),
        ([("table", FLOAT, ["n", 30])], r"takes table: float32 \[any, 30\], not a batch of images"),
        ([("sound", FLOAT, [1, 1, 16000])], "not a batch of images with 4 axes"),
        (
            [("x", FLOAT, [1, 4, 64, 64])],
            r"takes x: float32 \[1, 4, 64, 64\], images with 4 channels, but edgeclf makes RGB",
        ),
        ([("x", FLOAT, ["n", "a", "b", "c"])], "images with an unknown number of channels"),
        ([("x", TensorProto.INT32, [1, 3, 64, 64])], "a type that images do not have"),
    ],
)
def test_what_takes_no_single_image_is_named(inputs: list[Value], message: str) -> None:
    with pytest.raises(ModelError, match=f"^foreign.onnx .*{message}"):
        examine(graph_of(inputs, [ROW]))


@pytest.mark.parametrize(
    ("outputs", "operations", "message"),
    [
        ([("output0", FLOAT, [1, 84, 8400])], (), "output0: float32 .*, as networks that find objects or poses do"),
        ([("boxes", FLOAT, ["n", 4]), ("labels", INT64, ["n"]), ("scores", FLOAT, ["n"])], (), "find objects"),
        ([("a", FLOAT, [1, 100]), ("b", FLOAT, [1, 100, 4])], (), "find objects"),
        ([("y", FLOAT, ["n", 6])], ("NonMaxSuppression",), "find objects"),
        ([("map", FLOAT, [1, 21, 520, 520])], (), "a map for each image as in segmentation"),
        ([("y", INT64, ["n"])], (), "the number of a class, as after an ArgMax"),
        ([("y", TensorProto.STRING, ["n"])], (), "returns y: string .*, not a row of scores"),
        ([], (), "returns nothing"),
    ],
)
def test_what_returns_no_row_of_scores_is_named(outputs: list[Value], operations: tuple[str, ...], message: str) -> None:
    with pytest.raises(ModelError, match=f"^foreign.onnx .*{message}.*edgeclf runs classifiers"):
        examine(graph_of([IMAGE], outputs, *operations))


def test_two_questions_at_once_are_refused() -> None:
    with pytest.raises(ModelError, match=r"returns 2 different rows of scores \(age: .*, sex: .*\); export it with one"):
        examine(graph_of([IMAGE], [("age", FLOAT, ["n", 9]), ("sex", FLOAT, ["n", 2])]))


def test_a_yes_or_no_for_each_class_is_refused() -> None:
    with pytest.raises(ModelError, match="returns 3 sigmoids, one yes or no per class"):
        examine(foreign_onnx(end="Sigmoid"))


def test_an_argmax_is_named() -> None:
    with pytest.raises(ModelError, match="the number of a class, as after an ArgMax"):
        examine(foreign_onnx(end="ArgMax"))


@pytest.mark.parametrize(
    ("domain", "operation"),
    [("my.company", "Secret"), ("ai.onnx.contrib", "PyOp"), ("", "PyOp"), ("com.microsoft", "EPContext"), ("TRT", "Plugin")],
)
@pytest.mark.parametrize("inside", [False, True], ids=["outside", "in a branch"])
def test_operators_from_elsewhere_are_named(domain: str, operation: str, inside: bool) -> None:
    model = foreign_onnx()
    node = helper.make_node(operation, [], ["found"], domain=domain)
    branch = helper.make_graph([node], "branch", [], [])
    model.graph.node.append(helper.make_node("If", ["condition"], ["y"], then_branch=branch) if inside else node)

    with pytest.raises(ModelError, match=f"needs the operator {domain}.*{operation}, which onnxruntime does not bring"):
        examine(model)


def test_functions_inside_the_file_are_its_own() -> None:
    model = foreign_onnx()
    add_function(model, "Last", ["Identity"])
    model.graph.node.append(helper.make_node("Last", ["output"], ["more"], domain="own"))

    assert examine(model).outputs == 3


def add_function(model: onnx.ModelProto, name: str, calls: list[str]) -> None:
    nodes = [helper.make_node(call, ["x"], ["y"], domain="" if call == "Identity" else "own") for call in calls]
    opset = helper.make_opsetid("", 17)
    model.functions.append(helper.make_function("own", name, ["x"], ["y"], nodes, [opset]))


def test_functions_that_multiply_are_refused() -> None:
    """Twelve functions that call the next one ten times are a trillion nodes."""
    model = foreign_onnx()
    for number in range(12):
        add_function(model, f"f{number}", [f"f{number + 1}"] * 10)
    add_function(model, "f12", ["Identity"])
    model.graph.node.append(helper.make_node("f0", ["output"], ["more"], domain="own"))

    with pytest.raises(ModelError, match="more than 50,000 nodes"):
        examine(model)


def test_a_function_that_calls_itself_is_refused() -> None:
    model = foreign_onnx()
    add_function(model, "f", ["f"])

    with pytest.raises(ModelError, match="call each other without end"):
        examine(model)


def test_more_nodes_than_an_engine_should_get_are_refused() -> None:
    data = foreign_onnx().SerializeToString()
    nodes = b"\x0a\x00" * 60_000  # protobuf joins the two graphs
    length = bytes([len(nodes) & 127 | 128, len(nodes) >> 7 & 127 | 128, len(nodes) >> 14])

    with pytest.raises(ModelError, match="it has more than 50,000 nodes, more than any classifier needs"):
        examine_onnx(PATH, data + b"\x3a" + length + nodes)


@pytest.mark.parametrize(
    "change",
    [
        {"dims": [1 << 40, 1 << 40]},
        {"dims": [-1, 5]},
        {"dims": [4, 3]},
        {"dims": [1] * 100},
        {"dims": [8, 3], "raw_data": b"\0"},
    ],
)
def test_a_weight_that_is_not_what_it_claims_is_refused(change: dict[str, object]) -> None:
    model = foreign_onnx()
    weight = next(tensor for tensor in model.graph.initializer if tensor.name == "linear")
    weight.ClearField("dims")
    weight.MergeFrom(TensorProto(**change))  # type: ignore[arg-type]

    with pytest.raises(ModelError, match=r"a weight (claims to hold|has an impossible shape)"):
        examine(model)


@pytest.mark.parametrize(
    ("operation", "values", "place"),
    [
        ("ConstantOfShape", [1 << 20, 1 << 20], 0),
        ("Expand", [1 << 62], 1),
        ("Tile", [1 << 15, 1 << 15], 1),
        ("Loop", [1 << 40], 0),
        ("Pad", [0, 0, 1 << 30, 0], 1),
        ("Resize", [1, 1, 1 << 30, 1], 3),
        ("Resize", [1, 1, 256, 256], 2),
        ("Upsample", [1, 1, 256, 256], 1),
    ],
)
def test_much_made_from_little_is_refused(operation: str, values: list[int], place: int) -> None:
    model = foreign_onnx()
    model.graph.initializer.append(numpy_helper.from_array(np.array(values, np.int64), "asked"))
    model.graph.node.append(helper.make_node(operation, ["bias"] * place + ["asked"], ["much"]))

    with pytest.raises(ModelError, match=f"{operation} asks for more values than any classifier needs"):
        examine(model)


def test_a_constant_node_and_a_range_that_ask_for_too_much_are_refused() -> None:
    model = foreign_onnx()
    for name, value in (("start", 0.0), ("limit", 1e15), ("delta", 1e-3)):
        model.graph.node.append(helper.make_node("Constant", [], [name], value_float=value))
    model.graph.node.append(helper.make_node("Range", ["start", "limit", "delta"], ["much"]))

    with pytest.raises(ModelError, match="Range asks for more values"):
        examine(model)


def test_a_sparse_weight_that_would_be_huge_is_refused() -> None:
    model = foreign_onnx()
    values = numpy_helper.from_array(np.ones(1, np.float32), "sparse")
    indices = numpy_helper.from_array(np.zeros((1, 2), np.int64), "places")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [1 << 30, 1 << 30]))

    with pytest.raises(ModelError, match="a sparse weight asks for more values"):
        examine(model)


def test_graphs_inside_graphs_without_end_are_refused() -> None:
    graph = b""
    for _ in range(200):  # a node with an attribute with a graph with a node ...
        for tag in (b"\x32", b"\x2a", b"\x0a"):
            length = len(graph)
            graph = tag + (bytes([length]) if length < 128 else bytes([length & 127 | 128, length >> 7])) + graph
    length = len(graph)

    with pytest.raises(ModelError, match=r"foreign.onnx is damaged or not an ONNX classifier \("):
        examine_onnx(PATH, b"\x3a" + bytes([length & 127 | 128, length >> 7]) + graph)


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\xff" * 100, b"\x08\x08"], ids=["empty", "image", "noise", "no graph"])
def test_what_is_no_onnx_file_is_refused(data: bytes) -> None:
    with pytest.raises(ModelError, match=r"foreign.onnx is damaged or not an ONNX classifier"):
        examine_onnx(PATH, data)


@pytest.mark.parametrize("seed", range(4))
def test_damage_ends_in_a_model_error_or_a_network(seed: int) -> None:
    random = np.random.default_rng(seed)
    data = foreign_onnx(end="Softmax").SerializeToString()
    for _ in range(100):
        damaged = bytearray(data)
        for place in random.integers(0, len(data), random.integers(1, 4)):
            damaged[place] = random.integers(256)
        try:
            examine_onnx(PATH, bytes(damaged[: random.integers(len(data) // 2, 2 * len(data))]))
        except ModelError as error:
            assert str(error).startswith("foreign.onnx ")  # noqa: PT017


def test_a_convolution_without_weights_is_no_crash() -> None:
    model = graph_of([("image", FLOAT, ["a", "b", "c", "d"])], [ROW])
    model.graph.node.insert(0, helper.make_node("Conv", ["image"], ["convolved"]))
    with pytest.raises(ModelError, match="channels"):
        examine(model)


@pytest.mark.parametrize(("kind", "weights"), [(np.int8, "int8"), (np.float16, "float16")])
def test_the_least_precise_weights_are_seen(kind: type[np.generic], weights: str) -> None:
    model = foreign_onnx()
    assert examine(model).weights == "float32"
    model.graph.initializer.append(numpy_helper.from_array(np.zeros((4, 4), kind), "more"))
    assert examine(model).weights == weights
