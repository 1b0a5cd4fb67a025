"""If INT8 fails the gate, other ways are tried in a fixed order, several at once."""

import math
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import numpy as np
import pytest

from edgeclf.export.gate import answer_error
from edgeclf.export.int8 import METHODS, Attempt, Method, most_sensitive, search
from edgeclf.export.parity import Parity
from edgeclf.runtime.errors import ModelError

LAYERS = ("stem", "middle", "branch", "end", "head")


@dataclass
class Files:
    """A quantizer whose files contain the way they were made."""

    layers: tuple[str, ...] = LAYERS
    made: list[str] = field(default_factory=list)
    activations: str = "int8"
    corrects_bias: bool = True

    def quantize(self, method: Method, in_float: Collection[str] = (), *, corrected: bool = True) -> bytes:
        self.made.append(" ".join([method, *sorted(in_float)]))
        return self.made[-1].encode()


def parity(correct: int, misses: tuple[str, ...]) -> Parity:
    return Parity(
        name="model",
        precision="int8",
        images=100,
        size_bytes=1,
        reference_correct=90,
        correct=correct,
        agreement=0.9,
        clear=90,
        clear_agreed=correct,
        max_difference=0.1,
        misses=misses,
    )


def gate(passing: set[str], correct: dict[str, int] | None = None) -> Callable[[bytes, int], Parity]:
    """Passes only files that were made in one of these ways."""
    return lambda data, threads: parity(
        (correct or {}).get(data.decode(), 50), () if data.decode() in passing else ("it is not good enough",)
    )


ERRORS = {"stem": 0.1, "middle": 0.5, "branch": 0.2, "end": 0.4, "head": 0.3}


def error(data: bytes, without_shift: bool) -> float:
    """The error of the one layer that is not in float."""
    (alone,) = set(LAYERS) - set(data.decode().split())
    return ERRORS[alone]


@pytest.mark.parametrize("corrects_bias", [True, False])
def test_a_shift_of_all_answers_does_not_count_if_it_will_be_corrected(corrects_bias: bool) -> None:
    asked = []
    most_sensitive(Files(corrects_bias=corrects_bias), "min-max", lambda data, shift: asked.append(shift) or 0.0)  # type: ignore[func-returns-value]
    assert asked == [corrects_bias] * len(LAYERS)


def test_the_error_of_answers_is_that_of_their_logarithms() -> None:
    expected = np.array([[0.2, 0.8], [0.4, 0.6], [0.1, 0.9]], np.float32)
    shifted = expected * np.array([1.1, 0.9], np.float32)
    assert answer_error(shifted, expected, without_shift=True) == pytest.approx(0, abs=1e-6)
    assert answer_error(shifted, expected, without_shift=False) == pytest.approx(np.abs(np.log([1.1, 0.9])).mean(), abs=1e-6)
    assert answer_error(shifted[:1], expected[:1], without_shift=True) > 0.1  # of one image, a shift cannot be told apart
    assert answer_error(shifted[::-1], expected, without_shift=True) > 0.1
    assert answer_error(np.full_like(expected, np.nan), expected, without_shift=True) == math.inf


@pytest.mark.parametrize("position", range(3), ids=METHODS)
def test_the_first_method_that_passes_is_used(position: int) -> None:
    files = Files()
    found = search(files, gate({METHODS[position]}), error)
    assert (found.attempt, found.parity.attempts) == (Attempt(METHODS[position]), position + 1)
    assert files.made == list(METHODS[: position + 1])
    assert found.data == METHODS[position].encode()


def test_more_and_more_sensitive_layers_stay_in_float() -> None:
    files = Files()
    found = search(files, gate({"percentile branch end head middle"}), error)
    assert found.attempt == Attempt("percentile", ("middle", "end", "head", "branch"))
    measured, tried = files.made[3 : 3 + len(LAYERS)], files.made[3 + len(LAYERS) :]
    assert all(way.count(" ") == len(LAYERS) - 1 for way in measured)
    in_float = ("middle", "end middle", "branch end head middle")
    assert tried == [f"{method} {layers}" for layers in in_float for method in METHODS]
    assert (found.parity.made_by, found.parity.attempts) == (
        "percentile calibration, 4 layers in float, int8 activations",
        12,
    )


def test_the_alternative_to_layers_in_float_is_said_once_and_only_then(capsys: pytest.CaptureFixture[str]) -> None:
    search(Files(), gate({"min-max"}), error, "try --qat")
    assert "--qat" not in capsys.readouterr().err
    search(Files(), gate({"entropy end middle"}), error, "try --qat")
    assert capsys.readouterr().err.count("--qat") == 1


def test_layers_in_float_are_first_tried_with_the_closest_method() -> None:
    found = search(Files(), gate({"entropy middle"}, {"entropy": 80}), error)
    assert (found.attempt, found.parity.attempts) == (Attempt("entropy", ("middle",)), 4)
    assert found.parity.made_by == "entropy calibration, 1 layer in float, int8 activations"


def test_if_nothing_passes_the_closest_attempt_is_returned() -> None:
    found = search(Files(), gate(set(), {"percentile": 85, "min-max": 70}), error)
    assert (found.attempt, found.parity.correct) == (Attempt("percentile"), 85)
    assert found.parity.misses == ("it is not good enough",)


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeclf.export.int8.usable_cores", lambda: 2)


@pytest.mark.usefixtures("two_cores")
def test_of_attempts_at_the_same_time_the_first_one_in_order_wins() -> None:
    second_is_done = threading.Event()

    def check(data: bytes, threads: int) -> Parity:
        if data == b"min-max middle":
            assert second_is_done.wait(10)
        if data == b"entropy middle":
            second_is_done.set()
        return gate({"min-max middle", "entropy middle"})(data, threads)

    found = search(Files(), check, error)
    assert (found.data, found.parity.attempts) == (b"min-max middle", 4)


@pytest.mark.usefixtures("two_cores")
def test_layers_are_measured_on_all_cores() -> None:
    both = threading.Barrier(2, timeout=10)

    def slow_error(data: bytes, without_shift: bool) -> float:
        both.wait()
        return error(data, without_shift)

    sensitive = most_sensitive(Files(LAYERS[1:]), "min-max", lambda data, shift: slow_error(b"stem " + data, shift))
    assert sensitive == ("middle", "end", "head", "branch")


@pytest.mark.usefixtures("two_cores")
def test_an_error_in_one_of_several_attempts_ends_the_search() -> None:
    def check(data: bytes, threads: int) -> Parity:
        if data == b"entropy middle":
            raise ModelError("it cannot run")
        return gate(set())(data, threads)

    with pytest.raises(ModelError, match="cannot run"):
        search(Files(), check, error)


@pytest.mark.usefixtures("two_cores")
def test_no_attempt_is_checked_after_an_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[bytes] = []

    def interrupt(text: str) -> None:
        if "1 layer in float" in text:
            raise KeyboardInterrupt

    def check(data: bytes, threads: int) -> Parity:
        time.sleep(0.05)
        checked.append(data)
        return gate(set())(data, threads)

    monkeypatch.setattr("edgeclf.export.int8.note", interrupt)
    with pytest.raises(KeyboardInterrupt) as interrupted:
        search(Files(), check, error)
    before = len(checked)
    time.sleep(0.3)
    assert len(checked) == before
    assert interrupted.tb is not None  # which kept the search's own variables alive
