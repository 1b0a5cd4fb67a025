"""Embeddings and heatmaps of a file that has them, and what is said of one that has not, or not as its card says."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.model.backend import BatchError
from edgeclf.runtime.model.batching import BatchSplitter
from edgeclf.runtime.model.card import ModelCard
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.runtime.model.further_outputs import Answers, Shape, check_further_outputs
from tests.support.trained_run import KEPT_OUTPUTS

FILES = ("model.onnx", "model.int8.tflite")


@pytest.fixture(scope="module", params=FILES)
def classifier(request: pytest.FixtureRequest) -> Classifier:
    return Classifier.open(KEPT_OUTPUTS / request.param, device="cpu")


@pytest.fixture(scope="module")
def images() -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8)


def test_answers_hold_what_was_asked_for_and_nothing_else(classifier: Classifier, images: Pixels) -> None:
    everything = classifier.answers(images, ("heatmap", "embedding"))
    assert everything.embedding is not None
    assert everything.heatmap is not None
    shapes = [one.shape for one in (everything.probabilities, everything.embedding, everything.heatmap)]
    assert shapes == [(5, 2), (5, 16), (5, 4, 4, 2)]
    assert {one.dtype for one in (everything.probabilities, everything.embedding, everything.heatmap)} == {
        np.dtype("float32")
    }
    np.testing.assert_array_equal(everything.probabilities, classifier.probabilities(images))
    assert classifier.answers(images).embedding is None
    assert classifier.answers(images, ("embedding",)).heatmap is None


def test_one_sigmoid_has_a_map_for_each_class(classifier: Classifier, images: Pixels) -> None:
    maps = classifier.answers(images, ("heatmap",)).heatmap
    assert maps is not None
    assert np.abs(maps).max() > 1
    np.testing.assert_allclose(maps[..., 0], -maps[..., 1], atol=0.2)  # 8 bits


def test_images_are_embedded_in_their_order(classifier: Classifier, images: Pixels) -> None:
    rows = classifier.embed(list(images) * 8)
    assert (rows.dtype, rows.shape) == (np.float32, (40, 16))
    np.testing.assert_allclose(rows[:5], rows[35:], atol=1e-5)
    np.testing.assert_allclose(classifier.embed(images[3]), rows[3:4], atol=1e-5)
    assert classifier.embed([]).shape == (0, 16)


def test_a_prediction_has_a_heatmap_if_it_was_asked_for(classifier: Classifier, images: Pixels) -> None:
    with_map, plain = classifier.predict(images[0], heatmap=True), classifier.predict(images[0])
    assert (with_map.label, plain.heatmap) == (plain.label, None)
    assert with_map.heatmap is not None
    assert with_map.heatmap.shape == (4, 4, 2)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(with_map)).heatmap, with_map.heatmap)
    assert [one.heatmap is None for one in classifier.predict(list(images), heatmap=True)] == [False] * 5


def test_a_file_without_an_output_says_how_to_get_it(onnx_model: Path, images: Pixels) -> None:
    plain = Classifier.open(onnx_model, device="cpu")
    assert plain.card.outputs == ()
    with pytest.raises(ModelError, match=r"model\.onnx has no output embedding; .*--outputs embedding"):
        plain.embed(images[0])
    with pytest.raises(ModelError, match="heatmap"):
        plain.predict(images[0], heatmap=True)


@pytest.mark.parametrize(
    ("shapes", "problem"),
    [
        (((None, 2),), "no output 2, but its card names embedding"),
        (((None, 2), (None, 16, 1), (None, 4, 4, 2)), "embedding"),
        (((None, 2), (None, 16), (None, 4, 4, 3)), r"\[batch, h, w, 2\]"),
        (((None, 2), (None, 16), (None, None, 4, 2)), "heatmap"),
    ],
    ids=["missing", "rank", "classes", "open side"],
)
def test_outputs_that_are_not_as_the_card_says_are_refused(
    shapes: tuple[Shape, ...], problem: str, classifier: Classifier
) -> None:
    with pytest.raises(ModelError, match=problem):
        check_further_outputs(Path("model.onnx"), classifier.card, shapes)


def test_outputs_of_a_later_version_are_left_alone(classifier: Classifier) -> None:
    later = replace(classifier.card, outputs=("attention", "embedding"))
    check_further_outputs(Path("model.onnx"), later, ((None, 2), (None, 9), (None, 16)))
    assert ModelCard.from_json(later.to_json()) == later


def test_a_card_without_further_outputs_is_written_as_ever(classifier: Classifier) -> None:
    assert "outputs" not in replace(classifier.card, outputs=()).to_json()


def test_a_batch_that_does_not_fit_into_memory_is_split_with_its_outputs(classifier: Classifier, images: Pixels) -> None:
    class Small(Classifier):
        def answers(self, batch: Pixels, outputs: tuple[str, ...] = ()) -> Answers:  # type: ignore[override]
            if len(batch) > 2:
                raise BatchError("too large")
            return super().answers(batch, outputs)

    parts = BatchSplitter(Small(classifier.backend, classifier.card)).answers(images, ("embedding", "heatmap"))
    whole = classifier.answers(images, ("embedding", "heatmap"))
    assert parts.embedding is not None
    assert whole.embedding is not None
    np.testing.assert_allclose(parts.embedding, whole.embedding, atol=1e-5)
    assert parts.heatmap is not None
    assert parts.heatmap.shape == (5, 4, 4, 2)
