"""Looks into the graph of an ONNX file that was parsed by `onnx_schema`."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.model.onnx_schema import BOOL, DOUBLE, FLOAT, FLOAT16, INT8, INT32, INT64, UINT8

_DTYPES = {FLOAT: "<f4", UINT8: "u1", INT8: "i1", INT32: "<i4", INT64: "<i8", BOOL: "?", FLOAT16: "<f2", DOUBLE: "<f8"}
_MAX_VALUES = 100_000
_CONSTANT_VALUES = (b"value_float", b"value_int", b"value_ints")


class Constants:
    """The small constants of a model by name: initializers and `Constant` nodes, of its graph and the graphs inside it."""

    def __init__(self, model: Any) -> None:
        self._stored: dict[bytes, Any] = {}
        for graph in graphs(model):
            self._stored |= {tensor.name: tensor for tensor in graph.initializer}
            self._stored |= {node.output[0]: node for node in graph.node if node.op_type == b"Constant" and node.output}

    def values(self, name: bytes) -> NDArray[Any] | None:
        """None if the tensor is not a constant of numbers, or is larger than the constants that describe a network."""
        stored = self._stored.get(name)
        if stored is None or not hasattr(stored, "op_type"):
            return _values(stored)
        for attribute in stored.attribute:
            if attribute.name == b"value":
                return _values(attribute.t)
            if attribute.name in _CONSTANT_VALUES:
                kind = attribute.name.removeprefix(b"value_")
                value = (
                    attribute.f
                    if kind == b"float"
                    else attribute.i
                    if kind == b"int"
                    else list(attribute.ints[:_MAX_VALUES])
                )
                return np.array(value, np.float32 if kind == b"float" else np.int64)
        return None

    def shape(self, name: bytes) -> tuple[int, ...] | None:
        """The shape of a constant of any size."""
        stored = self._stored.get(name)
        if stored is not None and hasattr(stored, "op_type"):
            stored = next((attribute.t for attribute in stored.attribute if attribute.name == b"value"), None)
        return tuple(stored.dims) if stored is not None else None


def graphs(model: Any) -> Iterator[Any]:
    """The graph of a model and the graphs inside its nodes, such as the branches of an `If`."""
    waiting = [model.graph]
    while waiting:
        graph = waiting.pop()
        yield graph
        waiting += inner_graphs(graph.node)


def inner_graphs(nodes: Iterable[Any]) -> list[Any]:
    """The graphs directly inside nodes."""
    attributes = [attribute for node in nodes for attribute in node.attribute]
    return [
        graph
        for attribute in attributes
        for graph in ([attribute.g] if attribute.HasField("g") else []) + [*attribute.graphs]
    ]


def function_graphs(model: Any) -> Iterator[Any]:
    """The model's functions, which hold nodes, and the graphs inside these nodes."""
    waiting = list(model.functions)
    while waiting:
        function = waiting.pop()
        yield function
        waiting += inner_graphs(function.node)


def attribute(node: Any, name: bytes) -> Any:
    """None if the node does not have it."""
    return next((attribute for attribute in node.attribute if attribute.name == name), None)


def makers(graph: Any) -> dict[bytes, Any]:
    """The node that makes each tensor."""
    return {output: node for node in graph.node for output in node.output}


def reads(node: Any) -> Iterator[bytes]:
    """The tensors that a node reads, also from the graphs inside it."""
    yield from node.input
    waiting = inner_graphs([node])
    while waiting:
        graph = waiting.pop()
        yield from (name for inner in graph.node for name in inner.input)
        yield from (value.name for value in graph.output)
        waiting += inner_graphs(graph.node)


def sides(value: Any) -> list[int | None] | None:
    """The size of each axis of an input or output, None for a variable one; None if the file does not say the shape."""
    kind = value.type.tensor_type
    if not kind.HasField("shape"):
        return None
    return [axis.dim_value if axis.HasField("dim_value") and axis.dim_value > 0 else None for axis in kind.shape.dim]


def _values(tensor: Any) -> NDArray[Any] | None:
    if tensor is None or tensor.data_type not in _DTYPES or tensor.data_location:
        return None
    dtype = np.dtype(_DTYPES[tensor.data_type])
    if tensor.HasField("raw_data"):
        if len(tensor.raw_data) > _MAX_VALUES or len(tensor.raw_data) % dtype.itemsize:
            return None
        values = np.frombuffer(tensor.raw_data, dtype)
    else:
        listed = tensor.float_data or tensor.int64_data or tensor.double_data or tensor.int32_data
        if len(listed) > _MAX_VALUES:
            return None
        halves = tensor.data_type == FLOAT16  # stored as the bits of whole numbers
        values = np.array(listed, np.uint16).view(np.float16) if halves else np.array(listed).astype(dtype)
    shape = tuple(tensor.dims)
    return values.reshape(shape) if int(np.prod(shape, dtype=object)) == values.size and min(shape, default=0) >= 0 else None
