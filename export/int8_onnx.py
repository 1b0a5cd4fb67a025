"""Quantises a float32 ONNX model to INT8: QDQ, per-channel weights, activation ranges from calibration images."""

import contextlib
import io
import logging
from collections.abc import Collection, Iterator
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.calibrate import create_calibrator, load_tensors_data, save_tensors_data
from onnxruntime.quantization.shape_inference import quant_pre_process

from edgeclf.export.bias_correction import OnnxBias
from edgeclf.export.histograms import Histograms
from edgeclf.export.int8 import Method, by_layer
from edgeclf.export.onnx_file import pack
from edgeclf.export.outputs import answering
from edgeclf.export.shared_weights import separate_dequantizing
from edgeclf.export.timing import milliseconds
from edgeclf.runtime.cores import usable_cores
from edgeclf.runtime.errors import EdgeclfError, ModelError, first_line
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.model.backend import INPUT, OUTPUT, open_backend
from edgeclf.runtime.model.card import ModelCard
from edgeclf.runtime.storage.atomic_write import publish_bytes
from edgeclf.runtime.terminal.progress import Progress

_METHODS: dict[Method, CalibrationMethod] = {
    "min-max": CalibrationMethod.MinMax,
    "entropy": CalibrationMethod.Entropy,
    "percentile": CalibrationMethod.Percentile,
}
_TYPES = {"uint8": QuantType.QUInt8, "int8": QuantType.QInt8}
_OPERATIONS = ("Conv", "Gemm", "MatMul")
"""Operations with weights: those that gain from integers, and can stay in float."""
_SMALL = ("Concat", "Mul", "Squeeze", "Flatten", "Reshape", "Identity")
"""Operations behind pooling that only scale averages and change their shape."""


class OnnxQuantizer:
    """Quantises one model in several ways. The ranges are measured once per method.

    proto: the model in float32. images: preprocessed training images, uint8 `[N, H, W, C]`. folder: for temporary files.
    """

    def __init__(self, proto: onnx.ModelProto, card: ModelCard, images: Pixels, folder: Path) -> None:
        self._card = card
        self._images = images
        self._folder = folder
        self._float = folder / "float.onnx"
        onnx.save(proto, folder / "converted.onnx")
        with _quiet_quantisation():
            quant_pre_process(folder / "converted.onnx", self._float, skip_symbolic_shape=True)
        graph = onnx.load(self._float).graph
        weights = {tensor.name for tensor in graph.initializer}
        answers = answering([(node.input, node.output) for node in graph.node], OUTPUT)
        self._further = [node.name for node, is_one in zip(graph.node, answers, strict=True) if not is_one]
        answering_nodes = [node for node, is_one in zip(graph.node, answers, strict=True) if is_one]
        self._operations = by_layer((n.name, n.op_type in _OPERATIONS and n.input[1] in weights) for n in answering_nodes)
        self.layers = tuple(self._operations)
        if not self.layers:
            raise ModelError("the network has no layer with weights to quantise; leave out ONNX int8")
        # The head stays in float, because an 8-bit softmax no longer sums to 1.
        self._head = self._operations[self.layers[-1]][1:] + _joining(graph, self.layers[-1])
        self.activations = self._faster_activations()
        self._bias = OnnxBias(onnx.load(self._float), images)
        self.corrects_bias = self._bias.is_possible

    def quantize(self, method: Method, in_float: Collection[str] = (), *, corrected: bool = True) -> bytes:
        proto = self._quantize(method, in_float, self.activations)
        if corrected:
            self._bias.correct(proto)
        separate_dequantizing(proto.graph)
        return pack(proto, self._card)

    def _quantize(self, method: Method, in_float: Collection[str], activations: str) -> onnx.ModelProto:
        quantized = self._folder / "quantized.onnx"
        excluded = [*self._head, *self._further, *chain.from_iterable(self._operations[layer] for layer in in_float)]
        with _quiet_quantisation():
            quantize_static(
                self._float,
                quantized,
                None,
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=_TYPES[activations],
                weight_type=QuantType.QInt8,
                nodes_to_exclude=excluded,
                calibrate_method=_METHODS[method],
                calibration_cache_path=self._ranges(method),
            )
        return onnx.load(quantized)

    def _faster_activations(self) -> str:
        """`uint8` or `int8`: one may be twice as fast as the other, depending on the processor."""
        runs = []
        for activations in _TYPES:
            path = self._folder / f"{activations}.onnx"
            proto = self._quantize("min-max", (), activations)
            separate_dequantizing(proto.graph)
            publish_bytes(path, pack(proto, self._card))
            runs.append(partial(open_backend(path, "cpu", usable_cores()).run, self._images[:1]))
        times = milliseconds(runs)
        return list(_TYPES)[times.index(min(times))]

    def _ranges(self, method: Method) -> Path:
        """The file with the range of every activation, measured one image at a time to save memory."""
        path = self._folder / f"{method}.json"
        if path.exists():
            return path
        with _quiet_quantisation():
            calibrator = create_calibrator(
                self._float,
                augmented_model_path=str(self._folder / "augmented.onnx"),
                calibrate_method=_METHODS[method],
            )
            if method != "min-max":
                calibrator.collector = self._histograms(method)
        with Progress(f"calibrating ({method})", len(self._images)) as progress:
            for image in self._images:
                with _quiet_quantisation():
                    calibrator.collect_data(_OneImage(image))
                progress.advance()
        with _quiet_quantisation():
            save_tensors_data(calibrator.compute_data(), path)
        return path

    def _histograms(self, method: Method) -> Histograms:
        ranges = load_tensors_data(self._ranges("min-max")).items()
        ends = {name: (np.min(data.lowest), np.max(data.highest)) for name, data in ranges}
        return Histograms(method, ends, len(self._images))


def _joining(graph: onnx.GraphProto, layer: str) -> list[str]:
    """The operations that put averages of several feature maps together for a layer.

    They have few numbers, of different sizes, which one scale for all would round too much.
    """
    makers = {name: node for node in graph.node for name in node.output}
    reader = next(node for node in graph.node if node.name == layer)
    found, left = [], [reader.input[0]]
    while left:
        maker = makers.get(left.pop())
        if maker is not None and maker.op_type in _SMALL:
            found.append(maker)
            left += maker.input
    return [node.name for node in found] if any(node.op_type == "Concat" for node in found) else []


class _OneImage(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, image: Pixels) -> None:
        self._left: Iterator[dict[str, Pixels]] = iter([{INPUT: image[None]}])

    def get_next(self) -> dict[str, Pixels] | None:
        return next(self._left, None)


@contextlib.contextmanager
def _quiet_quantisation() -> Iterator[None]:
    """Silence onnxruntime's quantisation, which prints to stdout and logs advice, and turn its errors into ModelError."""
    level = logging.root.level
    logging.root.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    except (OSError, EdgeclfError):  # a full disk has its own message, and one use may be inside another
        raise
    except Exception as error:
        raise ModelError(f"onnxruntime cannot quantise the model ({first_line(error)}); leave out ONNX int8") from None
    finally:
        logging.root.setLevel(level)
