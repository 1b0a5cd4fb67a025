"""INT8 that keeps its accuracy: other ways to find ranges, then sensitive layers in float, until the gate is passed."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, get_args

import numpy as np

from edgeclf.export.parity import Parity
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.progress import Progress

Method = Literal["min-max", "entropy", "percentile"]
METHODS: tuple[Method, ...] = get_args(Method)
ENTROPY_BINS, QUANTIZED_BINS = 512, 128
"""Of a histogram, and what it is squeezed into to see what a range loses; with as many of one as of the other, which is
onnxruntime's default, nothing is tried but the whole range.
"""


class Quantizer(Protocol):
    """One network on its way to INT8."""

    layers: tuple[str, ...]
    """Those that hold weights and can be left in float, with what follows them up to the next; from input to output."""

    activations: str
    """The type of the numbers between the layers: uint8 or int8."""

    def quantize(self, method: Method, in_float: Collection[str] = ()) -> bytes:
        """A finished file. `in_float`: those of `layers` that stay as they are."""
        ...


@dataclass(frozen=True)
class Attempt:
    """One way to quantise. method: how the ranges of activations are found; in_float: layers that were left alone."""

    method: Method
    in_float: tuple[str, ...] = ()

    def __str__(self) -> str:
        layers = f", {len(self.in_float)} layer{'s'[: len(self.in_float) > 1]} in float" if self.in_float else ""
        return f"{self.method} calibration{layers}"


@dataclass(frozen=True)
class Quantized:
    """A file, what the gate says of it, and how it was made."""

    data: bytes
    parity: Parity
    attempt: Attempt


def search(quantizer: Quantizer, judge: Callable[[bytes], Parity], error: Callable[[bytes], float]) -> Quantized:
    """The first attempt that passes `judge`: every method, then again with more and more sensitive layers in float.

    error: how far a file's answers are from the network's, on calibration images: what guides the choice must not be what
    is judged on. Where nothing passes, the attempt that came nearest.
    """
    missed: list[Quantized] = []
    for attempt in map(Attempt, METHODS):
        made = _make(quantizer, attempt, judge, missed)
        if not made.parity.misses:
            return made
    methods = sorted(METHODS, key=lambda method: method != _nearest(missed).attempt.method)
    sensitive = most_sensitive(quantizer, METHODS[0], error)  # min-max: what a range cuts off is no fault of the layer
    for count in _doubling(len(sensitive)):
        for method in methods:
            made = _make(quantizer, Attempt(method, sensitive[:count]), judge, missed)
            if not made.parity.misses:
                return made
    return _nearest(missed)


def _doubling(end: int) -> Iterator[int]:
    """1, 2, 4, 8, ... below `end`."""
    count = 1
    while count < end:
        yield count
        count *= 2


def by_layer(operations: Iterable[tuple[str, bool]]) -> dict[str, list[str]]:
    """The operations of each layer: one that holds weights, and those after it up to the next such one.

    A layer in float helps only if what it feeds on the way, activations and pooling, is in float too.

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
    """Show a `HistogramCollector` of onnxruntime the ends of every tensor's range before it sees the first image.

    Otherwise that image sets the width of the bins, and a later one with numbers a million times as large needs a million
    times as many.
    """
    collector.collect({name: [np.array(ends, np.float32)] for name, ends in ranges.items()})


def _make(quantizer: Quantizer, attempt: Attempt, judge: Callable[[bytes], Parity], missed: list[Quantized]) -> Quantized:
    data = quantizer.quantize(attempt.method, attempt.in_float)
    made_by = f"{attempt}, {quantizer.activations} activations"
    parity = replace(judge(data), made_by=made_by, attempts=len(missed) + 1)
    made = Quantized(data, parity, attempt)
    if parity.misses:
        note(f"{attempt}: {parity.misses[0]}; trying another way")
        missed.append(made)
    return made


def _nearest(missed: list[Quantized]) -> Quantized:
    return max(missed, key=lambda made: (made.parity.correct, made.parity.agreement, -made.parity.max_difference))


def most_sensitive(quantizer: Quantizer, method: Method, error: Callable[[bytes], float]) -> tuple[str, ...]:
    """The layers by the error that each makes when it alone computes in integers, the largest first."""
    errors = {}
    with Progress("measuring how sensitive layers are", len(quantizer.layers), "layer") as progress:
        for layer in quantizer.layers:
            others = [other for other in quantizer.layers if other != layer]
            errors[layer] = error(quantizer.quantize(method, others))
            progress.advance()
    return tuple(sorted(errors, key=lambda layer: -errors[layer]))
