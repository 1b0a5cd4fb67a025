"""Refuses TFLite files from elsewhere that would take LiteRT more memory than an image needs."""

import math
from typing import Any

import numpy as np

from edgeclf.runtime.model.tflite_schema import each, operator_names

_MOST_VALUES = 1 << 26
"""In one tensor between two operations: LiteRT makes room for all that the file says."""
_SIZES = {
    "FILL": 0,
    **dict.fromkeys(("BROADCAST_TO", "MIRROR_PAD", "PAD", "PADV2", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "TILE"), 1),
}
"""The input of an operation that says how large its output is. LiteRT goes by it and not by the shape in the file."""
_INTEGERS = {"int32": "<i4", "int64": "<i8"}


def check_room(model: Any, graph: Any, types: dict[int, str]) -> None:
    """Raise ValueError if a tensor is too large for an image. types: the names of the types of tensors."""
    for tensor in each(graph.Tensors, graph.TensorsLength()):
        values = math.prod(abs(tensor.Shape(axis)) for axis in each(int, tensor.ShapeLength(), 16))
        if not model.Buffers(tensor.Buffer()).DataLength():
            _check(values)
    names = operator_names(model)
    for node in each(graph.Operators, graph.OperatorsLength()):
        place = _SIZES.get(names[node.OpcodeIndex()], -1)
        if 0 <= place < node.InputsLength():
            _check(_asked_values(model, graph.Tensors(node.Inputs(place)), types))


def _asked_values(model: Any, tensor: Any, types: dict[int, str]) -> int:
    """The product of the sides that a constant tensor asks for; 0 if it is not constant."""
    buffer, dtype = model.Buffers(tensor.Buffer()), _INTEGERS.get(types.get(tensor.Type(), ""))
    if dtype is None or not buffer.DataLength():
        return 0
    sides = np.frombuffer(buffer.DataAsNumpy()[:1024].tobytes(), dtype)
    return math.prod(max(1, abs(int(side))) for side in sides)


def _check(values: int) -> None:
    if values > _MOST_VALUES:
        raise ValueError(f"a tensor of {values} values")
