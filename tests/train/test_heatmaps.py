"""Where a network looked: exact maps if it ends in global average pooling, else occlusion, for images of the report."""

from collections.abc import Callable

import keras
import numpy as np
import pytest
from keras import layers

from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.train.data.arrays import Arrays
from edgeclf.train.heatmaps import heatmaps
from edgeclf.train.networks.backbones import Backbone
from edgeclf.train.results.evaluation import count_probabilities, probabilities
from edgeclf.train.results.report import ReportData

MakeArrays = Callable[..., Arrays]
CLASSES = ("ant", "bee", "cat")
PREPROCESS = Preprocess((12, 16))


def network(*tail: layers.Layer) -> keras.Model:
    """Untrained, of one convolution and `tail`."""
    keras.utils.set_random_seed(0)
    image = x = keras.Input((12, 16, 3))
    for layer in (layers.Rescaling(1 / 255), layers.Conv2D(8, 3, strides=2, activation="relu"), *tail):
        x = layer(x)
    return keras.Model(image, x)


def report_on(model: keras.Model, arrays: Arrays, classes: tuple[str, ...] = CLASSES) -> ReportData:
    return ReportData("data", count_probabilities(probabilities(model, arrays.images), arrays.labels, classes), arrays)


def test_maps_of_global_average_pooling_are_exact(make_arrays: MakeArrays) -> None:
    """The mean of a class's map is its score without the bias, which is 0 here, less that of all classes."""
    model = network(layers.GlobalAveragePooling2D(), layers.Dropout(0.5), layers.Dense(3, "softmax"))
    data = report_on(model, make_arrays(30, 3))

    found = heatmaps(model, data, PREPROCESS)

    assert found is not None
    assert found.is_exact
    for position, heat in found.heats.items():
        scores = np.log(data.evaluation.probabilities[position])
        assert heat.shape == (5, 7)
        assert heat.mean() == pytest.approx(scores.max() - scores.mean(), abs=1e-4)


def test_maps_of_several_depths_are_exact_together(make_arrays: MakeArrays) -> None:
    """On 6 x 7 and on 3 x 4 places, which do not divide evenly."""
    model = Backbone().build((96, 112, 3), 3)
    data = report_on(model, make_arrays(5, 3, shape=(96, 112, 3)))

    found = heatmaps(model, data, Preprocess((96, 112)))

    assert found is not None
    for position, heat in found.heats.items():
        scores = np.log(data.evaluation.probabilities[position])
        assert heat.shape == (3, 4)
        assert heat.mean() == pytest.approx(scores.max() - scores.mean(), abs=1e-4)


def test_one_unit_has_a_map_for_each_class(make_arrays: MakeArrays) -> None:
    model = network(layers.GlobalAveragePooling2D(), layers.Dense(1, "sigmoid"))
    data = report_on(model, make_arrays(10, 2), ("ant", "bee"))

    found = heatmaps(model, data, PREPROCESS)

    assert found is not None
    for position, heat in found.heats.items():
        lower, higher = np.sort(data.evaluation.probabilities[position])
        assert heat.mean() == pytest.approx(np.log(higher / lower), abs=1e-4)


def test_other_networks_are_explained_by_occlusion(make_arrays: MakeArrays) -> None:
    model = network(layers.Flatten(), layers.Dense(3, "softmax"))

    found = heatmaps(model, report_on(model, make_arrays(10, 3)), PREPROCESS)

    assert found is not None
    assert not found.is_exact
    assert {heat.shape for heat in found.heats.values()} == {(7, 7)}


def test_the_worst_mistakes_come_first_and_right_answers_last(make_arrays: MakeArrays) -> None:
    model = network(layers.GlobalAveragePooling2D(), layers.Dense(3, "softmax"))
    data = report_on(model, make_arrays(60, 3))

    found = heatmaps(model, data, PREPROCESS)

    assert found is not None
    answers, labels = data.evaluation.probabilities.argmax(axis=1), data.evaluation.labels
    assert [bool(answers[at] == labels[at]) for at in found.heats] == [False] * 8 + [True] * 4
