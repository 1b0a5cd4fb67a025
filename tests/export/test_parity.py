"""The gate for single files: what passes and what fails."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from edgeclf.export.frozen import freeze
from edgeclf.export.options import GateLimits
from edgeclf.export.parity import Parity, Reference, allowed_loss, check_parity
from edgeclf.export.to_onnx import to_onnx
from edgeclf.export.to_tflite import to_tflite
from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.train.data.arrays import Arrays
from edgeclf.train.keras_file.samples import read_samples
from edgeclf.train.keras_file.saving import KerasModel, open_keras
from edgeclf.train.results.evaluation import probabilities

Convert = Callable[[KerasModel], bytes]
FORMATS: dict[str, Convert] = {
    ".onnx": lambda model: to_onnx(freeze(model)),
    ".tflite": lambda model: to_tflite(freeze(model), "fp32"),
}


@pytest.fixture(scope="module")
def model(make_model: Callable[..., Path]) -> KerasModel:
    return open_keras(make_model((16, 16), 3, 3))


@pytest.fixture(scope="module")
def reference(model: KerasModel) -> Reference:
    images = read_samples(model.path, "verification", model.card.preprocess)
    return Reference(images, probabilities(model.network, images.images))


@pytest.fixture
def check_network(
    model: KerasModel, reference: Reference, tmp_path: Path
) -> Callable[[Callable[[tf.Tensor], tf.Tensor], str], Parity]:
    """Export a function instead of the network, and check it."""

    def run(function: Callable[[tf.Tensor], tf.Tensor], suffix: str) -> Parity:
        path = tmp_path / f"model{suffix}"
        path.write_bytes(FORMATS[suffix](replace(model, network=lambda image, training: function(image))))
        return check_parity(path, "fp32", reference, GateLimits())

    return run


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_exact_file_passes(
    model: KerasModel, check_network: Callable[..., Parity], reference: Reference, suffix: str
) -> None:
    parity = check_network(lambda image: model.network(image, training=False), suffix)
    assert parity.misses == ()
    assert (parity.agreement, parity.accuracy, parity.images) == (1.0, 1.0, len(reference.images))
    assert parity.max_difference < 1e-5


def _nudge(weights: list[NDArray[np.float32]], rng: np.random.Generator) -> list[NDArray[np.float32]]:
    return [weight * rng.uniform(0.97, 1.03, weight.shape) for weight in weights]


@pytest.fixture(scope="module")
def sabotages(model: KerasModel) -> dict[str, Callable[[tf.Tensor], tf.Tensor]]:
    """The network with one error each."""
    network = model.network
    nudged = tf.keras.models.clone_model(network)
    nudged.set_weights(_nudge(network.get_weights(), np.random.default_rng(0)))

    def first_of_batch(image: tf.Tensor) -> tf.Tensor:
        return tf.repeat(network(image, training=False)[:1], tf.shape(image)[0], axis=0)

    def still_training(image: tf.Tensor) -> tf.Tensor:
        """BatchNorm as in training, with the statistics of the batch, but without dropout, so that only this is wrong."""
        for layer in network.layers[1:]:
            if isinstance(layer, tf.keras.layers.BatchNormalization):
                mean, variance = tf.nn.moments(image, [0, 1, 2])
                image = tf.nn.batch_normalization(image, mean, variance, layer.beta, layer.gamma, layer.epsilon)
            else:
                image = layer(image, training=False)
        return image

    return {
        "BatchNorm in training": still_training,
        "blue for red": lambda image: network(image[..., ::-1], training=False),
        "scaled twice": lambda image: network(image / 255, training=False),
        "never scaled": lambda image: network(image * 255, training=False),
        "signed levels": lambda image: network(image / 127.5 - 1, training=False),
        "classes swapped": lambda image: tf.gather(network(image, training=False), [1, 0, 2], axis=1),
        "weights nudged": lambda image: nudged(image, training=False),
        "first of the batch": first_of_batch,
        "no probabilities": lambda image: network(image, training=False) * float("nan"),
        "one class too few": lambda image: network(image, training=False)[:, :2],
    }


SABOTAGES = (
    "BatchNorm in training",
    "blue for red",
    "scaled twice",
    "never scaled",
    "signed levels",
    "classes swapped",
    "weights nudged",
    "first of the batch",
    "no probabilities",
    "one class too few",
)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("sabotage", SABOTAGES)
def test_a_sabotaged_file_fails(
    check_network: Callable[..., Parity],
    sabotages: dict[str, Callable[[tf.Tensor], tf.Tensor]],
    sabotage: str,
    suffix: str,
) -> None:
    assert check_network(sabotages[sabotage], suffix).misses


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_network_that_learns_during_inference_is_refused(
    model: KerasModel, check_network: Callable[..., Parity], suffix: str
) -> None:
    normalization = next(one for one in model.network.layers if isinstance(one, tf.keras.layers.BatchNormalization))

    def learning(image: tf.Tensor) -> tf.Tensor:
        normalization(tf.zeros((1, 1, 1, 8)), training=True)
        return model.network(image, training=False)

    with pytest.raises(ModelError, match=r"cannot be frozen.*training=False"):
        check_network(learning, suffix)


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_answer_that_depends_on_the_batch_size_is_reported(
    check_network: Callable[..., Parity], sabotages: dict[str, Callable[[tf.Tensor], tf.Tensor]], suffix: str
) -> None:
    (miss,) = check_network(sabotages["first of the batch"], suffix).misses
    assert miss.startswith(f"model{suffix} ")
    assert "in batches of 1 than in batches of 32" in miss


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_fixed_batch_axis_inside_the_graph_fails_without_a_crash(
    model: KerasModel, check_network: Callable[..., Parity], suffix: str
) -> None:
    frozen = check_network(lambda image: model.network(tf.reshape(image, (1, 16, 16, 3)), training=False), suffix)
    assert frozen.misses


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("content", [b"", b"no model", b"\0" * 3000], ids=["empty", "text", "zeros"])
def test_an_unreadable_file_fails_without_a_crash(reference: Reference, tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"model{suffix}"
    path.write_bytes(content)
    parity = check_parity(path, "fp32", reference, GateLimits())
    assert len(parity.misses) == 1
    assert str(tmp_path) not in parity.misses[0]


@pytest.fixture(scope="module")
def exported(model: KerasModel) -> dict[str, bytes]:
    """The finished files by suffix."""
    return {suffix: convert(model) for suffix, convert in FORMATS.items()}


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_truncated_file_fails_without_a_crash(
    exported: dict[str, bytes], reference: Reference, tmp_path: Path, share: float, suffix: str
) -> None:
    path = tmp_path / f"model{suffix}"
    path.write_bytes(exported[suffix][: int(len(exported[suffix]) * share)])
    assert check_parity(path, "fp32", reference, GateLimits()).misses


@pytest.fixture
def check_losses(exported_onnx: Path) -> Callable[[int, GateLimits], Parity]:
    """Check a file that gets `lost` of a hundred images wrong. The reference model gets all of them right."""

    def run(lost: int, limits: GateLimits) -> Parity:
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (100, 32, 32, 3), dtype=np.uint8)
        answers = Classifier.open(exported_onnx).probabilities(images)
        labels = answers.argmax(axis=1)
        labels[:lost] = 1 - labels[:lost]
        return check_parity(exported_onnx, "int8", Reference(Arrays(images, labels), certain(labels, 2)), limits)

    return run


def certain(labels: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
    """Answers that give these labels the probability 1."""
    return np.eye(classes, dtype=np.float32)[labels]


@pytest.mark.parametrize(
    ("lost", "max_drop", "passes"),
    [
        (0, 0.0, True),
        (1, 0.0, False),
        (1, 0.01, True),
        (2, 0.01, False),
        (2, 0.02, True),
        (3, 0.02, False),
    ],
)
def test_accuracy_may_drop_by_the_limit_and_no_further(
    check_losses: Callable[[int, GateLimits], Parity], lost: int, max_drop: float, passes: bool
) -> None:
    parity = check_losses(lost, GateLimits(max_drop=max_drop))
    assert (parity.reference_correct, parity.correct, parity.misses == ()) == (100, 100 - lost, passes)


def test_a_drop_beyond_the_limit_is_given_in_images(check_losses: Callable[[int, GateLimits], Parity]) -> None:
    (miss,) = (miss for miss in check_losses(5, GateLimits()).misses if "loss" in miss)
    assert "95 of 100 images are correct, but 100 with Keras" in miss
    assert "1.00%" in miss


@pytest.mark.parametrize(("changed", "misses"), [(1, 0), (3, 0), (4, 1)])
def test_a_reduced_file_may_change_few_clear_answers_even_for_the_better(
    exported_onnx: Path, changed: int, misses: int
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (100, 32, 32, 3), dtype=np.uint8)
    labels = Classifier.open(exported_onnx).probabilities(images).argmax(axis=1)
    answers = certain(labels, 2)
    answers[:changed] = answers[:changed, ::-1]  # wrong where the file is right
    parity = check_parity(exported_onnx, "int8", Reference(Arrays(images, labels), answers), GateLimits(max_drop=0))
    assert (parity.clear, parity.clear_agreed, len(parity.misses)) == (100, 100 - changed, misses)


@pytest.mark.parametrize(
    ("correct", "max_drop", "allowed"),
    [
        (1000, 0.01, 10),
        (199, 0.01, 1),
        (100, 0.01, 1),
        (99, 0.01, 0),
        (0, 0.01, 0),
        (1000, 0.0, 0),
        (1000, 1.0, 1000),
        (100, 0.29, 29),
    ],
)
def test_the_allowed_loss_is_a_share_of_the_correct_answers(correct: int, max_drop: float, allowed: int) -> None:
    assert allowed_loss(correct, max_drop) == allowed


@pytest.fixture
def onnx_file(exported: dict[str, bytes], tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(exported[".onnx"])
    return path


@pytest.mark.parametrize(("atol", "passes"), [(1e-9, False), (1e-4, True)])
def test_the_limit_on_probabilities_can_be_set(reference: Reference, onnx_file: Path, atol: float, passes: bool) -> None:
    shifted = replace(reference, probabilities=reference.probabilities + np.float32(1e-6))
    parity = check_parity(onnx_file, "fp32", shifted, GateLimits(atol=atol))
    assert (parity.misses == ()) is passes


def test_the_answer_may_differ_in_a_tie_but_not_in_a_clear_case(reference: Reference, onnx_file: Path) -> None:
    answers = certain(reference.probabilities.argmax(axis=1), 3)
    clear, tied = answers.copy(), answers.copy()
    clear[0] = np.roll(answers[0], 1)  # far apart
    tied[0] = (1 - answers[0] + 1e-4 * clear[0]) / 2  # almost equal
    parities = [
        check_parity(onnx_file, "int8", replace(reference, probabilities=expected), GateLimits())
        for expected in (clear, tied)
    ]
    assert [(parity.clear, parity.clear_agreed) for parity in parities] == [(40, 39), (39, 39)]


def test_the_report_has_json_values(check_losses: Callable[[int, GateLimits], Parity], exported_onnx: Path) -> None:
    report = check_losses(3, GateLimits()).to_json()
    assert report["bytes"] == exported_onnx.stat().st_size
    assert (report["images"], report["reference_accuracy"], report["accuracy"]) == (100, 1.0, 0.97)
    assert (report["agreement"], report["passed"], len(report["misses"])) == (0.97, False, 1)
