"""What a notebook shows of a prediction, of a classifier and of what went wrong."""

import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgeclf.runtime import Classifier, Failure, Frame, ModelCard, Outcome, Prediction, Preprocess, Reason


def predict(classes: tuple[str, ...]) -> Prediction:
    share = np.linspace(2, 1, len(classes), dtype=np.float32)
    return Prediction(classes, share / share.sum())


@pytest.fixture
def path(image_folder: Path) -> Path:
    return next(image_folder.rglob("*.png"))


def test_an_image_that_is_at_hand_is_shown_with_a_bar_for_each_class(classifier: Classifier, path: Path) -> None:
    pixels, opened = Preprocess((48, 64))(path), Image.open(path)

    for image in (path, str(path), pixels, opened):
        html = classifier.predict(image)._repr_html_()

        assert html.count("<img ") == 1
        assert html.count("currentColor") == len(classifier.card.classes)


def test_pixels_are_not_kept_in_memory_for_it(classifier: Classifier, path: Path) -> None:
    answer = classifier.predict(Preprocess((48, 64))(path))

    assert answer.image() is None
    assert "<img" not in answer._repr_html_()


def test_a_file_that_is_gone_or_damaged_is_left_out(classifier: Classifier, path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.png"
    copy.write_bytes(path.read_bytes())
    answer = classifier.predict(copy)
    copy.write_bytes(b"no image")
    damaged = answer._repr_html_()
    copy.unlink()

    assert "<img" not in damaged + answer._repr_html_()


def test_class_names_are_escaped() -> None:
    html = predict(("<script>alert(1)</script>", "a\udc80b\x1b[31m"))._repr_html_()

    assert "<script" not in html
    assert html.encode().isascii()
    assert "\x1b" not in html


def test_only_the_best_classes_of_many_are_shown() -> None:
    html = predict(tuple(f"class {number}" for number in range(1000)))._repr_html_()

    assert "class 4<" in html
    assert "class 5<" not in html
    assert "995 other classes" in html


def test_colours_are_those_of_the_page() -> None:
    styles = re.findall(r"(?:color|background)[^:]*:([^;\"]+)", predict(("a", "b"))._repr_html_())

    assert set(styles) == {"inherit", "currentColor"}


def test_a_prediction_can_be_pickled(classifier: Classifier, path: Path) -> None:
    answer = classifier.predict(path)

    assert pickle.loads(pickle.dumps(answer)).scores == answer.scores


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (predict(("a", "b")), ["Prediction", "label='a'", "confidence=0.6667"]),
        (Outcome(Frame("a.png", bytes(1000)), predict(("a", "b"))), ["Outcome('a.png', Prediction(label='a'"]),
        (Failure(Reason.TRUNCATED, "JPEG without its end"), ["Failure", "truncated", "JPEG without its end"]),
        (
            ModelCard(("a", "b\n"), Preprocess((48, 64), 1), training={"much": "more"}),
            ["ModelCard", "2 classes: a, b\\n", "64 x 48 grey"],
        ),
        (ModelCard(tuple("abcdefgh"), Preprocess((48, 64))), ["8 classes: a, b, c, d, e, ...", "RGB"]),
    ],
    ids=["prediction", "outcome", "failure", "card", "many-classes"],
)
def test_a_repr_says_what_matters_on_one_line(value: object, words: list[str]) -> None:
    assert [word for word in words if word not in repr(value)] == []
    assert len(repr(value).splitlines()) == 1


def test_a_classifier_says_what_it_is(classifier: Classifier) -> None:
    facts = [*classifier.card.classes, "model.onnx", "32 x 32", "onnxruntime", "on cpu"]

    assert [fact for fact in facts if fact not in repr(classifier)] == []
    assert [fact for fact in facts if fact not in classifier._repr_html_()] == []
