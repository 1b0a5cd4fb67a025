"""Where a network looked at some images of its test split, for the report."""

import time

import cv2
import keras
import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.model.occlusion import occlusion_heatmap
from edgeclf.runtime.model.prediction import Prediction
from edgeclf.train.results.evaluation import probabilities
from edgeclf.train.results.heatmap_figures import Heatmaps
from edgeclf.train.results.report import ReportData, worst_mistakes

_MISTAKES, _RIGHT = 8, 4
_MOST_S = 20.0
"""No further image is explained by occlusion after this time."""


def heatmaps(network: keras.Model, data: ReportData, preprocess: Preprocess) -> Heatmaps | None:
    """The heatmaps of the worst mistakes and of a few right answers, spread over all of them; None without probabilities.

    They are class activation maps if the network ends in global average pooling and a dense layer, else by occlusion.
    """
    if not data.evaluation.has_probabilities:
        return None
    try:
        pooled = _PooledMaps(network)
    except ValueError:
        pooled = None
    ended = time.monotonic() + _MOST_S
    found = {}
    for position in _chosen(data):
        if pooled is None and time.monotonic() > ended:
            break
        image = np.asarray(data.images.images[position])
        if pooled is None:
            maps = occlusion_heatmap(lambda batch: probabilities(network, batch), image, preprocess)
        else:
            maps = pooled.activations(image)
        answer = Prediction(data.evaluation.classes, data.evaluation.probabilities[position], heatmap=maps)
        heat = answer.heat()
        if heat is not None:
            found[position] = heat
    return Heatmaps(found, is_exact=pooled is not None)


def _chosen(data: ReportData) -> list[int]:
    """Positions in the evaluation, the mistakes first."""
    evaluation = data.evaluation
    right = np.flatnonzero(evaluation.probabilities.argmax(axis=1) == evaluation.labels)
    spread = right[np.unique(np.linspace(0, len(right) - 1, min(_RIGHT, len(right))).astype(int))] if len(right) else right
    return [*(mistake.position for mistake in worst_mistakes(data)[:_MISTAKES]), *spread.tolist()]


class _PooledMaps:
    """The feature maps whose means over all places the last dense layer sees, each with the factor of its mean."""

    def __init__(self, network: keras.Model) -> None:
        """Raises ValueError if it sees anything else, or means of a single place."""
        head = network.layers[-1]
        if not isinstance(head, keras.layers.Dense):
            raise ValueError(f"{head.name} is no dense layer")
        tensors, self._factors = zip(*_averaged(head.input), strict=True)
        self._side = tensors[-1].shape[1:3]
        if self._side == (1, 1):
            raise ValueError(f"{head.name} sees a single place")
        self._network, self._kernel = keras.Model(network.inputs, list(tensors)), np.asarray(head.kernel, np.float32)

    def activations(self, image: Pixels) -> NDArray[np.float32]:
        """Class activation maps, `[h, w, classes]`; Zhou et al. 2016. One unit is the score of the second class."""
        seen = keras.tree.flatten(self._network.predict_on_batch(image[None].astype(np.float32)))
        shrunk = [
            self._shrink(np.asarray(one[0], np.float32)) * factor for one, factor in zip(seen, self._factors, strict=True)
        ]
        maps = np.concatenate(shrunk, axis=-1) @ self._kernel
        return np.concatenate([-maps, maps], axis=-1) if maps.shape[-1] == 1 else maps

    def _shrink(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Average neighbouring places: as large as the last map, with the same mean."""
        height, width = self._side
        if features.shape[:2] == (height, width):
            return features
        channels = [cv2.resize(one, (width, height), interpolation=cv2.INTER_AREA) for one in features.transpose(2, 0, 1)]
        return np.stack(channels, axis=-1)


def _averaged(means: keras.KerasTensor, factor: float = 1.0) -> list[tuple[keras.KerasTensor, float]]:
    """The feature maps behind their means, `[N, D]`, in their order. Raises ValueError if it is anything else."""
    layer = means._keras_history.operation
    if isinstance(layer, keras.layers.Dropout):
        return _averaged(layer.input, factor)
    if isinstance(layer, keras.layers.Rescaling) and layer.offset == 0:
        return _averaged(layer.input, factor * layer.scale)
    if isinstance(layer, keras.layers.Concatenate):
        return [found for part in layer.input for found in _averaged(part, factor)]
    if isinstance(layer, keras.layers.GlobalAveragePooling2D) and layer.data_format == "channels_last":
        return [(layer.input, factor)]
    raise ValueError(f"{layer.name} is no mean of a feature map")
