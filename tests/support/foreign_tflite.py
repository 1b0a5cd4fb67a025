"""TFLite files as other tools make them, built without TensorFlow: small classifiers by mean colour, and others."""

import io
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers  # type: ignore[import-untyped]
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from tests.support.small_models import COLOUR_WEIGHTS
from tests.support.trained_run import KEPT_RUN

SIDE = 8


@dataclass(frozen=True)
class Foreign:
    """A classifier of `SIDE` x `SIDE` images by their mean colour.

    weights: `[classes, channels]`. channels_first: whether it takes `[1, C, H, W]`. fixed_batch: whether its graph is made
    for one image. head: its last operation; "" for none. output: the shape of what it returns; None for `[1, classes]`.
    open_size: whether its file leaves height and width open.
    """

    weights: NDArray[np.float32] = field(default_factory=COLOUR_WEIGHTS.copy)
    channels_first: bool = False
    fixed_batch: bool = False
    head: str = "SOFTMAX"
    output: Sequence[int] | None = None
    open_size: bool = False

    def to_bytes(self) -> bytes:
        model = TfliteWriter()
        classes, channels = self.weights.shape
        shape = (1, channels, SIDE, SIDE) if self.channels_first else (1, SIDE, SIDE, channels)
        image = current = model.tensor("serving_default_input:0", shape)
        if self.open_size:
            model.graph.tensors[image].shape = np.array([1, 1, 1, channels], np.int32)
            model.graph.tensors[image].shapeSignature = np.array([-1, -1, -1, channels], np.int32)
        axes = model.constant(np.array([2, 3] if self.channels_first else [1, 2], np.int32))
        current = model.then("MEAN", [image, axes], (1, channels), schema.ReducerOptionsT())
        if self.fixed_batch:
            current = model.then("RESHAPE", [current, model.constant(np.array([1, channels], np.int32))], (1, channels))
        weights, bias = model.constant(self.weights), model.constant(np.zeros(classes, np.float32))
        options = schema.FullyConnectedOptionsT()
        current = model.then("FULLY_CONNECTED", [current, weights, bias], (1, classes), options)
        if self.head == "SOFTMAX":
            softmax = schema.SoftmaxOptionsT()
            softmax.beta = 1.0
            current = model.then("SOFTMAX", [current], (1, classes), softmax)
        if self.head == "LOGISTIC":
            current = model.then("LOGISTIC", [current], (1, classes))
        if self.output is not None:
            current = model.then("RESHAPE", [current, model.constant(np.array(self.output, np.int32))], self.output)
        return model.to_bytes([image], [current])


class TfliteWriter:
    """Writes a file with one graph, tensor by tensor and operation by operation."""

    def __init__(self) -> None:
        self.model, self.graph = schema.ModelT(), schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.model.version, self.model.subgraphs = 3, [self.graph]
        self.model.operatorCodes, self.model.buffers = [], [schema.BufferT()]

    def tensor(self, name: str, shape: Sequence[int], dtype: str = "float32", steps: tuple[float, int] | None = None) -> int:
        tensor = schema.TensorT()
        tensor.name, tensor.type = name, getattr(schema.TensorType, dtype.upper())
        tensor.shape = np.array(shape, np.int32)
        if steps:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = [steps[0]], [steps[1]]
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def constant(self, values: NDArray[Any]) -> int:
        index = self.tensor("constant", values.shape, str(values.dtype))
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        self.graph.tensors[index].buffer = len(self.model.buffers) - 1
        return index

    def then(self, name: str, inputs: Sequence[int], shape: Sequence[int], options: Any = None) -> int:
        """An operation at the end; returns its result, a float tensor. name: in capitals, or of a custom operator."""
        code, operator = schema.OperatorCodeT(), schema.OperatorT()
        number = getattr(schema.BuiltinOperator, name, schema.BuiltinOperator.CUSTOM)
        code.builtinCode, code.deprecatedBuiltinCode, code.version = number, min(number, 127), 1
        code.customCode = None if hasattr(schema.BuiltinOperator, name) else name
        self.model.operatorCodes.append(code)
        operator.opcodeIndex = len(self.model.operatorCodes) - 1
        operator.inputs = np.array(inputs, np.int32)
        made = self.tensor(name, shape)
        operator.outputs = np.array([made], np.int32)
        if options is not None:
            operator.builtinOptions = options
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        self.graph.operators.append(operator)
        return made

    def to_bytes(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        self.graph.inputs, self.graph.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
        return packed(self.model)


def packed(model: Any) -> bytes:
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def changed(tflite: bytes, change: Callable[[Any], None]) -> bytes:
    """The file after `change` was called with its `ModelT`."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(tflite, 0))
    change(model)
    return packed(model)


def quantised(name: str = "softmax", *, dtype: str = "uint8", steps: tuple[float, int] | None = None) -> bytes:
    """A quantised network of four classes, see `small_models`; with an int8 input, or with other steps of its input."""

    def change(model: Any) -> None:
        graph = model.subgraphs[0]
        if dtype == "int8":  # behind the conversion from uint8
            graph.inputs = graph.operators.pop(0).outputs
            model.signatureDefs = None
        if steps:
            quantization = graph.tensors[graph.inputs[0]].quantization
            quantization.scale, quantization.zeroPoint = [steps[0]], [steps[1]]

    return changed((KEPT_RUN / f"uint8_{name}.tflite").read_bytes(), change)


def with_metadata(
    tflite: bytes,
    mean: Sequence[float] = (),
    std: Sequence[float] = (),
    labels: bytes | None = None,
    color_space: int = 0,
) -> bytes:
    """The file with `TFLITE_METADATA`, as tflite-support writes it: labels are a member of an appended zip."""
    builder = flatbuffers.Builder()
    content = _metadata(builder, mean, std, "labels.txt" if labels is not None else "", color_space)
    entry, buffer = schema.MetadataT(), schema.BufferT()
    buffer.data = np.frombuffer(content, np.uint8)

    def change(model: Any) -> None:
        entry.name, entry.buffer = "TFLITE_METADATA", len(model.buffers)
        model.buffers.append(buffer)
        model.metadata = [*(model.metadata or []), entry]

    file = io.BytesIO()
    file.write(changed(tflite, change))
    if labels is not None:
        with zipfile.ZipFile(file, "a") as archive:
            archive.writestr("labels.txt", labels)
    return file.getvalue()


def _metadata(builder: Any, mean: Sequence[float], std: Sequence[float], labels: str, color_space: int) -> bytes:
    """The tables of `metadata_schema.fbs` by the numbers of their fields."""
    process = []
    if mean:
        options = _table(builder, {0: _floats(builder, mean), 1: _floats(builder, std)})
        process = [_table(builder, {1: options}, {0: 1})]
    image = _table(builder, {}, {0: color_space})
    content = _table(builder, {1: image}, {0: 2})
    one = _table(builder, {0: builder.CreateString("image"), 3: content, 4: _tables(builder, process)})
    files = [_table(builder, {0: builder.CreateString(labels)}, {2: 2})] if labels else []
    other = _table(builder, {0: builder.CreateString("probability"), 6: _tables(builder, files)})
    graph = _table(builder, {2: _tables(builder, [one]), 3: _tables(builder, [other])})
    builder.Finish(_table(builder, {0: builder.CreateString("net"), 3: _tables(builder, [graph])}), b"M001")
    return bytes(builder.Output())


def _table(builder: Any, offsets: dict[int, int], numbers: dict[int, int] | None = None) -> int:
    builder.StartObject(8)
    for slot, offset in offsets.items():
        builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
    for slot, number in (numbers or {}).items():
        builder.PrependUint8Slot(slot, number, 0)
    return int(builder.EndObject())


def _tables(builder: Any, tables: Sequence[int]) -> int:
    builder.StartVector(4, len(tables), 4)
    for table in reversed(tables):
        builder.PrependUOffsetTRelative(table)
    return int(builder.EndVector())


def _floats(builder: Any, values: Sequence[float]) -> int:
    return int(builder.CreateNumpyVector(np.array(values, np.float32)))
