"""A TFLite graph that grows at both ends.

The new tables are written in front of the file, and point into it for all that stays. So the weights are not read, and keep
their alignment; a file of any size takes milliseconds for each thousand tensors.
"""

from collections.abc import Callable, Sequence
from typing import Any

import flatbuffers  # type: ignore[import-untyped]
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edgeclf.runtime.model.tflite_schema import IDENTIFIER, each, open_tables

_ALIGNMENT = 16
"""Of buffers, in bytes, as the schema says."""
_ROOM = 1 << 18
"""In bytes, for the new tables; the builder makes more if it needs it."""
_BY_OPERATION_NUMBER = b"model_control_dependencies"
"""Metadata that would be wrong after an operation is put in front."""


class TfliteGraph:
    """The first graph of a file, which has one input and one output.

    Damaged files raise `tflite_schema.DAMAGE`.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data + bytes(-len(data) % _ALIGNMENT)
        self._builder = _builder_before(self._data)
        self._model = model = open_tables(self._data)
        self._graph = graph = model.Subgraphs(0)
        self._tensors = self._places(graph.Tensors, graph.TensorsLength())
        self._operators = self._places(graph.Operators, graph.OperatorsLength())
        self._codes = self._places(model.OperatorCodes, model.OperatorCodesLength())
        self._buffers = self._places(model.Buffers, model.BuffersLength())
        if any(model.Buffers(index).Offset() > 1 for index in range(len(self._buffers))):
            raise ValueError("weights outside the tables")  # only in files beyond 2 GB
        self._front = 0
        self.input: int = graph.Inputs(0)
        self.output: int = graph.Outputs(0)

    def tensor(self, index: int) -> Any:
        """A table of the file. Not for new tensors."""
        return self._graph.Tensors(index)

    def add_tensor(
        self,
        name: str,
        shape: Sequence[int],
        dtype: str,
        *,
        batch: int = 1,
        steps: tuple[float, int] | None = None,
        values: NDArray[Any] | None = None,
    ) -> int:
        """A new tensor; returns its index. batch: -1 for any. steps: scale and zero point. values: of a constant."""
        tensor = schema.TensorT()
        tensor.name, tensor.type = name, getattr(schema.TensorType, dtype.upper())
        tensor.shape = np.array(shape, np.int32)
        tensor.buffer = 0 if values is None else self._add_buffer(values.tobytes())
        if batch != 1:
            tensor.shapeSignature = np.array([batch, *shape[1:]], np.int32)
        if steps:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = [steps[0]], [steps[1]]
        self._tensors.append(tensor.Pack(self._builder))
        return len(self._tensors) - 1

    def name_input(self, name: str, shape: Sequence[int], batch: int) -> None:
        """Give the input another name and shape. batch: -1 for any."""
        tensor = schema.TensorT.InitFromObj(self.tensor(self.input))
        tensor.name, tensor.shape = name, np.array(shape, np.int32)
        tensor.shapeSignature = np.array([batch, *shape[1:]], np.int32)
        self._tensors[self.input] = tensor.Pack(self._builder)

    def add_operator(self, name: str, inputs: Sequence[int], output: int, options: Any = None, *, front: bool) -> None:
        """A new operation behind those that were put in front before, or at the end.

        name: such as `CAST`. options: an object such as `CastOptionsT`.
        """
        operator = schema.OperatorT()
        operator.opcodeIndex = self._add_code(name)
        operator.inputs, operator.outputs = np.array(inputs, np.int32), np.array([output], np.int32)
        if options is not None:
            operator.builtinOptions = options
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        place = operator.Pack(self._builder)
        self._operators.insert(self._front if front else len(self._operators), place)
        self._front += front

    def to_bytes(self, input_name: str, output_name: str) -> bytes:
        """The file with the input and the output that the graph has now, and a signature with their names."""
        builder = self._builder
        model, metadata = self._model, self._metadata()
        graphs = [self._pack_graph(), *self._places(model.Subgraphs, model.SubgraphsLength())[1:]]
        lists = {
            schema.ModelAddOperatorCodes: self._vector(self._codes),
            schema.ModelAddSubgraphs: self._vector(graphs),
            schema.ModelAddBuffers: self._vector(self._buffers),
            schema.ModelAddMetadata: self._vector(metadata),
            schema.ModelAddSignatureDefs: self._vector([self._pack_signature(input_name, output_name)]),
            schema.ModelAddDescription: builder.CreateString(model.Description() or b""),
        }
        schema.ModelStart(builder)
        schema.ModelAddVersion(builder, model.Version())
        for add, place in lists.items():
            add(builder, place)
        builder.Finish(schema.ModelEnd(builder), IDENTIFIER)
        return bytes(builder.Output())

    def _pack_graph(self) -> int:
        builder = self._builder
        tensors, operators = self._vector(self._tensors), self._vector(self._operators)
        inputs = builder.CreateNumpyVector(np.array([self.input], np.int32))
        outputs = builder.CreateNumpyVector(np.array([self.output], np.int32))
        name = builder.CreateString(self._graph.Name() or b"main")
        schema.SubGraphStart(builder)
        schema.SubGraphAddTensors(builder, tensors)
        schema.SubGraphAddInputs(builder, inputs)
        schema.SubGraphAddOutputs(builder, outputs)
        schema.SubGraphAddOperators(builder, operators)
        schema.SubGraphAddName(builder, name)
        return int(schema.SubGraphEnd(builder))

    def _pack_signature(self, input_name: str, output_name: str) -> int:
        signature = schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = "serving_default", 0
        signature.inputs, signature.outputs = [schema.TensorMapT()], [schema.TensorMapT()]
        signature.inputs[0].name, signature.inputs[0].tensorIndex = input_name, self.input
        signature.outputs[0].name, signature.outputs[0].tensorIndex = output_name, self.output
        return int(signature.Pack(self._builder))

    def _metadata(self) -> list[int]:
        entries = list(each(self._model.Metadata, self._model.MetadataLength()))
        return [self._place(entry) for entry in entries if entry.Name() != _BY_OPERATION_NUMBER]

    def _add_buffer(self, content: bytes) -> int:
        builder = self._builder
        builder.StartVector(1, len(content), _ALIGNMENT)
        for byte in reversed(content):
            builder.PrependByte(byte)
        data = builder.EndVector()
        schema.BufferStart(builder)
        schema.BufferAddData(builder, data)
        self._buffers.append(schema.BufferEnd(builder))
        return len(self._buffers) - 1

    def _add_code(self, name: str) -> int:
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), 1
        self._codes.append(code.Pack(self._builder))
        return len(self._codes) - 1

    def _vector(self, places: Sequence[int]) -> int:
        self._builder.StartVector(4, len(places), 4)
        for place in reversed(places):
            self._builder.PrependUOffsetTRelative(place)
        return int(self._builder.EndVector())

    def _places(self, get: Callable[[int], Any], length: int) -> list[int]:
        return [self._place(table) for table in each(get, length)]

    def _place(self, table: Any) -> int:
        """Where a table of the file is, as the builder counts: from the end."""
        return len(self._data) - int(table._tab.Pos)


def _builder_before(data: bytes) -> Any:
    """A builder that writes in front of `data`."""
    builder = flatbuffers.Builder(0)
    builder.Bytes, builder.head, builder.minalign = bytearray(_ROOM) + data, _ROOM, _ALIGNMENT
    return builder
