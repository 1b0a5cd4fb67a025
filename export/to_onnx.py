"""Converts a Keras network to ONNX."""

from pathlib import Path

import onnx
import tf2onnx

from edgeclf.export.frozen import Frozen
from edgeclf.export.graph_fixes import HANDLERS, fixed_graph
from edgeclf.export.onnx_file import pack
from edgeclf.export.options import OPSET
from edgeclf.runtime.errors import GateError, ModelError, first_line
from edgeclf.runtime.model.backend import INPUT, OUTPUT


def to_onnx(model: Frozen, opset: int = OPSET) -> bytes:
    """A finished file in float32. Raises the errors of `convert` and `pack`."""
    return pack(convert(model, opset), model.card)


def convert(model: Frozen, opset: int = OPSET) -> onnx.ModelProto:
    """The network in float32, with input `image` and output `probabilities`, and behind it the further outputs that the card
    names. `pack` makes a file of it.

    opset: one of OPSETS. Raises ModelError if a layer has no counterpart in ONNX, and GateError if several inputs are left.
    """
    try:
        proto, _ = tf2onnx.convert.from_graph_def(
            fixed_graph(model.function.graph),
            input_names=[model.function.inputs[0].name],
            output_names=[tensor.name for tensor in model.function.outputs],
            opset=opset,
            custom_op_handlers=HANDLERS,
        )
    except Exception as error:  # tf2onnx raises anything from KeyError to AssertionError
        raise ModelError(f"{model.path} cannot be converted to ONNX opset {opset} ({first_line(error)})") from None
    graph = proto.graph
    _check_operations(graph, opset, model.path)
    if len(graph.input) != 1:
        inputs = ", ".join(value.name for value in graph.input)
        raise GateError(f"the ONNX conversion left {len(graph.input)} inputs ({inputs}) instead of one")
    _rename(graph, graph.input[0].name, INPUT)
    for value, name in zip(graph.output, (OUTPUT, *model.card.outputs), strict=True):
        _rename(graph, value.name, name)
    for value in (graph.input[0], *graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    return proto


def _check_operations(graph: onnx.GraphProto, opset: int, path: Path) -> None:
    """tf2onnx leaves operations of TensorFlow that it does not know as they are."""
    unknown = {node.op_type for node in graph.node if not (node.domain or onnx.defs.has(node.op_type, opset))}
    if unknown:
        problem = (
            f"{path} cannot be converted to ONNX opset {opset}, which has no counterpart of {', '.join(sorted(unknown))}"
        )
        raise ModelError(f"{problem}; replace the layer that computes it")


def _rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    """Rename a tensor everywhere in the graph."""
    for node in graph.node:
        node.input[:] = [new if name == old else name for name in node.input]
        node.output[:] = [new if name == old else name for name in node.output]
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.name == old:
            value.name = new
