"""Images that are unlike all that a model has learned: the score, the card, and what the runtime makes of it."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.model.card import ModelCard
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.runtime.model.novelty import SHARES, Novelty
from edgeclf.runtime.outcomes import classify
from edgeclf.runtime.results.row import RowBuilder

MEAN, AXES = np.array([0.6, 0.6, 0.0, 0.0]), np.array([[0.8, -0.6, 0.0, 0.0]])
LEVELS = (1.2, 1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.0)


def novelty() -> Novelty:
    return replace(Novelty.spanning(MEAN, AXES), unit=0.5, levels=LEVELS)


class WithColours:
    """Stands in for a backend with an embedding: the mean colour of an image, and one number more."""

    def __init__(self, opened: Classifier) -> None:
        self._backend = opened.backend

    def __getattr__(self, name: str) -> object:
        return getattr(self._backend, name)

    def run_outputs(self, images: Pixels, places: Sequence[int]) -> list[NDArray[np.float32]]:
        assert list(places) == [0, 1]
        colours = images.mean(axis=(1, 2)).astype(np.float32)
        return [self._backend.run(images), np.hstack([colours, np.ones((len(images), 1), np.float32)])]


@pytest.fixture
def knowing(colour_model: Path, colour_card: ModelCard) -> Classifier:
    """It knows red, green and what lies between, and nothing blue."""
    opened = Classifier.open(colour_model, threads=1)
    return Classifier(WithColours(opened), replace(colour_card, novelty=novelty(), outputs=("embedding",)))  # type: ignore[arg-type]


def plain(colour: tuple[int, int, int]) -> Pixels:
    return np.full((8, 8, 3), colour, np.uint8)


RED, BLUE = plain((200, 30, 0)), plain((0, 0, 200))


def test_the_novelty_is_the_distance_from_the_space_of_what_was_learned() -> None:
    inside, outside = novelty().of(np.array([[5.0, 1.0, 0.0, 0.0], [0.0, 0.0, 3.0, 0.0]], np.float32))

    assert inside < 1 < outside


def test_the_length_of_an_embedding_does_not_matter_and_zeros_are_no_error() -> None:
    one, longer, zeros = novelty().of(np.array([[1, 2, 3, 4], [10, 20, 30, 40], [0, 0, 0, 0]], np.float32))

    assert one == pytest.approx(longer, rel=1e-5)
    assert np.isfinite(zeros)


def test_the_card_keeps_the_novelty(colour_card: ModelCard) -> None:
    kept = ModelCard.from_json(replace(colour_card, novelty=novelty()).to_json()).novelty
    points = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)

    assert kept is not None
    assert kept.levels == LEVELS
    np.testing.assert_allclose(kept.of(points), novelty().of(points), rtol=1e-5)


@pytest.mark.parametrize("change", [{"vectors": "AA"}, {"unit": 0}, {"levels": []}], ids=["vectors", "unit", "levels"])
def test_a_damaged_novelty_is_refused_in_one_sentence(change: dict[str, object], colour_card: ModelCard) -> None:
    fields = json.loads(replace(colour_card, novelty=novelty()).to_json())
    fields["novelty"] |= change

    with pytest.raises(ModelError, match="its card cannot be read"):
        ModelCard.from_json(json.dumps(fields))


def test_a_share_of_the_known_images_becomes_a_level() -> None:
    assert [novelty().highest(share) for share in (None, 0.01, 0.05, 1.0)] == [1.0, 1.0, 0.8, 0.0]
    assert novelty().highest(0.0) == np.inf
    assert 1 < novelty().highest(0.005) < 1.2
    assert len(LEVELS) == len(SHARES)


def test_predictions_say_what_is_unknown(knowing: Classifier) -> None:
    red, blue = knowing.predict([RED, BLUE])

    assert (red.is_unknown, blue.is_unknown) == (False, True)
    assert "novelty=" in repr(blue)


def test_without_novelty_nothing_is_unknown(colour_model: Path) -> None:
    answer = Classifier.open(colour_model, threads=1).predict(BLUE)

    assert (answer.novelty, answer.is_unknown, answer.label) == (None, False, "blue")


def test_a_card_whose_file_has_no_embedding_changes_nothing(colour_model: Path, colour_card: ModelCard) -> None:
    opened = Classifier.open(colour_model, threads=1, card=replace(colour_card, novelty=novelty()))

    assert opened.predict(BLUE).novelty is None


@pytest.mark.parametrize(("highest", "status"), [(1.0, "unknown"), (np.inf, "ok")], ids=["default", "off"])
def test_an_unknown_image_becomes_a_row_without_a_label(highest: float, status: str, knowing: Classifier) -> None:
    (outcome,) = classify(_frames(BLUE), knowing)
    row = RowBuilder(highest_novelty=highest).row(outcome, "2026-01-02T03:04:05.678Z")

    assert (row.status, row.label, row.guess) == (status, *(("", "blue") if status == "unknown" else ("blue", "")))
    assert row.novelty is not None
    assert row.novelty > 1


def _frames(*images: Pixels) -> list[object]:
    from edgeclf.runtime.images.frame import Frame

    return [Frame(f"{number}.png", image) for number, image in enumerate(images)]
