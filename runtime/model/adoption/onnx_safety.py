"""Refuses ONNX files from elsewhere that would run foreign code, or would take an engine more than it has.

It sees what the file shows. What an engine does with a file that passes is limited by the engine.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.adoption.onnx_graph import Constants, attribute, function_graphs, graphs, inner_graphs
from edgeclf.runtime.model.onnx_schema import EXTERNAL, parse_model

MAX_NODES = 50_000
"""Ten times as many as the largest classifiers have. onnxruntime takes 5 seconds and 150 MB to load so many, and its time
grows faster than their number."""
_MAX_VALUES = 1 << 28
"""In one tensor that a node makes from constants: 1 GB in float32, more than any network needs for one image."""
_MAX_GROWTH = 1 << 14
"""How many times its pixels an operation may make of an image: 128 times each side."""
_MAX_AXES = 64
_MAX_CALLS = 100
_DOMAINS = {
    *(b"", b"ai.onnx", b"ai.onnx.ml", b"ai.onnx.training", b"ai.onnx.preview", b"ai.onnx.preview.training"),
    *(b"com.microsoft", b"com.microsoft.nchwc", b"com.microsoft.experimental", b"com.ms.internal.nhwc"),
}
"""The families of operators inside onnxruntime itself."""
_FOREIGN_CODE = {b"PyOp", b"PythonOp", b"PythonOpGrad", b"ATen", b"EPContext"}
BYTES = {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 14: 8, 15: 16, 16: 2}
BYTES |= dict.fromkeys((17, 18, 19, 20), 1)
"""Bytes in each value of `raw_data`, by type."""
_SHAPES = {b"ConstantOfShape": 0, b"Expand": 1, b"Tile": 1, b"Resize": 3, b"Pad": 1, b"Loop": 0}
"""The input of an operation that says how large its output is, or how often it runs."""
_SCALES = {b"Resize": 2, b"Upsample": 1}
"""The input that says how many times as large as its input the output is."""
_SHAPE_ATTRIBUTES = (b"shape", b"output_shape", b"kernel_shape", b"pads", b"output_padding", b"dilations")


def read_model(path: Path, data: bytes) -> Any:
    """The file as a ModelProto that an engine can be given. Raises ModelError. path: names the file in errors."""
    try:
        model = parse_model(data)
        if not model.HasField("graph"):
            raise ValueError("it holds no graph")
        _check_size(model)
        for tensor in stored_tensors(model):
            _check_tensor(tensor, len(data))
        _check_shapes(model)
    except ValueError as error:
        raise ModelError(f"{path} is damaged or not an ONNX classifier ({error}); copy or export it again") from None
    _check_operators(path, model)
    return model


def stored_tensors(model: Any) -> Iterator[Any]:
    """All tensors that a file stores, wherever in it."""
    for graph in (*graphs(model), *function_graphs(model)):
        if hasattr(graph, "initializer"):
            yield from graph.initializer
        for sparse in _sparse_tensors(graph):
            yield from (sparse.values, sparse.indices)
        for found in (found for node in graph.node for found in node.attribute):
            yield from ([found.t] if found.HasField("t") else []) + [*found.tensors]


def _sparse_tensors(graph: Any) -> Iterator[Any]:
    if hasattr(graph, "sparse_initializer"):
        yield from graph.sparse_initializer
    for found in (found for node in graph.node for found in node.attribute):
        yield from ([found.sparse_tensor] if found.HasField("sparse_tensor") else []) + [*found.sparse_tensors]


def _check_size(model: Any) -> None:
    """Functions count as often as they are called: an engine writes out every call."""
    functions = {(function.domain, function.name): function for function in model.functions}
    known: dict[tuple[bytes, bytes], int] = {}

    def size(holder: Any, depth: int) -> int:
        if depth > _MAX_CALLS:
            raise ValueError("its functions call each other without end")
        total = sum(size(graph, depth + 1) for graph in inner_graphs(holder.node))
        for node in holder.node:
            key = (node.domain, node.op_type)
            if key in functions and key not in known:
                known[key] = size(functions[key], depth + 1)
            total += known.get(key, 1)
            if total > MAX_NODES:
                raise ValueError(f"it has more than {MAX_NODES:,} nodes, more than any classifier needs")
        return total

    size(model.graph, 0)
    for function in model.functions:
        size(function, 0)


def _check_tensor(tensor: Any, file_bytes: int) -> None:
    if len(tensor.dims) > _MAX_AXES or min(tensor.dims, default=0) < 0:
        raise ValueError("a weight has an impossible shape")
    if tensor.data_location == EXTERNAL:
        return  # checked when it is brought inside
    count, needed = math.prod(tensor.dims), BYTES.get(tensor.data_type)
    if tensor.HasField("raw_data"):
        wrong = needed is not None and len(tensor.raw_data) != count * needed
    else:
        listed = (tensor.float_data, tensor.int32_data, tensor.int64_data, tensor.double_data)
        wrong = count > (2 * max(map(len, listed)) or file_bytes)  # two values of 4 bits fit into one number
    if wrong:
        raise ValueError(f"a weight claims to hold {count:,} values, but the file has other data for it")


def _check_shapes(model: Any) -> None:
    """Some operations make much from little: one constant is enough to ask for a terabyte."""
    constants = Constants(model)
    for graph in (*graphs(model), *function_graphs(model)):
        for sparse in _sparse_tensors(graph):
            _check_values("a sparse weight", sparse.dims)
        for node in graph.node:
            name = node.op_type[:50].decode("utf-8", "replace")
            for places, limit in ((_SHAPES, _MAX_VALUES), (_SCALES, _MAX_GROWTH)):
                place = places.get(node.op_type, -1)
                values = constants.values(node.input[place]) if 0 <= place < len(node.input) else None
                if values is not None and values.dtype.kind in "if":
                    _check_values(name, values.ravel()[:1000].tolist(), limit)
            for found in filter(None, (attribute(node, key) for key in _SHAPE_ATTRIBUTES)):
                _check_values(name, found.ints[:1000])
            if node.op_type == b"Range":
                _check_range(constants, node)


def _check_values(name: str, asked: Any, limit: int = _MAX_VALUES) -> None:
    numbers = [abs(number) for number in asked]
    if not all(number <= limit for number in numbers) or math.prod(max(1, number) for number in numbers) > limit:
        raise ValueError(f"{name} asks for more values than any classifier needs")


def _check_range(constants: Constants, node: Any) -> None:
    ends = [constants.values(name) for name in node.input[:3]]
    if len(ends) == 3 and all(end is not None and end.size == 1 and end.dtype.kind in "if" for end in ends):
        start, limit, step = (float(end.ravel()[0]) for end in ends if end is not None)
        _check_values("Range", [(limit - start) / step if step else math.inf])


def _check_operators(path: Path, model: Any) -> None:
    own = {(function.domain, function.name) for function in model.functions}
    for graph in (*graphs(model), *function_graphs(model)):
        for node in graph.node:
            foreign = node.domain not in _DOMAINS and (node.domain, node.op_type) not in own
            if foreign or node.op_type in _FOREIGN_CODE:
                name = b".".join(filter(None, (node.domain, node.op_type)))[:100].decode("utf-8", "replace")
                problem = f"{path} needs the operator {name}, which onnxruntime does not bring and edgeclf does not load"
                raise ModelError(f"{problem}; export the model with standard operators only")
