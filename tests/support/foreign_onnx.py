"""Small ONNX classifiers as other tools write them, made without these tools, and their answers through onnxruntime."""

from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SIDE = 16
DTYPES = {
    TensorProto.FLOAT: np.float32,
    TensorProto.FLOAT16: np.float16,
    TensorProto.DOUBLE: np.float64,
    TensorProto.UINT8: np.uint8,
    TensorProto.INT8: np.int8,
}
Axis = int | str | None


def foreign_onnx(
    *,
    input_type: int = TensorProto.FLOAT,
    channels_first: bool = True,
    channels: int = 3,
    outputs: int = 3,
    batch: Axis = "batch",
    end: str = "",
    step: float | None = None,
    zero_point: int = 0,
    opset: int = 17,
    names: tuple[str, str] = ("input", "output"),
) -> onnx.ModelProto:
    """Convolution, mean, linear layer.

    end: the operation behind the linear layer, such as `Softmax` or `ArgMax`, or "" for none. step, zero_point: of a
    quantised input. names: of input and output.
    """
    image, scores = names
    random = np.random.default_rng(26)
    compute = TensorProto.FLOAT16 if input_type == TensorProto.FLOAT16 else TensorProto.FLOAT
    dtype = DTYPES[compute]
    weights = {
        "kernel": random.normal(size=(8, channels, 3, 3)).astype(dtype),
        "linear": (0.4 * random.normal(size=(8, outputs))).astype(dtype),
        "bias": random.normal(size=outputs).astype(dtype),
    }
    nodes = []
    now = image
    if step is not None:
        weights |= {"step": np.array(step, np.float32), "zero": np.array(zero_point, DTYPES[input_type])}
        nodes.append(helper.make_node("DequantizeLinear", [now, "step", "zero"], ["real"]))
        now = "real"
    elif input_type in (TensorProto.UINT8, TensorProto.INT8):
        weights["unit"] = np.array(1 / 128, np.float32)
        nodes.append(helper.make_node("Cast", [now], ["levels"], to=TensorProto.FLOAT))
        nodes.append(helper.make_node("Mul", ["levels", "unit"], ["real"]))
        now = "real"
    elif input_type == TensorProto.DOUBLE:
        nodes.append(helper.make_node("Cast", [now], ["real"], to=TensorProto.FLOAT))
        now = "real"
    if not channels_first:
        nodes.append(helper.make_node("Transpose", [now], ["turned"], perm=[0, 3, 1, 2]))
        now = "turned"
    last = "linear_out" if end else scores
    nodes += [
        helper.make_node("Conv", [now, "kernel"], ["convolved"], strides=[2, 2]),
        helper.make_node("Relu", ["convolved"], ["positive"]),
        helper.make_node("GlobalAveragePool", ["positive"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["features"]),
        helper.make_node("Gemm", ["features", "linear", "bias"], [last]),
    ]
    if end:
        axis = {"axis": 1} if end in ("Softmax", "LogSoftmax", "ArgMax") else {}
        nodes.append(helper.make_node(end, [last], [scores], **axis))
    sides = (channels, SIDE, SIDE) if channels_first else (SIDE, SIDE, channels)
    graph = helper.make_graph(
        nodes,
        "foreign",
        [helper.make_tensor_value_info(image, input_type, [batch, *sides])],
        [helper.make_tensor_value_info(scores, TensorProto.INT64 if end == "ArgMax" else compute, [batch, outputs])],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8, producer_name="pytorch")


def set_shape(value: onnx.ValueInfoProto, sides: list[Axis] | None) -> None:
    """None: a side, or the whole shape, that the file does not say."""
    new = helper.make_tensor_value_info(value.name, value.type.tensor_type.elem_type, sides)
    value.CopyFrom(new)


def own_scores(model: onnx.ModelProto, inputs: NDArray[Any], output: str = "") -> NDArray[Any]:
    """What the file itself returns for inputs as its own tool makes them, one at a time."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    wanted = [output or session.get_outputs()[0].name]
    return np.concatenate([np.atleast_2d(session.run(wanted, {name: one[None]})[0]) for one in inputs])


def softmax(scores: NDArray[Any]) -> NDArray[np.float64]:
    powers = np.exp(scores.astype(np.float64) - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
