"""Finds the operation that computes the output of a model file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from edgeclf.runtime.model.formats import model_format
from edgeclf.runtime.model.tflite_schema import each, open_tables, operator_names

_MAX_OUTPUTS = 500  # of one operation
_Tensor = TypeVar("_Tensor", bytes, int)
_CONVERSIONS = {
    *("QUANTIZE", "DEQUANTIZE", "CAST", "RESHAPE", "SQUEEZE", "EXPAND_DIMS"),
    *("QuantizeLinear", "DequantizeLinear", "Cast", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity"),
}
"""They change the type or the shape of scores, but not what the scores are."""


def last_operation(path: Path, data: bytes) -> str:
    """The type of the operation behind the first output, such as `Softmax` or `SOFTMAX`; "" if it is not known.

    path, data: the name and the bytes of an ONNX or TFLite file that an engine has loaded.
    """
    return _onnx_operation(data) if model_format(path) == "ONNX" else last_tflite_operation(data)


def _onnx_operation(data: bytes) -> str:
    from edgeclf.runtime.model.onnx_schema import parse_model

    graph = parse_model(data).graph
    return last_onnx_operation(graph, graph.output[0].name)


def last_onnx_operation(graph: Any, output: bytes) -> str:
    """The same for one output of an ONNX graph that was parsed by `onnx_schema`."""
    nodes = {made: node for node in graph.node for made in node.output}

    def made_by(tensor: bytes) -> tuple[str, bytes]:
        node = nodes.get(tensor)
        operation = node.op_type.decode("utf-8", "replace") if node else ""
        return operation, node.input[0] if node and node.input else b""

    return _walk_back(output, made_by)


def last_tflite_operation(data: bytes) -> str:
    """The same for the bytes of a TFLite file; those of a damaged one can raise `tflite_schema.DAMAGE`."""
    model = open_tables(data)
    graph, names = model.Subgraphs(0), operator_names(model)
    operators = each(graph.Operators, graph.OperatorsLength())
    makers = {tensor: node for node in operators for tensor in each(node.Outputs, node.OutputsLength(), _MAX_OUTPUTS)}

    def made_by(tensor: int) -> tuple[str, int]:
        node = makers.get(tensor)
        if node is None:
            return "", -1
        return names[node.OpcodeIndex()], node.Inputs(0) if node.InputsLength() else -1

    return _walk_back(graph.Outputs(0), made_by)


def _walk_back(tensor: _Tensor, made_by: Callable[[_Tensor], tuple[str, _Tensor]]) -> str:
    """made_by: the type of the operation that makes a tensor, and its first input."""
    seen: set[_Tensor] = set()
    while tensor not in seen:
        seen.add(tensor)
        operation, tensor = made_by(tensor)
        if operation not in _CONVERSIONS:
            return operation
    return ""
