"""TFLite metadata gives the scaling, the channel order and the classes; damaged metadata gives nothing."""

import pytest

from edgeclf.runtime.model.conventions.facts import Fact, Facts, Scaling
from edgeclf.runtime.model.conventions.tflite_metadata import read_tflite_metadata
from tests.support.foreign_tflite import Foreign, with_metadata
from tests.support.mutations import mutated

LABELS = b"ants\nbees\ncats\n"


def test_the_metadata_of_coral_and_tensorflow_hub_are_facts() -> None:
    data = with_metadata(Foreign().to_bytes(), [127.5], [127.5], LABELS, color_space=1)

    assert read_tflite_metadata(data) == Facts(
        scaling=Fact(Scaling((127.5,), (127.5,)), "TFLite metadata"),
        channels=Fact("rgb", "TFLite metadata"),
        classes=Fact(("ants", "bees", "cats"), "labels.txt inside the file"),
    )


def test_mean_and_std_may_differ_by_channel() -> None:
    facts = read_tflite_metadata(with_metadata(Foreign().to_bytes(), [1, 2, 3], [4, 5, 6]))

    assert facts == Facts(scaling=Fact(Scaling((1, 2, 3), (4, 5, 6)), "TFLite metadata"))


def test_a_label_that_occurs_twice_gets_its_number() -> None:
    facts = read_tflite_metadata(with_metadata(Foreign().to_bytes(), labels=b"background\ncrane\ncrane\n"))

    assert facts.classes == Fact(("background", "crane 1", "crane 2"), "labels.txt inside the file")


@pytest.mark.parametrize(("mean", "std"), [([0.0], [0.0]), ([float("nan")], [1.0]), ([0.0] * 99, [1.0] * 99)])
def test_a_scaling_that_cannot_be_is_no_fact(mean: list[float], std: list[float]) -> None:
    assert read_tflite_metadata(with_metadata(Foreign().to_bytes(), mean, std)) == Facts()


@pytest.mark.parametrize("labels", [b"", b"\xff\xfe\xfd", b"one"], ids=["empty", "no-text", "one"])
def test_labels_that_cannot_be_read_are_no_fact(labels: bytes) -> None:
    assert read_tflite_metadata(with_metadata(Foreign().to_bytes(), [0], [255], labels)).classes is None


def test_a_file_without_metadata_gives_no_facts() -> None:
    assert read_tflite_metadata(Foreign().to_bytes()) == read_tflite_metadata(b"") == Facts()


def test_damaged_metadata_never_crashes() -> None:
    whole = with_metadata(Foreign().to_bytes(), [127.5], [127.5], LABELS, color_space=1)

    for number in range(2000):
        read_tflite_metadata(mutated(number, [whole]))
