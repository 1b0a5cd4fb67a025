"""The head of a network without a card is detected, or its owner has to choose it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray

from edgeclf.export.external_model import attach_card_to
from edgeclf.export.external_options import ExternalModel
from edgeclf.export.frozen import freeze
from edgeclf.runtime.errors import ModelError, OptionError
from tests.support.keras_networks import POOL, THREE, TWO, body, noise


def by_hand(scores: NDArray[np.float32], head: str) -> NDArray[np.float64]:
    """Probabilities from the textbook formulas."""
    if head == "sigmoid":
        return np.concatenate([1 - scores, scores], axis=1)
    if head == "logits" and scores.shape[1] == 1:
        second = 1 / (1 + np.exp(-scores.astype(float)))
        return np.concatenate([1 - second, second], axis=1)
    powers = np.exp(scores.astype(float))
    return powers / powers.sum(axis=1, keepdims=True) if head == "logits" else scores


HEADS = {
    "softmax": (lambda: body(layers.Dense(3, activation="softmax")), "softmax"),
    "softmax as a layer": (lambda: body(layers.Dense(3), layers.Softmax()), "softmax"),
    "softmax as an activation": (lambda: body(layers.Dense(3), layers.Activation("softmax")), "softmax"),
    "softmax of two": (lambda: body(layers.Dense(2, activation="softmax")), "softmax"),
    "softmax and a reshape": (lambda: body(layers.Dense(3, activation="softmax"), layers.Reshape((3,))), "softmax"),
    "softmax in float16": (lambda: body(layers.Dense(3, activation="softmax", dtype="mixed_float16")), "softmax"),
    "softmax by hand": (lambda: by_operations(), "softmax"),
    "mean of softmaxes": (lambda: ensemble(), "softmax"),
    "nested": (lambda: keras.Sequential([body(layers.Dense(3), layers.Softmax())]), "softmax"),
    "subclass": (lambda: Subclass(layers.Dense(3, activation="softmax")), "softmax"),
    "sigmoid": (lambda: body(layers.Dense(1, activation="sigmoid")), "sigmoid"),
    "sigmoid of a subclass": (lambda: Subclass(layers.Dense(1, activation="sigmoid")), "sigmoid"),
    "scores": (lambda: body(layers.Dense(3)), "logits"),
    "scores of a subclass": (lambda: Subclass(layers.Dense(3)), "logits"),
    "log softmax": (lambda: body(layers.Dense(3, activation="log_softmax")), "logits"),
    "scores of a convolution": (
        lambda: keras.Sequential([keras.Input((16, 20, 3)), layers.Conv2D(3, 3), POOL()]),
        "logits",
    ),
}


class Subclass(keras.Model):
    def __init__(self, ending: keras.Layer) -> None:
        super().__init__()
        self.inner = body(ending)

    def call(self, image: Any) -> Any:
        return self.inner(image)


def by_operations() -> keras.Model:
    inner = body(layers.Dense(3))
    powers = keras.ops.exp(inner.outputs[0])
    return keras.Model(inner.inputs[0], powers / keras.ops.sum(powers, axis=1, keepdims=True))


def ensemble() -> keras.Model:
    image = keras.Input((16, 20, 3))
    members = [body(layers.Dense(3, activation="softmax")) for _ in range(2)]
    for number, member in enumerate(members):
        member.name = f"member{number}"
    return keras.Model(image, layers.Average()([member(image) for member in members]))


@pytest.mark.parametrize(("make", "head"), HEADS.values(), ids=HEADS)
def test_the_head_is_detected(make: Callable[[], keras.Model], head: str) -> None:
    network = make()
    scores = np.asarray(network(noise().astype(np.float32), training=False), np.float32)
    classes = TWO if scores.shape[1] < 3 else THREE
    model = attach_card_to(network, ExternalModel(classes, imgsz=(16, 20)).facts(), Path("network.keras"))
    assert model.card.head == head
    np.testing.assert_allclose(model.probabilities(noise()), by_hand(scores, head), atol=2e-6)


@pytest.mark.parametrize("units", [1, 3])
@pytest.mark.parametrize("activation", [None, "sigmoid", "softmax"])
def test_the_frozen_graph_answers_like_the_model(units: int, activation: str | None) -> None:
    head = "logits" if (units, activation) == (1, None) else "auto"
    external = ExternalModel(TWO if units == 1 else THREE, scale="caffe", head=head)
    if (units, activation) in ((1, "softmax"), (3, "sigmoid")):
        with pytest.raises(ModelError):
            attach_card_to(body(layers.Dense(units, activation=activation)), external.facts(), Path("x.keras"))
        return
    model = attach_card_to(body(layers.Dense(units, activation=activation)), external.facts(), Path("x.keras"))
    (graph,) = freeze(model).function(tf.constant(noise()))
    np.testing.assert_allclose(graph.numpy(), model.probabilities(noise()), atol=2e-6)
    np.testing.assert_allclose(graph.numpy().sum(axis=1), 1, atol=1e-6)


def test_large_logits_do_not_overflow() -> None:
    network = body(layers.Dense(3, kernel_initializer=keras.initializers.RandomNormal(stddev=1e4)))
    answers = attach_card_to(network, ExternalModel(THREE).facts(), Path("x.keras")).probabilities(noise())
    assert np.isfinite(answers).all()
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-6)


def test_several_sigmoids_are_refused_unless_taken_as_logits() -> None:
    network = body(layers.Dense(3, activation="sigmoid"))
    with pytest.raises(ModelError, match=r"3 sigmoid units.*--head logits"):
        attach_card_to(network, ExternalModel(THREE).facts(), Path("x.keras"))
    assert attach_card_to(network, ExternalModel(THREE, head="logits").facts(), Path("x.keras")).card.head == "logits"


@pytest.mark.parametrize("ending", [layers.Dense(1), layers.Dense(1, activation="relu")], ids=["linear", "relu"])
def test_one_unit_that_can_be_a_regression_is_taken_for_a_score_only_if_its_owner_says_so(ending: keras.Layer) -> None:
    network = body(ending)
    with pytest.raises(ModelError, match=r"a regression.* --head logits"):
        attach_card_to(network, ExternalModel(TWO).facts(), Path("x.keras"))
    model = attach_card_to(network, ExternalModel(TWO, head="logits").facts(), Path("x.keras"))
    scores = np.asarray(network(noise().astype(np.float32), training=False))
    np.testing.assert_allclose(model.probabilities(noise()), by_hand(scores, "logits"), atol=2e-6)


@pytest.mark.parametrize(
    ("ending", "keywords"),
    [
        (layers.Dense(3, activation="tanh"), "Tanh.* --head softmax or --head logits"),
        (layers.Dense(1, activation="softmax"), "softmax over one unit"),
        (layers.Dense(1, activation="hard_sigmoid"), "--head sigmoid or --head logits"),
        (layers.Dense(3, bias_initializer=keras.initializers.Constant(np.nan)), "NaN or infinity"),
    ],
    ids=["tanh", "softmax of one", "hard sigmoid", "nan"],
)
def test_a_doubtful_head_is_refused(ending: keras.Layer, keywords: str) -> None:
    with pytest.raises(ModelError, match=keywords):
        attach_card_to(body(ending), ExternalModel(THREE if ending.units == 3 else TWO).facts(), Path("x.keras"))


@pytest.mark.parametrize(
    ("units", "head", "keywords"),
    [
        (3, "softmax", "3 units and .*sum to 1"),
        (1, "softmax", "1 unit and "),
        (3, "sigmoid", "one unit from 0 to 1"),
        (1, "sigmoid", "one unit from 0 to 1"),
    ],
    ids=["scores as softmax", "one as softmax", "three as sigmoid", "score as sigmoid"],
)
def test_a_head_that_contradicts_the_answers_is_refused(units: int, head: Any, keywords: str) -> None:
    network = body(layers.Dense(units, bias_initializer=keras.initializers.Constant(7.0)))
    with pytest.raises(OptionError, match=f"--head {head} does not fit x.keras, .*{keywords}"):
        attach_card_to(network, ExternalModel(THREE if units == 3 else TWO, head=head).facts(), Path("x.keras"))
