"""Finds an INT8 file that passes the gate: first with other calibrations, then with the most sensitive layers in float."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, get_args

import numpy as np

from edgeclf.export.parity import Parity
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.plural import plural
from edgeclf.runtime.terminal.progress import Progress

Method = Literal["min-max", "entropy", "percentile"]
METHODS: tuple[Method, ...] = get_args(Method)
ENTROPY_BINS, QUANTIZED_BINS = 512, 128
"""Bins of the histogram, and of its quantised form, which shows the loss of a range. With equal numbers, which is
onnxruntime's default, only the full range would be tried.
"""


class Quantizer(Protocol):
    """Quantises one network to INT8."""

    layers: tuple[str, ...]
    """Names of the layers with weights, which can stay in float, from input to output."""

    activations: str
    """The type of the activations: `uint8` or `int8`."""

    def quantize(self, method: Method, in_float: Collection[str] = ()) -> bytes:
        """A finished file. in_float: the `layers` that stay in float."""
        ...


@dataclass(frozen=True)
class Attempt:
    """One way to quantise. method: how the ranges of activations are found. in_float: the layers that stay in float."""

    method: Method
    in_float: tuple[str, ...] = ()

    def __str__(self) -> str:
        layers = f", {plural(len(self.in_float), 'layer')} in float" if self.in_float else ""
        return f"{self.method} calibration{layers}"


@dataclass(frozen=True)
class Quantized:
    """A file, its result at the gate, and how it was made."""

    data: bytes
    parity: Parity
    attempt: Attempt


def search(
    quantizer: Quantizer, check: Callable[[bytes], Parity], error: Callable[[bytes], float], alternative: str = ""
) -> Quantized:
    """Try every method, then every method with more and more sensitive layers in float, until an attempt passes.

    check: the gate. error: the error of a file on calibration images; verification images must not guide the choice.
    alternative: what to try instead of layers in float, said before those are tried.
    Returns the first attempt that passes. If none does, returns the closest one.
    """
    missed: list[Quantized] = []
    for attempt in map(Attempt, METHODS):
        made = _make(quantizer, attempt, check, missed)
        if not made.parity.misses:
            return made
    if alternative:
        note(f"INT8 needs layers in float; {alternative}")
    methods = sorted(METHODS, key=lambda method: method != _closest(missed).attempt.method)
    sensitive = most_sensitive(quantizer, METHODS[0], error)  # min-max, so that values cut off by a range do not count
    for count in _doubling(len(sensitive)):
        for method in methods:
            made = _make(quantizer, Attempt(method, sensitive[:count]), check, missed)
            if not made.parity.misses:
                return made
    return _closest(missed)


def _doubling(end: int) -> Iterator[int]:
    """1, 2, 4, 8, ... below `end`."""
    count = 1
    while count < end:
        yield count
        count *= 2


def by_layer(operations: Iterable[tuple[str, bool]]) -> dict[str, list[str]]:
    """The operations of each layer: one with weights, and those after it up to the next one with weights.

    operations: name, and whether it has weights. A layer in float only helps if the activation and pooling after it are in
    float too.

    >>> by_layer([("cast", False), ("conv", True), ("relu", False), ("pool", False), ("dense", True)])
    {'conv': ['conv', 'relu', 'pool'], 'dense': ['dense']}
    """
    layers: dict[str, list[str]] = {}
    for name, has_weights in operations:
        if has_weights:
            layers[name] = []
        if layers:
            layers[next(reversed(layers))].append(name)
    return layers


def fix_bins(collector: Any, ranges: Mapping[Any, tuple[float, float]]) -> None:
    """Give the full range of every tensor to a `HistogramCollector` of onnxruntime before the first image.

    Otherwise the first image sets the width of the bins, and an image with numbers a million times as large needs a million
    times as many bins.
    """
    collector.collect({name: [np.array(ends, np.float32)] for name, ends in ranges.items()})


def _make(quantizer: Quantizer, attempt: Attempt, check: Callable[[bytes], Parity], missed: list[Quantized]) -> Quantized:
    data = quantizer.quantize(attempt.method, attempt.in_float)
    made_by = f"{attempt}, {quantizer.activations} activations"
    parity = replace(check(data), made_by=made_by, attempts=len(missed) + 1)
    made = Quantized(data, parity, attempt)
    if parity.misses:
        note(f"{attempt} failed: {parity.misses[0]}; trying another way")
        missed.append(made)
    return made


def _closest(missed: list[Quantized]) -> Quantized:
    return max(missed, key=lambda made: (made.parity.correct, made.parity.agreement, -made.parity.max_difference))


def most_sensitive(quantizer: Quantizer, method: Method, error: Callable[[bytes], float]) -> tuple[str, ...]:
    """The layers, sorted by the error of each when it alone computes in integers, largest first."""
    errors = {}
    with Progress("measuring layers", len(quantizer.layers), "layer") as progress:
        for layer in quantizer.layers:
            others = [other for other in quantizer.layers if other != layer]
            errors[layer] = error(quantizer.quantize(method, others))
            progress.advance()
    return tuple(sorted(errors, key=lambda layer: -errors[layer]))
