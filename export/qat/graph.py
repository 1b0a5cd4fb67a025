"""A float TFLite graph in plain values: what quantisation-aware training computes, and what it writes back into the file.

The converter has already folded batch norms and merged activations into convolutions. So training sees exactly the tensors
that the INT8 file will hold as integers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tensorflow.lite.python.schema_py_generated import BufferT
from tensorflow.lite.tools.flatbuffer_utils import (
    convert_bytearray_to_object,
    convert_object_to_bytearray,
    opcode_to_name,
)

from edgeclf.export.outputs import answering

WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
SAME_SCALE = ("MAX_POOL_2D", "AVERAGE_POOL_2D", "RESHAPE", "PAD")
"""Operations whose output has the scale of their input in TFLite."""
_DTYPES: dict[int, type[np.generic]] = {0: np.float32, 2: np.int32}
Range = tuple[float, float]


@dataclass(frozen=True)
class Operation:
    """kind: its name in TFLite, such as CONV_2D. inputs, output: numbers of tensors, -1 for none. shape: of the output
    for one image.
    """

    kind: str
    inputs: tuple[int, ...]
    output: int
    shape: tuple[int, ...]
    options: Any


class FloatGraph:
    """calibrated: a TFLite file in float, with a range for every tensor."""

    def __init__(self, calibrated: bytes) -> None:
        self._calibrated = calibrated
        self._model = convert_bytearray_to_object(bytearray(calibrated))
        graph = self._model.subgraphs[0]
        self._tensors = graph.tensors
        self.input, self.output = int(graph.inputs[0]), int(graph.outputs[0])
        self.input_shape = tuple(int(side) for side in self._tensors[self.input].shape[1:])
        answers = answering([(each.inputs, each.outputs) for each in graph.operators], graph.outputs[0])
        every = [self._operation(each) for each in graph.operators]
        floats = [self._tensors[one.output].type == 0 for one in every]  # the others compute shapes
        self.operations = [one for one, *both in zip(every, floats, answers, strict=True) if all(both)]
        self.further = [one for one, is_one in zip(every, answers, strict=True) if not is_one]
        """The operations that make further outputs."""
        layers = [index for index, one in enumerate(self.operations) if one.kind in WEIGHTED]
        self.body = layers[-1] + 1 if layers else 0
        """The number of operations up to the last one with weights. After it come softmax or sigmoid."""

    @cached_property
    def constants(self) -> dict[int, NDArray[Any]]:
        """The numbers of every constant tensor."""
        found = {}
        for index, tensor in enumerate(self._tensors):
            data = self._model.buffers[tensor.buffer].data
            if data is not None and len(data) and tensor.type in _DTYPES:
                shape = () if tensor.shape is None else tuple(tensor.shape)
                found[index] = np.frombuffer(bytes(data), _DTYPES[tensor.type]).reshape(shape)
        return found

    @cached_property
    def trainable(self) -> dict[int, str]:
        """The tensors of kernels and biases; for a kernel, the kind of its operation, and for a bias an empty text."""
        found: dict[int, str] = {}
        for one in self.operations:
            if one.kind in WEIGHTED:
                found |= {one.inputs[1]: one.kind} | {index: "" for index in one.inputs[2:] if index in self.constants}
        return found

    @cached_property
    def ranges(self) -> dict[int, Range]:
        """The calibrated range of the input and of the output of each operation up to the last one with weights."""
        indices = [self.input, *(one.output for one in self.operations[: self.body])]
        return {index: self._range(index) for index in indices}

    def written(self, weights: Mapping[int, NDArray[np.float32]], ranges: Mapping[int, Range]) -> bytes:
        """The file with other weights and ranges."""
        model = convert_bytearray_to_object(bytearray(self._calibrated))
        tensors = model.subgraphs[0].tensors
        for index, numbers in weights.items():
            tensors[index].buffer = len(model.buffers)  # its own: equal tensors may share one
            buffer = BufferT()
            buffer.data = np.frombuffer(numbers.astype(np.float32).tobytes(), np.uint8)
            model.buffers.append(buffer)
        for index, (low, high) in ranges.items():
            quantization = tensors[index].quantization
            quantization.min, quantization.max = [low], [high]
        return bytes(convert_object_to_bytearray(model))

    def _operation(self, operator: Any) -> Operation:
        kind = opcode_to_name(self._model, operator.opcodeIndex)
        output = int(operator.outputs[0])
        shape = self._tensors[output].shape
        sides = () if shape is None else tuple(int(side) for side in shape)
        return Operation(kind, tuple(map(int, operator.inputs)), output, sides, operator.builtinOptions)

    def _range(self, index: int) -> Range:
        """With 0 in it, as integers need."""
        quantization = self._tensors[index].quantization
        return min(float(quantization.min[0]), 0.0), max(float(quantization.max[0]), 0.0)
