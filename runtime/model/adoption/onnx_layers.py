"""What the first layers of an ONNX network say about its input."""

import math
from typing import Any

from edgeclf.runtime.model.adoption.onnx_graph import Constants, attribute

_CONVOLUTIONS = {b"Conv": 1, b"FusedConv": 1, b"ConvInteger": 1, b"QLinearConv": 3}
"""The input that holds the weights `[out, in / groups, kH, kW]`."""
_ELEMENTWISE = {
    *(b"Identity", b"Cast", b"Sub", b"Div", b"Mul", b"Add", b"Pad", b"Clip", b"BatchNormalization"),
    *(b"QuantizeLinear", b"DequantizeLinear"),
}
_TO_CHANNELS_FIRST = [0, 3, 1, 2]
_MAX_STEPS = 50


def first_layer(graph: Any, constants: Constants, image: bytes) -> tuple[bool, int] | None:
    """Whether a convolution finds the image with its channels first, and how many it expects; None if none is found."""
    channels_first = True
    for node in _chain(graph, image):
        if node.op_type == b"Transpose":
            order = attribute(node, b"perm")
            if order is None or list(order.ints) != _TO_CHANNELS_FIRST:
                return None
            channels_first = False
        elif node.op_type in _CONVOLUTIONS:
            if len(node.input) <= _CONVOLUTIONS[node.op_type]:
                return None
            shape = constants.shape(node.input[_CONVOLUTIONS[node.op_type]])
            groups = attribute(node, b"group")
            return (channels_first, shape[1] * (groups.i if groups else 1)) if shape and len(shape) == 4 else None
        elif node.op_type not in _ELEMENTWISE:
            return None
    return None


def quantization(graph: Any, constants: Constants, image: bytes) -> tuple[float, int]:
    """Scale and zero point of a quantised image; 1 and 0 of any other."""
    for node in _chain(graph, image):
        if node.op_type in (b"DequantizeLinear", b"QLinearConv") and len(node.input) > 2:
            scale, zero_point = constants.values(node.input[1]), constants.values(node.input[2])
            if scale is None or zero_point is None or scale.size != 1 or zero_point.size != 1:
                return 1.0, 0
            step, zero = float(scale.ravel()[0]), float(zero_point.ravel()[0])
            return (step, int(zero)) if math.isfinite(step) and step > 0 and math.isfinite(zero) else (1.0, 0)
        if node.op_type not in (b"Transpose", b"Identity"):
            return 1.0, 0
    return 1.0, 0


def _chain(graph: Any, tensor: bytes) -> list[Any]:
    """The nodes that the image runs through from the start, up to where nothing follows."""
    readers: dict[bytes, Any] = {}
    for node in reversed(graph.node):
        readers |= dict.fromkeys(node.input[:2], node)
    chain: list[Any] = []
    while tensor in readers and len(chain) < _MAX_STEPS:
        chain.append(readers[tensor])
        tensor = chain[-1].output[0] if chain[-1].output else b""
    return chain
