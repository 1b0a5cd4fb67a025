"""The options of `clf-bench` are parsed and checked."""

from pathlib import Path

import pytest

from edgeclf.benchmarks.bench.options import (
    Gates,
    Options,
    parse_batches,
    parse_devices,
    parse_threads,
)
from edgeclf.runtime.errors import OptionError


def test_batch_sizes_are_numbers_or_auto() -> None:
    assert parse_batches("auto") == (None,)
    assert parse_batches("8, auto,1,8") == (None, 8, 1)


def test_names_and_numbers_are_kept_once() -> None:
    assert parse_devices("cpu, cuda,cpu") == ("cpu", "cuda")
    assert parse_threads("2,1,2") == (2, 1)
    assert parse_threads("") == ()


@pytest.mark.parametrize("text", ["0", "1;2", "x", "", "-1", "1,,2", "\N{SUPERSCRIPT TWO}"], ids=repr)
def test_anything_else_is_not_a_batch_size(text: str) -> None:
    with pytest.raises(OptionError, match="--batch"):
        parse_batches(text)


def test_a_regression_needs_a_baseline() -> None:
    with pytest.raises(OptionError, match="--baseline"):
        Options((Path("model.onnx"),), max_regression=0.05)


def test_limits_have_defaults() -> None:
    options = Options((Path("model.onnx"),))
    assert (options.allowed_regression, options.gates.allowed_drop) == (0.1, 0.01)
    assert Gates(max_drop=0.0).allowed_drop == 0.0
