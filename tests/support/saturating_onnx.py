"""An INT8 classifier whose products are as large as 8 bits allow: added in pairs, they do not fit into 16 bits."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

SIDE = 8
SCALE = 1e-6


def saturating_onnx() -> bytes:
    """uint8 `[batch, 8, 8, 3]` to probabilities of two classes: the sum of all levels against 0, in QDQ form."""
    pixels = SIDE * SIDE * 3
    weights = {
        "one": np.array(1, np.float32),
        "zero": np.array(0, np.uint8),
        "rows": np.array([-1, pixels], np.int64),
        "kernel": np.stack([np.full(pixels, 127), np.zeros(pixels)], axis=1).astype(np.int8),
        "scale": np.array(SCALE, np.float32),
        "kernel zero": np.array(0, np.int8),
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["floats", "rows"], ["flat"]),
        helper.make_node("QuantizeLinear", ["flat", "one", "zero"], ["levels"]),
        helper.make_node("DequantizeLinear", ["levels", "one", "zero"], ["inputs"]),
        helper.make_node("DequantizeLinear", ["kernel", "scale", "kernel zero"], ["weights"]),
        helper.make_node("MatMul", ["inputs", "weights"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"]),
    ]
    graph = helper.make_graph(
        nodes,
        "saturating",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    opset = [helper.make_opsetid("", 17)]
    return bytes(helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString())
