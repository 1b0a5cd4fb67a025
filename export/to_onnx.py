"""A frozen Keras network to ONNX."""

import onnx
import tensorflow as tf
import tf2onnx

from edgeclf.export.frozen import INPUT, OUTPUT, freeze
from edgeclf.runtime.errors import GateError
from edgeclf.runtime.model.card import CARD_KEY
from edgeclf.train.results.saving import KerasModel

OPSET = 17
IR_VERSION = 8
"""What opset 17 was released with: onnxruntime reads it from 1.12 on."""


def to_onnx(model: KerasModel) -> bytes:
    """The bytes of a self-contained ONNX file with the card inside, checked by onnx itself.

    Raises GateError when the conversion leaves something that breaks the model contract.
    """
    frozen = freeze(model, tf.uint8)
    proto, _ = tf2onnx.convert.from_graph_def(
        frozen.graph.as_graph_def(),
        input_names=[frozen.inputs[0].name],
        output_names=[frozen.outputs[0].name],
        opset=OPSET,
    )
    graph = proto.graph
    if len(graph.input) != 1 or len(graph.output) != 1:
        inputs = ", ".join(value.name for value in graph.input)
        raise GateError(f"the ONNX conversion left {len(graph.input)} inputs ({inputs}) where one is allowed")
    _rename(graph, graph.input[0].name, INPUT)
    _rename(graph, graph.output[0].name, OUTPUT)
    for value in (graph.input[0], graph.output[0]):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    proto.ir_version = IR_VERSION
    onnx.helper.set_model_props(proto, {CARD_KEY: model.card.to_json()})
    onnx.checker.check_model(proto, full_check=True)
    serialized: bytes = proto.SerializeToString()
    return serialized


def _rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    """Give a tensor another name wherever it is written or read."""
    for node in graph.node:
        node.input[:] = [new if name == old else name for name in node.input]
        node.output[:] = [new if name == old else name for name in node.output]
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.name == old:
            value.name = new
