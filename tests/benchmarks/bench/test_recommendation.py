"""The last sentence: the right file for the right reason, and none where the gates leave none."""

import pytest

from edgeclf.benchmarks.bench.intervals import ratios
from edgeclf.benchmarks.bench.recommendation import Gates, decide
from edgeclf.benchmarks.bench.report import Accuracy, Reference, Row
from tests.support.bench_reports import make_row

KERAS = Reference("model.keras", Accuracy(525, 498, 1.0, 0.0), None, 19_000_000)


def row(name: str, rate: float, correct: int = 498, size: int = 1_000_000, spread: float = 0.01) -> Row:
    rates = tuple(rate * (1 + change) for change in (-spread, 0, spread))
    return make_row(name, rate, correct, rates=rates, size_bytes=size, ratio=ratios(rates, (100, 100, 100)))


def shipped(*rows: Row, gates: Gates = Gates()) -> str | None:  # noqa: B008 (frozen)
    verdict = decide(rows, KERAS, gates)
    return None if verdict.ship is None else rows[verdict.ship].name


@pytest.mark.parametrize(
    ("rows", "name"),
    [
        ([row("slow", 100), row("fast", 200)], "fast"),
        ([row("right", 100), row("fast but wrong", 200, correct=400)], "right"),
        ([row("fast", 200, correct=494), row("as fast, more right", 198)], "as fast, more right"),
        ([row("fast", 200, size=5_000_000), row("as fast, smaller", 198)], "as fast, smaller"),
        ([row("slower, smaller by a header", 198, size=999_000), row("fast", 200)], "fast"),
        ([row("noisy", 150, spread=0.4), row("fast", 200, correct=494)], "fast"),
    ],
    ids=["speed", "accuracy first", "then accuracy", "then size", "but not by a header", "not by luck"],
)
def test_the_right_one_is_shipped(rows: list[Row], name: str) -> None:
    assert shipped(*rows) == name


def test_the_gate_of_accuracy_is_that_of_the_export() -> None:
    assert shipped(row("a", 100), row("b", 200, correct=494)) == "b"  # 4 of 498 may be lost
    assert shipped(row("a", 100), row("b", 200, correct=493)) == "a"


def test_too_slow_cannot_be_shipped() -> None:
    verdict = decide([row("a", 100), row("b", 200)], KERAS, Gates(min_fps=250))
    assert verdict.ship is None
    assert [miss.partition(" (")[0] for miss in verdict.misses] == ["a", "b"]
    assert "does 100.0 images a second; the limit is 250.0" in verdict.misses[0]


def test_what_cannot_be_shipped_is_a_note_where_another_can() -> None:
    verdict = decide([row("a", 100), row("b", 200, correct=400)], KERAS, Gates())
    assert verdict.misses == ()
    assert "b (cpu, batch 1, 2 threads) gets 400 of 525 images right where model.keras gets 498" in verdict.notes[0]


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([row("a", 100)], "it is the only one that was measured"),
        ([row("a", 100), row("b", 200, correct=9)], "it is the only one that the gates leave"),
        ([row("a", 100), row("b", 200)], "the fastest that keeps the accuracy, 2.00 (1.98 to 2.02) times as fast as a"),
        ([row("a", 200, correct=494), row("b", 199)], "about as fast as a, and more accurate"),
        ([row("a", 200, size=2_000_000), row("b", 199)], "about as fast as a, and smaller"),
    ],
    ids=["alone", "alone left", "fastest", "more accurate", "smaller"],
)
def test_the_sentence_gives_the_reason(rows: list[Row], reason: str) -> None:
    sentence = decide(rows, KERAS, Gates()).because
    assert sentence.startswith("ship ")
    assert reason in sentence


def test_without_labelled_images_nothing_is_said_of_accuracy() -> None:
    rows = [make_row("a", 100, accuracy=None), make_row("b", 200, accuracy=None)]
    verdict = decide(rows, None, Gates())
    assert verdict.ship == 1
    assert "its accuracy was not measured" in verdict.because
    assert "right" not in verdict.because


def test_a_smaller_file_that_is_slower_is_called_slower() -> None:
    notes = decide([row("fp32", 100, size=4_000_000), row("int8", 80)], KERAS, Gates()).notes
    assert notes == ("int8 is smaller than fp32, but slower here: 0.80 (0.79 to 0.81) times as fast",)


def test_a_file_that_is_smaller_by_its_header_is_not_called_smaller() -> None:
    assert decide([row("a", 100, size=1_000_000), row("b", 80, size=990_000)], KERAS, Gates()).notes == ()


def test_a_smaller_file_that_may_be_as_fast_is_not_called_slower() -> None:
    assert decide([row("fp32", 100, size=4_000_000), row("int8", 98, spread=0.1)], KERAS, Gates()).notes == ()


def test_few_images_are_said_to_be_few() -> None:
    few = Reference("model.keras", Accuracy(40, 38, 1.0, 0.0), None, 1)
    (note,) = decide([make_row("a.onnx", accuracy=Accuracy(40, 38, 1.0, 0.0))], few, Gates()).notes
    assert note.startswith("the images are few: one image is 2.5%, and 1.0% may be lost")


def test_a_model_that_is_compared_with_itself_is_said_to_be() -> None:
    own = Reference("a.onnx", Accuracy(525, 498, 1.0, 0.0), None, 1)
    (note,) = decide([row("a.onnx", 100)], own, Gates()).notes
    assert note.startswith("a.onnx is compared with itself; name the model that it came from with --against")


def test_a_reference_that_is_never_right_is_doubted() -> None:
    wrong = Reference("model.keras", Accuracy(525, 0, 1.0, 0.0), None, 1)
    (note,) = decide([row("a.onnx", 100, correct=0)], wrong, Gates()).notes
    assert note.startswith("model.keras gets none of 525 images right")
