"""A TFLite file of another tool is either a classifier of images, or is named for what it is."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.adoption.network import Network
from edgeclf.runtime.model.adoption.tflite_network import examine_tflite
from tests.support.foreign_tflite import Foreign, TfliteWriter, changed, quantised, with_metadata
from tests.support.mutations import mutated
from tests.support.trained_run import KEPT_RUN

PATH = Path("net.tflite")


@pytest.mark.parametrize(
    ("data", "network"),
    [
        (Foreign().to_bytes(), Network("TFLite", "float32", False, (8, 8), 3, 1, 3, last_operation="SOFTMAX")),
        (
            Foreign(channels_first=True).to_bytes(),
            Network("TFLite", "float32", True, (8, 8), 3, 1, 3, last_operation="SOFTMAX"),
        ),
        (
            Foreign(open_size=True).to_bytes(),
            Network("TFLite", "float32", False, (None, None), 3, None, 3, last_operation="SOFTMAX"),
        ),
        (
            Foreign(np.ones((5, 1), np.float32), head="", output=(1, 5, 1, 1)).to_bytes(),
            Network("TFLite", "float32", False, (8, 8), 1, 1, 5, last_operation="FULLY_CONNECTED"),
        ),
        (
            Foreign(np.ones((1, 3), np.float32), head="LOGISTIC").to_bytes(),
            Network("TFLite", "float32", False, (8, 8), 3, 1, 1, last_operation="LOGISTIC"),
        ),
        (
            quantised(steps=(0.0078125, 128)),
            Network(
                "TFLite",
                "uint8",
                False,
                (8, 8),
                3,
                None,
                4,
                last_operation="SOFTMAX",
                scale=0.0078125,
                zero_point=128,
                producer="MLIR Converted.",
                weights="int8",
            ),
        ),
        (
            quantised(dtype="int8"),
            Network(
                "TFLite",
                "int8",
                False,
                (8, 8),
                3,
                None,
                4,
                last_operation="SOFTMAX",
                scale=1.0,
                zero_point=-128,
                producer="MLIR Converted.",
                weights="int8",
            ),
        ),
    ],
    ids=["float", "channels-first", "any-size", "grey-logits-4d", "sigmoid", "uint8", "int8"],
)
def test_the_tables_show_the_network(data: bytes, network: Network) -> None:
    assert examine_tflite(PATH, data) == network


def image_to(operator: str, *shapes: Sequence[int], image: Sequence[int] = (1, 8, 8, 3), dtype: str = "float32") -> bytes:
    """A file with one operation from an image to results of these shapes. It need not run."""
    model = TfliteWriter()
    first = model.tensor("image", image, dtype)
    return model.to_bytes([first], [model.then(operator, [first], shape) for shape in shapes])


def two_inputs() -> bytes:
    model = TfliteWriter()
    images = [model.tensor(name, (1, 8, 8, 3)) for name in ("left", "right")]
    return model.to_bytes(images, [model.then("CONCATENATION", images, (1, 4), schema.ConcatenationOptionsT())])


def with_position() -> bytes:
    model = TfliteWriter()
    image = model.tensor("image", (1, 8, 8, 3))
    position = model.then("ARG_MAX", [image], (1,), schema.ArgMaxOptionsT())
    model.graph.tensors[position].type = schema.TensorType.INT64
    return model.to_bytes([image], [position])


def widen(model: Any) -> None:
    """Let a tensor between two operations say that it has a thousand million values."""
    model.subgraphs[0].tensors[2].shape = np.array([1, 1 << 30], np.int32)


def with_size(operation: str, size: list[int], place: int) -> bytes:
    """A network in which a constant says how large the result of an operation is."""
    model = TfliteWriter()
    image = model.tensor("image", (1, 8, 8, 3))
    inputs = [image, image]
    inputs[place] = model.constant(np.array(size, np.int32))
    return model.to_bytes([image], [model.then("SOFTMAX", [model.then(operation, inputs, (1, 4))], (1, 4))])


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (image_to("TFLite_Detection_PostProcess", [1, 10, 4], [1, 10], [1, 10], [1]), "finds objects in images"),
        (
            image_to("CONV_2D", [1, 10, 4], [1, 10], [1, 10], [1]),
            "4 outputs .*, among them a list of boxes or other rows; a classifier has one output",
        ),
        (image_to("edgetpu-custom-op", [1, 4]), "compiled for the Edge TPU; use the file .* has no _edgetpu"),
        (image_to("FlexErf", [1, 4]), "needs Erf of TensorFlow itself .*, which LiteRT does not have; convert .* ONNX"),
        (image_to("MyOwnThing", [1, 4]), "needs the custom operator MyOwnThing, which LiteRT does not have"),
        (image_to("SOFTMAX", [1, 8, 8, 21]), r"returns float32 \[1, 8, 8, 21\], one answer for each pixel"),
        (image_to("Convolution2DTransposeBias", [1, 8, 8, 2]), "one answer for each pixel"),
        (image_to("LOGISTIC", [1, 8, 8, 1]), "one answer for each pixel"),
        (image_to("CONV_2D", [1, 1, 17, 3]), "positions of points, as networks for poses do"),
        (image_to("CONCATENATION", [1, 84, 8400]), "a list of boxes or other rows"),
        (image_to("LOGISTIC", [1, 5]), "returns 5 sigmoids, one yes or no per class; .* train it with a softmax"),
        (image_to("SOFTMAX", [1, 5], [1, 7]), r"returns 2 outputs \(SOFTMAX: .*; a classifier has one output"),
        (with_position(), r"returns int64 \[1\], the number of a class without its score \(made by ARG_MAX\)"),
        (two_inputs(), r"takes 2 inputs \(left: float32 \[1, 8, 8, 3\], right: .*, but a classifier takes one"),
        (image_to("SOFTMAX", [1, 5], image=(1, 8, 8, 4)), r"\[1, 8, 8, 4\], whose channels are neither one .* nor three"),
        (image_to("SOFTMAX", [1, 5], image=(1, 128), dtype="int32"), "a text or a table of numbers, not an image"),
        (image_to("SOFTMAX", [1, 5], image=(1, 15600)), "a sound or another series of numbers"),
        (image_to("SOFTMAX", [1, 5], image=(1, 784)), "not a batch of images"),
        (image_to("SOFTMAX", [1, 5], image=(1, 8, 8, 3), dtype="int16"), "not an image in float32, uint8 or int8"),
        (image_to("SOFTMAX", [1, 5], image=(1, 9000, 8, 3)), "the sides of an image must be 1 to 4096"),
        (image_to("SOFTMAX", [1, 5], image=(0, 8, 8, 3)), "the sides of an image must be 1 to 4096"),
        (changed(Foreign().to_bytes(), widen), "is damaged .*; copy or export it again"),
        (with_size("FILL", [1, 1 << 30], 0), "is damaged .*; copy or export it again"),
        (with_size("TILE", [1, 1 << 14, 1 << 14, 1], 1), "is damaged .*; copy or export it again"),
        (with_size("RESIZE_BILINEAR", [1 << 15, 1 << 15], 1), "is damaged .*; copy or export it again"),
        (b"\x08\x00\x00\x00ONNX", "not a TFLite file"),
        (b"\x1c\x00\x00\x00TFL3", "is damaged .*; copy or export it again"),
        (quantised(steps=(float("nan"), 0)), "input scale of nan"),
    ],
)
def test_a_file_that_is_no_classifier_is_named_for_what_it_is(data: bytes, problem: str) -> None:
    with pytest.raises(ModelError, match=f"^net.tflite .*({problem})"):
        examine_tflite(PATH, data)


def test_tables_that_claim_four_billion_items_end_soon() -> None:
    data = bytearray(Foreign().to_bytes())
    data[-4096:] = data[-4096:].replace(b"\x03\x00\x00\x00", b"\xff\xff\xff\xff")

    with pytest.raises(ModelError):
        examine_tflite(PATH, bytes(data))


@pytest.mark.parametrize("make", [lambda: Foreign().to_bytes(), quantised, (KEPT_RUN / "model.int8.tflite").read_bytes])
def test_damaged_files_raise_nothing_but_model_errors(make: Callable[[], bytes]) -> None:
    whole = with_metadata(make(), [127.5], [127.5], b"a\nb\nc\n")
    outcomes: set[Any] = set()
    for number in range(700):
        try:
            outcomes.add(examine_tflite(PATH, mutated(number, [whole])).dtype)
        except ModelError:
            outcomes.add(ModelError)

    assert ModelError in outcomes


def test_a_damaged_length_of_a_shape_is_refused() -> None:
    def lengthen(model: Any) -> None:
        model.subgraphs[0].tensors[0].shape = np.ones(2000, np.int32)

    with pytest.raises(ModelError, match="damaged"):
        examine_tflite(PATH, changed(Foreign().to_bytes(), lengthen))


def test_a_network_with_a_loop_is_refused_before_it_can_run_for_ever() -> None:
    def loop(model: Any) -> None:
        code = model.operatorCodes[model.subgraphs[0].operators[0].opcodeIndex]
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.WHILE

    with pytest.raises(ModelError, match="holds a loop"):
        examine_tflite(Path("net.tflite"), changed(Foreign().to_bytes(), loop))
