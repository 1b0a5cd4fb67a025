"""The pipeline: every frame gets its own outcome, in order, for any number of workers and any batch."""

import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeclf.runtime import Classifier, Outcome, Prediction, classify, open_source
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.model.prediction import Failure
from edgeclf.runtime.pipeline import ordered_map

BAD = {"empty": b"", "not_an_image": b"text", "truncated": b"\x89PNG\r\n\x1a\n", "corrupt": b"\xff\xd8\xff\xda" + bytes(40)}


@pytest.fixture(scope="session")
def mixture(image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Frame]:
    """Discs, squares and bad files in turn, 41 of them: the good ones by path, the bad ones by path and missing."""
    folder = tmp_path_factory.mktemp("mixture")
    for reason, content in BAD.items():
        (folder / reason).write_bytes(content)
    discs, squares = (sorted((image_folder / label).iterdir())[:10] for label in ("disc", "square"))
    bad = [folder / reason for reason in (*BAD, "not_found")] * 4
    turns = [path for turn in zip(bad, discs * 2, bad[::-1], squares * 2, strict=False) for path in turn]
    return [Frame(f"{number}:{path.parent.name}:{path.name}", str(path)) for number, path in enumerate(turns[:41])]


def name_and_answer(outcome: Outcome) -> tuple[str, str]:
    """The name, and the label or the reason of the failure."""
    result = outcome.result
    return outcome.name, result.reason.value if isinstance(result, Failure) else result.label


def expected(frame: Frame) -> tuple[str, str]:
    """Like `name_and_answer`, from the name alone: good images lie in a folder of their class, bad files are named after the
    reason.
    """
    _, folder, name = frame.name.split(":")
    return frame.name, folder if folder in ("disc", "square") else name


@pytest.mark.parametrize("batch", range(1, 6), ids=lambda size: f"batch-{size}")
@pytest.mark.parametrize("workers", range(1, 5), ids=lambda count: f"workers-{count}")
def test_every_frame_gets_its_own_outcome_in_order(
    workers: int, batch: int, mixture: list[Frame], classifier: Classifier
) -> None:
    outcomes = classify(mixture, classifier, workers=workers, batch=batch)

    assert [name_and_answer(outcome) for outcome in outcomes] == [expected(frame) for frame in mixture]


@pytest.mark.parametrize("batch", [1, 4])
def test_probabilities_are_those_of_the_image_alone(batch: int, mixture: list[Frame], classifier: Classifier) -> None:
    good = [frame for frame in mixture if ":disc:" in frame.name or ":square:" in frame.name]
    alone = [classifier.predict(frame.image).probabilities for frame in good]

    outcomes = classify(mixture, classifier, workers=3, batch=batch)

    among_bad = [outcome.result.probabilities for outcome in outcomes if isinstance(outcome.result, Prediction)]
    np.testing.assert_allclose(among_bad, alone, atol=1e-6)


def test_a_batch_of_only_bad_images_gives_only_failures(classifier: Classifier) -> None:
    outcomes = list(classify([Frame(str(number), b"") for number in range(7)], classifier, workers=2, batch=3))

    assert [name_and_answer(outcome) for outcome in outcomes] == [(str(number), "empty") for number in range(7)]


def test_no_frames_give_no_outcomes(classifier: Classifier) -> None:
    assert list(classify([], classifier)) == []


def test_an_image_that_vanishes_before_its_turn_is_a_failure(classifier: Classifier, png: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png)
    (tmp_path / "b.png").write_bytes(png)
    frames = list(open_source(str(tmp_path)))
    (tmp_path / "a.png").unlink()

    first, second = classify(frames, classifier, workers=2)

    assert name_and_answer(first) == (f"{tmp_path}/a.png", "not_found")
    assert isinstance(second.result, Prediction)


def test_frames_are_taken_only_as_outcomes_are_taken(classifier: Classifier, png: bytes) -> None:
    drawn: list[int] = []

    def endless() -> Iterator[Frame]:
        while True:
            drawn.append(len(drawn))
            yield Frame(str(len(drawn)), png)

    outcomes = classify(endless(), classifier, workers=2, batch=3)
    next(outcomes)
    outcomes.close()  # type: ignore[attr-defined]

    assert len(drawn) <= 2 * 4 * 16 + 16


@pytest.mark.parametrize("batch", [1, 3, None])
def test_at_a_pause_all_outcomes_so_far_are_returned(batch: int | None, classifier: Classifier, png: bytes) -> None:
    seen: list[str] = []
    seen_at_pauses: list[int] = []

    def with_pauses() -> Iterator[Frame | None]:
        for number in range(12):
            yield Frame(str(number), png)
            if number in (0, 4, 11):
                yield None
                seen_at_pauses.append(len(seen))

    for outcome in classify(with_pauses(), classifier, workers=2, batch=batch):
        seen.append(outcome.name)
    assert seen == [str(number) for number in range(12)]
    assert seen_at_pauses == [1, 5, 12]


def test_with_a_measured_batch_no_frame_is_lost(classifier: Classifier, png: bytes) -> None:
    frames = [Frame(str(number), png if number % 7 else b"") for number in range(300)]

    outcomes = list(classify(frames, classifier, workers=2, batch=None))

    assert [outcome.name for outcome in outcomes] == [frame.name for frame in frames]
    assert sum(isinstance(outcome.result, Failure) for outcome in outcomes) == 43


def test_few_images_in_memory_are_taken_ahead(classifier: Classifier) -> None:
    drawn: list[int] = []

    def endless() -> Iterator[Frame]:
        while True:
            drawn.append(len(drawn))
            yield Frame(str(len(drawn)), bytes(9 << 20))

    outcomes = classify(endless(), classifier, workers=2)
    for _ in range(50):
        next(outcomes)

    assert len(drawn) <= 50 + 2 * 4 + 1


def test_few_large_frames_are_in_memory_at_a_time(classifier: Classifier) -> None:
    drawn: list[int] = []

    def endless() -> Iterator[Frame]:
        while True:
            drawn.append(len(drawn))
            yield Frame(str(len(drawn)), np.zeros((2160, 3840, 3), np.uint8))

    outcomes = classify(endless(), classifier, workers=2)
    for done in range(1, 12):
        next(outcomes)
        assert len(drawn) - done <= 3


def test_returned_results_make_room_for_more_items() -> None:
    drawn: list[int] = []
    numbers = (drawn.append(number) or number for number in range(100))  # type: ignore[func-returns-value]

    results = ordered_map(lambda number: number, numbers, 2, lambda _: 7 << 20)
    assert [len(drawn) - done for done, _ in enumerate(results, 1)] == [7] * 93 + list(range(6, -1, -1))


def test_small_frames_are_taken_ahead_like_files(classifier: Classifier) -> None:
    drawn: list[int] = []
    frames = (drawn.append(number) or Frame(str(number), np.zeros((48, 64, 3), np.uint8)) for number in range(100))  # type: ignore[func-returns-value]

    next(classify(frames, classifier, workers=2))

    assert len(drawn) >= 2 * 4


def test_an_error_in_the_source_ends_the_run(classifier: Classifier, png: bytes) -> None:
    def failing() -> Iterator[Frame]:
        yield Frame("a", png)
        raise RuntimeError("the disk is gone")

    with pytest.raises(RuntimeError, match="the disk is gone"):
        list(classify(failing(), classifier, workers=2))


def test_an_error_in_a_worker_reaches_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        list(ordered_map(lambda number: 1 // number, [1, 0, 1], workers=2))


@pytest.mark.parametrize("workers", [1, 3])
def test_ordered_map_keeps_the_order(workers: int) -> None:
    assert list(ordered_map(lambda number: number * number, range(100), workers)) == [n * n for n in range(100)]


def test_threads_end_when_the_run_is_closed() -> None:
    before = threading.active_count()
    results = ordered_map(lambda number: number, range(1000), workers=4)
    next(results)

    results.close()  # type: ignore[attr-defined]

    assert threading.active_count() == before


def test_opencv_gets_its_threads_back() -> None:
    before = cv2.getNumThreads()

    list(ordered_map(lambda number: number, range(10), workers=2))

    assert cv2.getNumThreads() == before


def test_an_abandoned_map_may_be_closed_by_its_own_worker() -> None:
    """As the garbage collector does, in whatever thread it runs."""
    is_taken, closed = threading.Event(), threading.Event()

    def work(number: int) -> None:
        if number:
            is_taken.wait(10)
            results.close()  # type: ignore[attr-defined]
            closed.set()

    results = ordered_map(work, range(9), workers=1)
    next(results)
    is_taken.set()
    assert closed.wait(10)
