"""Quantises a Keras network to INT8 TFLite, with uint8 input and output."""

import contextlib
import io
import threading
import warnings
from collections.abc import Collection, Iterator
from copy import copy
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.python.convert import mlir_quantize
from tensorflow.lite.python.util import modify_model_io_type
from tensorflow.lite.tools.flatbuffer_utils import convert_bytearray_to_object, convert_object_to_bytearray

from edgeclf.export.bias_correction import TfliteBias
from edgeclf.export.frozen import Frozen
from edgeclf.export.histograms import Histograms
from edgeclf.export.int8 import Method, by_layer
from edgeclf.export.outputs import answering
from edgeclf.export.to_tflite import make_converter, run_converter
from edgeclf.runtime.cores import usable_cores
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.model.card import ModelCard
from edgeclf.runtime.model.tflite_card import append_card
from edgeclf.runtime.pipeline import ordered_map
from edgeclf.runtime.terminal.progress import Progress

_OPERATIONS = (3, 4, 9, 67)
"""CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED and TRANSPOSE_CONV in TFLite's schema."""
_FLOAT32 = 0
_IMAGE_BYTES = 64 << 20
"""About what all activations of an image hold, so that few images are observed ahead of the histograms."""
_Ranges = dict[int, tuple[float, float]]


class TfliteQuantizer:
    """Quantises one network in several ways. It is converted and calibrated once.

    images: preprocessed training images, uint8 `[N, H, W, C]`.
    """

    activations = "int8"

    def __init__(self, model: Frozen, images: Pixels) -> None:
        self._card = model.card
        self._calibrated = Calibrated(model, images)
        self._bias = TfliteBias(self._calibrated.min_max, images)
        self._with_casts: dict[Method, bytes] = {}
        self.layers = tuple(self._calibrated.layers)
        self.corrects_bias = self._bias.is_possible

    def quantize(self, method: Method, in_float: Collection[str] = (), *, corrected: bool = True) -> bytes:
        """An all-integer file with uint8 output. With layers in float, the output is float32."""
        quantized = self._mixed(method, in_float) if in_float else bytes(mlir_quantize(self._calibrated.with_ranges(method)))
        if corrected:
            quantized = self._bias.corrected(quantized)
        return append_card(quantized, self._card) if in_float else finished(quantized, self._card)

    def _mixed(self, method: Method, in_float: Collection[str]) -> bytes:
        if method not in self._with_casts:
            self._with_casts[method] = _with_cast(self._calibrated.with_ranges(method))
        excluded = set(chain.from_iterable(self._calibrated.layers[layer] for layer in in_float))
        return bytes(mlir_quantize(self._with_casts[method], denylisted_nodes=excluded))


def finished(integers: bytes, card: ModelCard) -> bytes:
    """A file that computes in integers, with uint8 input and output, and the card inside."""
    return append_card(bytes(modify_model_io_type(integers, tf.uint8, tf.uint8)), card)


class Calibrated:
    """A float model with a range for every tensor: the intermediate result of `TFLiteConverter.convert`.

    Making it takes most of the time, and quantising it takes little; in between, the ranges can be replaced.
    `tf.lite.experimental.QuantizationDebugger` calls the same functions.
    """

    def __init__(self, model: Frozen, images: Pixels) -> None:
        self._images = images
        converter = make_converter(model, tf.float32)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = self._one_by_one
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter._experimental_calibrate_only = True
        self._files: dict[Method, bytes] = {"min-max": run_converter(converter, model)}

    @property
    def min_max(self) -> bytes:
        """The file with the least and the largest number of each tensor as its range."""
        return self._files["min-max"]

    @cached_property
    def layers(self) -> dict[str, list[str]]:
        """The layers with weights, from input to output, and the operations of each. What makes further outputs is one with
        the last layer, whose weights it shares.
        """
        graph = self._graph()
        (subgraph,) = graph.subgraphs
        codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in graph.operatorCodes]
        answers = answering([(one.inputs, one.outputs) for one in subgraph.operators], subgraph.outputs[0])
        parts = zip(subgraph.operators, answers, strict=True)
        ordered = [one for one, _ in sorted(parts, key=lambda part: not part[1])]
        answered = sum(answers)
        return by_layer(
            (subgraph.tensors[one.outputs[0]].name.decode(), place < answered and codes[one.opcodeIndex] in _OPERATIONS)
            for place, one in enumerate(ordered)
        )

    def with_ranges(self, method: Method) -> bytes:
        """The model with the ranges of one method."""
        if method not in self._files:
            graph = self._graph()
            for index, (low, high) in self._ranges(method).items():
                quantization = graph.subgraphs[0].tensors[index].quantization
                quantization.min, quantization.max = [min(low, 0.0)], [max(high, 0.0)]
            self._files[method] = bytes(convert_object_to_bytearray(graph))
        return self._files[method]

    def _ranges(self, method: Method) -> _Ranges:
        """The range of each tensor, from histograms over all calibration images. The input keeps its range, 0 to 255."""
        subgraph = self._graph().subgraphs[0]
        ranged = {i: one for i, one in enumerate(subgraph.tensors) if _has_range(one) and i not in subgraph.inputs}
        ends = {i: (one.quantization.min[0], one.quantization.max[0]) for i, one in ranged.items()}
        collector = Histograms(method, ends, len(self._images))
        local = threading.local()

        def observe(image: list[NDArray[Any]]) -> dict[int, list[NDArray[Any]]]:
            if not hasattr(local, "interpreter"):  # it can only be used by one thread
                local.interpreter = _observable(self.min_max)
            local.interpreter.set_tensor(subgraph.inputs[0], image[0])
            local.interpreter.invoke()
            return {index: [local.interpreter.get_tensor(index)] for index in ranged}

        with Progress(f"calibrating ({method})", len(self._images)) as progress:
            for values in ordered_map(observe, self._one_by_one(), usable_cores(), size_bytes=lambda _: _IMAGE_BYTES):
                collector.collect(values)
                progress.advance()
        with contextlib.redirect_stdout(io.StringIO()):  # the collector prints
            found = collector.compute_collection_result()
        return {index: (float(ends[0]), float(ends[1])) for index, ends in found.items()}

    def _one_by_one(self) -> Iterator[list[NDArray[Any]]]:
        """The calibration images, one at a time, with two pixels set to 0 and 255.

        The converter derives the input's scale from the values that it sees. With these two it is always exactly 1, so the
        model takes raw bytes, whatever the calibration images.
        """
        for image in self._images:
            batch = image[None].astype(np.float32)
            batch[0, 0, 0], batch[0, -1, -1] = 0, 255
            yield [batch]

    def _graph(self) -> Any:
        return convert_bytearray_to_object(bytearray(self._files["min-max"]))


def _observable(tflite: bytes) -> Interpreter:
    """An interpreter that keeps the values of all tensors. Its warning about memory is suppressed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        interpreter = Interpreter(model_content=tflite, experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    return interpreter


def _has_range(tensor: Any) -> bool:
    return tensor.type == _FLOAT32 and tensor.quantization is not None and tensor.quantization.min is not None


def _with_cast(tflite: bytes) -> bytes:
    """A model of float32 images, with a cast from uint8 in front, so that its first layer can stay in float."""
    graph = convert_bytearray_to_object(bytearray(tflite))
    (subgraph,) = graph.subgraphs
    (number,) = subgraph.inputs
    floats = subgraph.tensors[number]
    image = copy(floats)
    image.type, image.quantization, image.buffer = schema.TensorType.UINT8, None, len(graph.buffers)
    floats.name = b"Cast"
    graph.buffers.append(schema.BufferT())
    subgraph.tensors.append(image)
    subgraph.inputs = [len(subgraph.tensors) - 1]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CAST
    graph.operatorCodes.append(code)
    cast = schema.OperatorT()
    cast.opcodeIndex, cast.inputs, cast.outputs = len(graph.operatorCodes) - 1, subgraph.inputs, [number]
    subgraph.operators.insert(0, cast)
    for signature in graph.signatureDefs:
        signature.inputs[0].tensorIndex = subgraph.inputs[0]
    return bytes(convert_object_to_bytearray(graph))
