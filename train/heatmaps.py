"""Where a network looked at some images of its test split, for the report."""

import time

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
_SAME_IN_USE = keras.layers.Dropout


def heatmaps(network: keras.Model, data: ReportData, preprocess: Preprocess) -> Heatmaps | None:
    """The heatmaps of the worst mistakes and of a few right answers, spread over all of them; None without probabilities.

    They are class activation maps if the network ends in global average pooling and a dense layer, else by occlusion.
    """
    if not data.evaluation.has_probabilities:
        return None
    features = _pooled_features(network)
    ended = time.monotonic() + _MOST_S
    found = {}
    for position in _chosen(data):
        if features is None and time.monotonic() > ended:
            break
        image = np.asarray(data.images.images[position])
        if features is None:
            maps = occlusion_heatmap(lambda batch: probabilities(network, batch), image, preprocess)
        else:
            maps = _activations(network, features, image)
        answer = Prediction(data.evaluation.classes, data.evaluation.probabilities[position], heatmap=maps)
        heat = answer.heat()
        if heat is not None:
            found[position] = heat
    return Heatmaps(found, is_exact=features is not None)


def _chosen(data: ReportData) -> list[int]:
    """Positions in the evaluation, the mistakes first."""
    evaluation = data.evaluation
    right = np.flatnonzero(evaluation.probabilities.argmax(axis=1) == evaluation.labels)
    spread = right[np.unique(np.linspace(0, len(right) - 1, min(_RIGHT, len(right))).astype(int))] if len(right) else right
    return [*(mistake.position for mistake in worst_mistakes(data)[:_MISTAKES]), *spread.tolist()]


def _pooled_features(network: keras.Model) -> keras.Model | None:
    """From images to the feature map whose mean over all places the last dense layer sees; None if it sees no such mean."""
    head = network.layers[-1]
    if not isinstance(head, keras.layers.Dense):
        return None
    layer = head.input._keras_history.operation
    while isinstance(layer, _SAME_IN_USE):
        layer = layer.input._keras_history.operation
    is_pooling = isinstance(layer, keras.layers.GlobalAveragePooling2D) and layer.data_format == "channels_last"
    if not is_pooling or layer.input.shape[1:3] == (1, 1):
        return None
    return keras.Model(network.inputs, layer.input)


def _activations(network: keras.Model, features: keras.Model, image: Pixels) -> NDArray[np.float32]:
    """Class activation maps, `[h, w, classes]`; Zhou et al. 2016. One unit is the score of the second class."""
    seen = np.asarray(features.predict_on_batch(image[None].astype(np.float32))[0], np.float32)
    maps = seen @ np.asarray(network.layers[-1].kernel, np.float32)
    return np.concatenate([-maps, maps], axis=-1) if maps.shape[-1] == 1 else maps
