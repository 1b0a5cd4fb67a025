"""The trained network as ONNX in INT8: QuantizeLinear and DequantizeLinear (QDQ) with the trained scales."""

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from edgeclf.export.frozen import Frozen
from edgeclf.export.qat.network import QuantizedNetwork
from edgeclf.export.shared_weights import separate_dequantizing
from edgeclf.export.to_onnx import convert
from edgeclf.runtime.errors import ModelError

_LAYERS = ("Conv", "Gemm", "MatMul")
_RESHAPING = ("Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
_LARGEST = 127
_SMALLEST_SCALE = 1e-8


def integer_onnx(network: QuantizedNetwork, model: Frozen, opset: int) -> onnx.ModelProto:
    """Every layer with weights takes integers: kernels in int8 per output channel, biases in int32, activations in int8.

    Raises ModelError if the conversion fails or would leave a layer in float.
    """
    proto = convert(model.with_function(network.frozen()), opset)
    _Quantizing(proto.graph, model.path).quantize_layers()
    separate_dequantizing(proto.graph)
    return proto


class _Quantizing:
    """Replaces the float weights of a graph. The activations have their scales already."""

    def __init__(self, graph: onnx.GraphProto, path: Path) -> None:
        self._graph = graph
        self._path = path
        self._constants = {tensor.name: tensor for tensor in graph.initializer}
        self._makers = {output: node for node in graph.node for output in node.output}
        self._added: list[onnx.NodeProto] = []

    def quantize_layers(self) -> None:
        self._merge_biases()
        for node in self._graph.node:
            if node.op_type in _LAYERS:
                self._quantize(node)
            elif node.op_type in ("QuantizeLinear", "DequantizeLinear"):
                node.input[2] = self._signed(node.input[2])
        for node in reversed(self._added):  # they need constants only, so they can come first
            self._graph.node.insert(0, node)
        used = {name for node in self._graph.node for name in node.input}
        kept = [tensor for tensor in self._graph.initializer if tensor.name in used]
        del self._graph.initializer[:]
        self._graph.initializer.extend(kept)

    def _merge_biases(self) -> None:
        """Make one Gemm of a MatMul and the bias that is added to it: the bias is rounded, too."""
        products = {node.output[0]: node for node in self._graph.node if node.op_type == "MatMul"}
        for node in [node for node in self._graph.node if node.op_type == "Add"]:
            product = products.get(node.input[0])
            if product is not None and node.input[1] in self._constants:
                product.op_type = "Gemm"
                product.input.append(node.input[1])
                product.output[0] = node.output[0]
                self._makers[node.output[0]] = product
                self._graph.node.remove(node)

    def _quantize(self, node: onnx.NodeProto) -> None:
        if node.input[1] not in self._constants:
            raise self._stays_in_float(node)
        kernel = numpy_helper.to_array(self._constants[node.input[1]])
        axis = _output_axis(node)
        others = tuple(each for each in range(kernel.ndim) if each != axis)
        largest: NDArray[np.float32] = np.abs(kernel).max(axis=others)
        scale = np.maximum(largest / _LARGEST, _SMALLEST_SCALE).astype(np.float32)
        of_input = self._input_scale(node)
        node.input[1] = self._integers(node.input[1], kernel, scale, axis, np.dtype(np.int8))
        if len(node.input) > 2:
            bias = numpy_helper.to_array(self._constants[node.input[2]])
            name = f"{node.name}/{node.input[2]}"  # a bias may be shared by layers with other scales
            node.input[2] = self._integers(name, bias, of_input * scale, 0, np.dtype(np.int32))

    def _integers(
        self, name: str, numbers: NDArray[np.float32], scale: NDArray[np.float32], axis: int, dtype: np.dtype[np.generic]
    ) -> str:
        """The name of `numbers` as they are after rounding to integers, which are added to the graph."""
        made = f"{name}/dequantized"
        if made in self._makers:
            return made
        shape = [-1 if each == axis else 1 for each in range(numbers.ndim)]
        limit = np.iinfo(dtype).max  # type: ignore[type-var]
        integers = np.clip(np.round(numbers / scale.reshape(shape).astype(np.float64)), -limit, limit).astype(dtype)
        parts = {"integers": integers, "scale": scale, "zero": np.zeros(scale.shape, dtype)}
        names = [f"{name}/{part}" for part in parts]
        self._graph.initializer.extend(
            numpy_helper.from_array(array, part) for part, array in zip(names, parts.values(), strict=True)
        )
        self._added.append(helper.make_node("DequantizeLinear", names, [made], name=made, axis=axis))
        self._makers[made] = self._added[-1]
        return made

    def _signed(self, zero: str) -> str:
        """The name of a zero point for int8 in place of the one for uint8, as in TFLite."""
        name = f"{zero}/signed"
        if name not in self._constants:
            number = numpy_helper.to_array(self._constants[zero]).astype(np.int64) - 128
            self._constants[name] = numpy_helper.from_array(number.astype(np.int8), name)
            self._graph.initializer.append(self._constants[name])
        return name

    def _input_scale(self, node: onnx.NodeProto) -> float:
        """The scale of the activations that a layer takes."""
        maker = self._makers.get(node.input[0])
        while maker is not None and maker.op_type in _RESHAPING:
            maker = self._makers.get(maker.input[0])
        if maker is None or maker.op_type != "DequantizeLinear":
            raise self._stays_in_float(node)
        return float(numpy_helper.to_array(self._constants[maker.input[1]]))

    def _stays_in_float(self, node: onnx.NodeProto) -> ModelError:
        problem = f"{self._path} cannot be ONNX in integers only, because its layer {node.name} would stay in float"
        return ModelError(f"{problem}; leave out --qat, or export --format tflite")


def _output_axis(node: onnx.NodeProto) -> int:
    """The axis of the kernel with one entry for each output channel."""
    if node.op_type == "Conv":
        return 0
    transposed = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
    return 0 if transposed else 1
