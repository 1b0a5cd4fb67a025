"""Finds an INT8 file that passes the gate: first with other calibrations, then with the most sensitive layers in float."""

from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Literal, Protocol, get_args

from edgeclf.export.parity import Parity
from edgeclf.runtime.cores import usable_cores
from edgeclf.runtime.pipeline import ordered_map
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.plural import plural
from edgeclf.runtime.terminal.progress import Progress

Method = Literal["min-max", "entropy", "percentile"]
METHODS: tuple[Method, ...] = get_args(Method)
_MOST_AT_ONCE = 4
"""Files that are measured at once. More would need more memory, and files are not made faster than four are measured."""
_CHECK_BYTES = 64 << 20
"""At least what a check holds, so that few files are made ahead of it."""


class Quantizer(Protocol):
    """Quantises one network to INT8."""

    layers: tuple[str, ...]
    """Names of the layers with weights, which can stay in float, from input to output."""

    activations: str
    """The type of the activations: `uint8` or `int8`."""

    corrects_bias: bool
    """Whether the network has a last bias that can be corrected."""

    def quantize(self, method: Method, in_float: Collection[str] = (), *, corrected: bool = True) -> bytes:
        """A finished file. in_float: the `layers` that stay in float. corrected: whether its bias is, which takes longer."""
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
    quantizer: Quantizer, check: Callable[[bytes, int], Parity], error: Callable[[bytes, bool], float], alternative: str = ""
) -> Quantized:
    """Try every method, then every method with more and more sensitive layers in float, until an attempt passes.

    check: the gate, for a file and a number of threads. error: the error of a file on calibration images, and whether a
    shift of all answers does not count; verification images must not guide the choice. Both are called from several threads.
    alternative: what to try instead of layers in float, said before those are tried.
    Returns the first attempt that passes. If none does, returns the closest one.
    """
    missed: list[Quantized] = []
    cores = usable_cores()
    for attempt in map(Attempt, METHODS):  # one by one, because most calibrations are not needed
        data = quantizer.quantize(attempt.method)
        made = _judged(quantizer, attempt, data, check(data, cores), missed)
        if not made.parity.misses:
            return made
    if alternative:
        note(f"INT8 needs layers in float; {alternative}")
    closest = _closest(missed).attempt.method
    methods = sorted(METHODS, key=lambda method: method != closest)
    sensitive = most_sensitive(quantizer, METHODS[0], error)  # min-max, so that values cut off by a range do not count
    counts = _doubling(len(sensitive))
    attempts = [Attempt(method, sensitive[:count]) for count in counts for method in methods]
    with closing(_checked(quantizer, attempts, check)) as checked:  # no thread goes on after an interrupt
        for attempt, data, parity in checked:
            made = _judged(quantizer, attempt, data, parity, missed)
            if not made.parity.misses:
                return made
    return _closest(missed)


def _checked(
    quantizer: Quantizer, attempts: Iterable[Attempt], check: Callable[[bytes, int], Parity]
) -> Generator[tuple[Attempt, bytes, Parity]]:
    """The attempts in their order, with their files and what the gate says. Several are checked at once."""
    threads = usable_cores() // _at_once()

    def judge(made: tuple[Attempt, bytes]) -> tuple[Attempt, bytes, Parity]:
        return *made, check(made[1], threads)

    files = ((attempt, quantizer.quantize(attempt.method, attempt.in_float)) for attempt in attempts)
    yield from ordered_map(judge, files, _at_once(), size_bytes=lambda _: _CHECK_BYTES)


def _at_once() -> int:
    return min(_MOST_AT_ONCE, usable_cores())


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


def _judged(quantizer: Quantizer, attempt: Attempt, data: bytes, parity: Parity, missed: list[Quantized]) -> Quantized:
    made_by = f"{attempt}, {quantizer.activations} activations"
    made = Quantized(data, replace(parity, made_by=made_by, attempts=len(missed) + 1), attempt)
    if parity.misses:
        note(f"{attempt} failed: {parity.misses[0]}; trying another way")
        missed.append(made)
    return made


def _closest(missed: list[Quantized]) -> Quantized:
    return max(missed, key=lambda made: (made.parity.correct, made.parity.agreement, -made.parity.max_difference))


def most_sensitive(quantizer: Quantizer, method: Method, error: Callable[[bytes, bool], float]) -> tuple[str, ...]:
    """The layers, sorted by the error of each when it alone computes in integers, largest first."""
    others = ([other for other in quantizer.layers if other != one] for one in quantizer.layers)
    files = (quantizer.quantize(method, in_float, corrected=False) for in_float in others)
    errors = {}
    with Progress("measuring layers", len(quantizer.layers), "layer") as progress:
        found = ordered_map(
            lambda data: error(data, quantizer.corrects_bias), files, _at_once(), size_bytes=lambda _: _CHECK_BYTES
        )
        for layer, of_layer in zip(quantizer.layers, found, strict=True):
            errors[layer] = of_layer
            progress.advance()
    return tuple(sorted(errors, key=lambda layer: -errors[layer]))
