"""Lets a heatmap share the 8-bit weights of the head in ONNX."""

import onnx
from onnx import helper

from edgeclf.export.outputs import answering
from edgeclf.runtime.model.backend import OUTPUT


def separate_dequantizing(graph: onnx.GraphProto) -> None:
    """Let what makes further outputs read 8-bit weights by a Cast and a Mul, which onnxruntime computes once.

    If two operations dequantise the same weights, onnxruntime's session option `session.x64quantprecision` fails
    ("Attempt to replace the existing tensor", seen in 1.31). Weights are symmetric, so their zero points are 0.
    """
    answers = answering([(node.input, node.output) for node in graph.node], OUTPUT)
    constants = {tensor.name for tensor in graph.initializer}
    makers = {
        node.output[0]: node for node in graph.node if node.op_type == "DequantizeLinear" and node.input[0] in constants
    }
    further = [node for node, is_answering in zip(graph.node, answers, strict=True) if not is_answering]
    for node in (node for node in further if node.op_type == "MatMul" and node.input[1] in makers):
        integers, scale, *_ = makers[node.input[1]].input
        numbers, weights = f"{node.name}/numbers", f"{node.name}/weights"
        node.input[1] = weights
        graph.node.insert(0, helper.make_node("Mul", [numbers, scale], [weights], name=weights))
        graph.node.insert(0, helper.make_node("Cast", [integers], [numbers], name=numbers, to=onnx.TensorProto.FLOAT))
