"""The INT8 files of a network that was trained for integers."""

from tensorflow.lite.python.convert import mlir_quantize

from edgeclf.export.frozen import Frozen
from edgeclf.export.int8_tflite import Calibrated, finished
from edgeclf.export.onnx_file import pack
from edgeclf.export.qat.graph import FloatGraph
from edgeclf.export.qat.integer_onnx import integer_onnx
from edgeclf.export.qat.network import QuantizedNetwork
from edgeclf.export.qat.training import Lessons, train
from edgeclf.runtime.images.decode import Pixels
from edgeclf.train.keras_file.saving import KerasModel


class TrainedNetwork:
    """Trains at once. frozen: the graph of the model. calibration: images for first ranges. training: images to learn on.

    Images are uint8 `[N, H, W, C]`.
    Raises ModelError for a network with an operation that is not known, and for NaN.
    """

    def __init__(self, model: KerasModel, frozen: Frozen, calibration: Pixels, training: Pixels) -> None:
        self._frozen = frozen
        self.network = QuantizedNetwork(FloatGraph(Calibrated(frozen, calibration).min_max), model.path)
        train(self.network, Lessons(training, model.probabilities(training)))

    def tflite(self) -> bytes:
        """A file in which every operation computes in integers, with the trained scales."""
        network = self.network
        written = network.graph.written(network.trained_weights(), network.trained_ranges())
        return finished(bytes(mlir_quantize(written)), self._frozen.card)

    def onnx(self, opset: int) -> bytes:
        """A file in which every layer with weights takes integers, with the trained scales."""
        return pack(integer_onnx(self.network, self._frozen, opset), self._frozen.card)
