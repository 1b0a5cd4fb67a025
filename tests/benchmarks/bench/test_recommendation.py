"""The right candidate for the right reason, and none if no candidate passes the gates."""

import pytest

from edgeclf.benchmarks.bench.intervals import ratios
from edgeclf.benchmarks.bench.options import Gates
from edgeclf.benchmarks.bench.recommendation import recommend
from edgeclf.benchmarks.bench.report import Accuracy, BenchResult, Reference
from tests.support.bench_reports import make_result

KERAS = Reference("model.keras", Accuracy(525, 498, 1.0, 0.0), None, 19_000_000)


def result(name: str, rate: float, correct: int = 498, size: int = 1_000_000, spread: float = 0.01) -> BenchResult:
    rates = tuple(rate * (1 + change) for change in (-spread, 0, spread))
    return make_result(name, rate, correct, rates=rates, size_bytes=size, ratio=ratios(rates, (100, 100, 100)))


def recommended(*results: BenchResult, gates: Gates = Gates()) -> str | None:  # noqa: B008 (frozen)
    ship = recommend(results, KERAS, gates).ship
    return None if ship is None else results[ship].name


@pytest.mark.parametrize(
    ("results", "name"),
    [
        ([result("slow", 100), result("fast", 200)], "fast"),
        ([result("right", 100), result("fast but wrong", 200, correct=400)], "right"),
        ([result("fast", 200, correct=494), result("as fast, more accurate", 198)], "as fast, more accurate"),
        ([result("fast", 200, size=5_000_000), result("as fast, smaller", 198)], "as fast, smaller"),
        ([result("slower, smaller by a header", 198, size=999_000), result("fast", 200)], "fast"),
        ([result("noisy", 150, spread=0.4), result("fast", 200, correct=494)], "fast"),
    ],
    ids=["speed", "accuracy first", "then accuracy", "then size", "but not by a header", "not by luck"],
)
def test_the_right_candidate_is_recommended(results: list[BenchResult], name: str) -> None:
    assert recommended(*results) == name


def test_the_accuracy_gate_is_the_one_of_the_export() -> None:
    assert recommended(result("a", 100), result("b", 200, correct=494)) == "b"  # 4 of 498 may be lost
    assert recommended(result("a", 100), result("b", 200, correct=493)) == "a"


def test_a_candidate_that_is_too_slow_is_not_recommended() -> None:
    found = recommend([result("a", 100), result("b", 200)], KERAS, Gates(min_fps=250))
    assert found.ship is None
    assert [miss.partition(" (")[0] for miss in found.misses] == ["a", "b"]
    assert "100.0 images per second; the limit is 250.0" in found.misses[0]


def test_a_candidate_that_misses_a_gate_is_a_note_if_another_passes() -> None:
    found = recommend([result("a", 100), result("b", 200, correct=400)], KERAS, Gates())
    assert found.misses == ()
    assert "b (cpu, batch 1, 2 threads) gets 400 of 525 images right, model.keras 498" in found.notes[0]


@pytest.mark.parametrize(
    ("results", "reason"),
    [
        ([result("a", 100)], "the only candidate"),
        ([result("a", 100), result("b", 200, correct=9)], "the only candidate that passes the gates"),
        (
            [result("a", 100), result("b", 200)],
            "the fastest that keeps the accuracy, 2.00 (1.98 to 2.02) times as fast as a",
        ),
        ([result("a", 200, correct=494), result("b", 199)], "within 5% of the fastest (a), and more accurate"),
        ([result("a", 200, size=2_000_000), result("b", 199)], "within 5% of the fastest (a), and smaller"),
    ],
    ids=["alone", "only one passes", "fastest", "more accurate", "smaller"],
)
def test_the_sentence_gives_the_reason(results: list[BenchResult], reason: str) -> None:
    sentence = recommend(results, KERAS, Gates()).because
    assert sentence.startswith("ship ")
    assert reason in sentence


def test_without_labelled_images_the_sentence_says_that_accuracy_was_not_measured() -> None:
    results = [make_result("a", 100, accuracy=None), make_result("b", 200, accuracy=None)]
    found = recommend(results, None, Gates())
    assert found.ship == 1
    assert "accuracy not measured" in found.because
    assert "%" not in found.because


def test_a_smaller_file_that_is_slower_is_noted() -> None:
    notes = recommend([result("fp32", 100, size=4_000_000), result("int8", 80)], KERAS, Gates()).notes
    assert notes == ("int8 is smaller than fp32, but slower here: 0.80 (0.79 to 0.81) times as fast",)


def test_a_file_that_is_smaller_only_by_its_header_is_not_noted() -> None:
    assert recommend([result("a", 100, size=1_000_000), result("b", 80, size=990_000)], KERAS, Gates()).notes == ()


def test_a_smaller_file_that_may_be_as_fast_is_not_noted() -> None:
    assert recommend([result("fp32", 100, size=4_000_000), result("int8", 98, spread=0.1)], KERAS, Gates()).notes == ()


def test_too_few_images_for_the_accuracy_gate_are_noted() -> None:
    few = Reference("model.keras", Accuracy(120, 38, 1.0, 0.0), None, 1)
    (note,) = recommend([make_result("a.onnx", accuracy=Accuracy(120, 38, 1.0, 0.0))], few, Gates()).notes
    assert note.startswith(
        "too few images for the accuracy gate: one of the 38 correct images is 2.6%, and 1.0% may be lost"
    )


def test_a_model_that_is_compared_with_itself_is_noted() -> None:
    own = Reference("a.onnx", Accuracy(525, 498, 1.0, 0.0), None, 1)
    (note,) = recommend([result("a.onnx", 100)], own, Gates()).notes
    assert note.startswith("a.onnx is compared with itself")


def test_a_reference_model_that_is_never_right_is_noted() -> None:
    wrong = Reference("model.keras", Accuracy(525, 0, 1.0, 0.0), None, 1)
    (note,) = recommend([result("a.onnx", 100, correct=0)], wrong, Gates()).notes
    assert note.startswith("model.keras gets none of 525 images right")
