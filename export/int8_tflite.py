"""Quantises a Keras network to INT8 TFLite, with uint8 input and output."""

import contextlib
import io
import warnings
from collections.abc import Collection, Iterator
from functools import cached_property
from itertools import chain
from typing import Any

import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray
from onnxruntime.quantization.calibrate import HistogramCollector
from tensorflow.lite.python.convert import mlir_quantize
from tensorflow.lite.python.util import modify_model_io_type
from tensorflow.lite.tools.flatbuffer_utils import convert_bytearray_to_object, convert_object_to_bytearray

from edgeclf.export.int8 import ENTROPY_BINS, QUANTIZED_BINS, Method, by_layer, fix_bins
from edgeclf.export.to_tflite import make_converter, run_converter
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.model.card import ModelCard
from edgeclf.runtime.model.tflite_card import append_card
from edgeclf.runtime.terminal.progress import Progress
from edgeclf.train.keras_file.saving import KerasModel

_OPERATIONS = (3, 4, 9, 67)
"""CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED and TRANSPOSE_CONV in TFLite's schema."""
_FLOAT32 = 0
_Ranges = dict[int, tuple[float, float]]


class TfliteQuantizer:
    """Quantises one network in several ways.

    images: preprocessed training images, uint8 `[N, H, W, C]`.
    """

    activations = "int8"

    def __init__(self, model: KerasModel, images: Pixels) -> None:
        self._model = model
        self._images = images
        self._integer = Calibrated(model, images, tf.float32)
        self.layers = tuple(self._integer.layers)

    def quantize(self, method: Method, in_float: Collection[str] = ()) -> bytes:
        """An all-integer file with uint8 output. With layers in float, the output is float32."""
        if in_float:
            return append_card(self._mixed.quantize(method, in_float), self._model.card)
        return finished(self._integer.quantize(method), self._model.card)

    @cached_property
    def _mixed(self) -> "Calibrated":
        """A model with a cast from uint8 in front, so that the first layer can stay in float."""
        return Calibrated(self._model, self._images, tf.uint8)


def finished(integers: bytes, card: ModelCard) -> bytes:
    """A file that computes in integers, with uint8 input and output, and the card inside."""
    return append_card(bytes(modify_model_io_type(integers, tf.uint8, tf.uint8)), card)


class Calibrated:
    """A float model with a range for every tensor: the intermediate result of `TFLiteConverter.convert`.

    Making it takes most of the time, and quantising it takes little; in between, the ranges can be replaced.
    `tf.lite.experimental.QuantizationDebugger` calls the same functions.
    """

    def __init__(self, model: KerasModel, images: Pixels, input_type: tf.DType) -> None:
        self._images = images
        self._input_type = input_type.as_numpy_dtype
        converter = make_converter(model, input_type)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = self._one_by_one
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        if input_type == tf.uint8:
            converter.target_spec.supported_ops.append(tf.lite.OpsSet.TFLITE_BUILTINS)  # for the cast
        converter._experimental_calibrate_only = True
        self._files: dict[Method, bytes] = {"min-max": run_converter(converter, model)}

    @property
    def min_max(self) -> bytes:
        """The file with the least and the largest number of each tensor as its range."""
        return self._files["min-max"]

    @cached_property
    def layers(self) -> dict[str, list[str]]:
        """The layers with weights, from input to output, and the operations of each."""
        graph = self._graph()
        tensors = graph.subgraphs[0].tensors
        codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in graph.operatorCodes]
        return by_layer(
            (tensors[one.outputs[0]].name.decode(), codes[one.opcodeIndex] in _OPERATIONS)
            for one in graph.subgraphs[0].operators
        )

    def quantize(self, method: Method, in_float: Collection[str] = ()) -> bytes:
        """A file in integers except for the layers in `in_float`, with float32 input and output."""
        if method not in self._files:
            self._files[method] = self._with_ranges(self._ranges(method))
        excluded = set(chain.from_iterable(self.layers[layer] for layer in in_float))
        return bytes(mlir_quantize(self._files[method], denylisted_nodes=excluded or None))

    def _with_ranges(self, ranges: _Ranges) -> bytes:
        graph = self._graph()
        for index, (low, high) in ranges.items():
            quantization = graph.subgraphs[0].tensors[index].quantization
            quantization.min, quantization.max = [min(low, 0.0)], [max(high, 0.0)]
        return bytes(convert_object_to_bytearray(graph))

    def _ranges(self, method: Method) -> _Ranges:
        """The range of each tensor, from histograms over all calibration images. The input keeps its range, 0 to 255."""
        collector = _collector(method)
        subgraph = self._graph().subgraphs[0]
        ranged = {i: one for i, one in enumerate(subgraph.tensors) if _has_range(one) and i not in subgraph.inputs}
        with contextlib.redirect_stdout(io.StringIO()):  # the collector prints
            fix_bins(collector, {i: (one.quantization.min[0], one.quantization.max[0]) for i, one in ranged.items()})
        interpreter = _observable(self._files["min-max"])
        with Progress(f"calibrating ({method})", len(self._images)) as progress:
            for image in self._one_by_one():
                interpreter.set_tensor(subgraph.inputs[0], image[0])
                interpreter.invoke()
                with contextlib.redirect_stdout(io.StringIO()):
                    collector.collect({i: [interpreter.get_tensor(i)] for i in ranged})
                progress.advance()
        with contextlib.redirect_stdout(io.StringIO()):
            found = collector.compute_collection_result()
        return {index: (float(ends[0]), float(ends[1])) for index, ends in found.items()}

    def _one_by_one(self) -> Iterator[list[NDArray[Any]]]:
        """The calibration images, one at a time, with two pixels set to 0 and 255.

        The converter derives the input's scale from the values that it sees. With these two it is always exactly 1, so the
        model takes raw bytes, whatever the calibration images.
        """
        for image in self._images:
            batch = image[None].astype(self._input_type)
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


def _collector(method: Method) -> HistogramCollector:
    """The same method and parameters as for ONNX."""
    entropy = method == "entropy"
    return HistogramCollector(
        method="entropy" if entropy else "percentile",
        symmetric=False,
        num_bins=ENTROPY_BINS if entropy else 2048,
        num_quantized_bins=QUANTIZED_BINS if entropy else None,
        percentile=None if entropy else 99.99,
        scenario=None,
    )
