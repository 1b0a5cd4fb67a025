"""The LiteRT backend takes only uint8 classifiers with finite weights."""

from pathlib import Path

import flatbuffers  # type: ignore[import-untyped]
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgeclf.runtime import Classifier, ModelCard, Preprocess
from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.tflite_card import append_card
from tests.support.foreign_tflite import quantised
from tests.support.small_models import COLOUR_WEIGHTS
from tests.support.trained_run import KEPT_RUN


@pytest.fixture
def path(tmp_path: Path, bare_tflite: bytes) -> Path:
    """A classifier made by TensorFlow, without a card."""
    path = tmp_path / "model.tflite"
    path.write_bytes(bare_tflite)
    return path


def test_a_uint8_classifier_from_elsewhere_opens_with_a_card(path: Path, colour_card: ModelCard) -> None:
    opened = Classifier.open(path, card=colour_card)

    assert opened.predict(np.full((8, 8, 3), (9, 9, 200), np.uint8)).label == "blue"
    np.testing.assert_allclose(opened.predict(np.full((8, 8, 3), 9, np.uint8)).probabilities, 1 / 3, atol=1e-6)


def test_nan_weights_are_refused(path: Path, colour_card: ModelCard) -> None:
    nan = np.full_like(COLOUR_WEIGHTS, np.nan)
    assert path.read_bytes().count(COLOUR_WEIGHTS.tobytes()) == 1
    path.write_bytes(path.read_bytes().replace(COLOUR_WEIGHTS.tobytes(), nan.tobytes()))

    with pytest.raises(ModelError, match="NaN or infinity"):
        Classifier.open(path, card=colour_card)


def test_a_float_input_is_refused_by_name(colour_card: ModelCard) -> None:
    with pytest.raises(ModelError, match=r"uint8 image batch .*\(it takes float32 \[any, 8, 8, 3\]\)"):
        Classifier.open(KEPT_RUN / "colour.float.tflite", card=colour_card)


def test_a_model_without_a_card_names_the_flags_to_use(path: Path) -> None:
    with pytest.raises(ModelError, match=r"no model card.* --classes labels\.txt"):
        Classifier.open(path)


def test_an_int8_model_takes_uint8_and_returns_probabilities(int8_model: Path) -> None:
    opened = Classifier.open(int8_model)

    probabilities = opened.probabilities(np.zeros((2, 32, 32, 3), np.uint8))

    assert (probabilities.dtype, probabilities.shape) == (np.float32, (2, 2))
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=0.02)


def test_a_quantised_softmax_is_handed_on_as_the_file_says_it() -> None:
    """Not divided by its sum: with many classes, that would move every probability."""
    opened = Classifier.open(KEPT_RUN / "uint8_softmax.tflite", card=card_for(4))
    steps = opened.probabilities(np.random.default_rng(0).integers(0, 256, (50, 8, 8, 3), np.uint8)) * 256

    np.testing.assert_array_equal(steps, steps.round())
    assert {254, 255} & set(steps.sum(axis=1)), "some sums miss 1, as rounding makes them"


def test_a_float_output_with_a_scale_is_taken_as_it_is(path: Path, colour_card: ModelCard) -> None:
    """Training for quantisation leaves such notes of the range beside float numbers."""
    noise = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), np.uint8)
    expected = Classifier.open(path, card=colour_card).probabilities(noise)
    path.write_bytes(with_output_scale(path.read_bytes(), 1 / 256, 3))

    np.testing.assert_array_equal(Classifier.open(path, card=colour_card).probabilities(noise), expected)


def test_a_zip_of_thousands_of_members_is_refused_before_they_are_read(path: Path, colour_card: ModelCard) -> None:
    path.write_bytes(path.read_bytes() + b"PK\x01\x02" * 20_000)

    with pytest.raises(ModelError, match="more than 10,000 members"):
        Classifier.open(path, card=colour_card)


def test_levels_that_are_not_those_of_an_image_need_a_card_that_says_them(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(quantised(steps=(0.5, 3)))

    with pytest.raises(ModelError, match=r"uint8 scaled by 0\.5 from 3"):
        Classifier.open(path, card=card_for(4))

    path.write_bytes(append_card(path.read_bytes(), card_for(4)))
    assert Classifier.open(path).backend.input_shape == (8, 8, 3)


@pytest.mark.parametrize(
    ("name", "classes", "problem"),
    [
        ("scores", 4, "scores from .* to .*, not probabilities; .* clf-export .*--head logits"),
        ("negative_scores", 4, "scores from .* to .*, not probabilities; .* clf-export .*--head logits"),
        ("labels", 4, "instead of 1, one yes or no per class"),
        ("rare_labels", 600, "a logistic, one yes or no per class"),
    ],
)
def test_quantised_scores_that_are_no_probabilities_are_refused(name: str, classes: int, problem: str) -> None:
    with pytest.raises(ModelError, match=problem):
        Classifier.open(KEPT_RUN / f"uint8_{name}.tflite", card=card_for(classes))


def card_for(classes: int) -> ModelCard:
    return ModelCard(tuple(map(str, range(classes))), Preprocess((8, 8)))


def with_output_scale(tflite: bytes, scale: float, zero_point: int) -> bytes:
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(tflite, 0))
    graph = model.subgraphs[0]
    steps = schema.QuantizationParametersT()
    steps.scale, steps.zeroPoint = [scale], [zero_point]
    graph.tensors[graph.outputs[0]].quantization = steps
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
