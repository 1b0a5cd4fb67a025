"""What the gate found, as a table that a person wants to read, and what follows from it, in sentences."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from edgeclf.export.parity import GateLimits, Parity
from edgeclf.export.timing import SAME_SPEED
from edgeclf.runtime.terminal.console import note, stderr_console
from edgeclf.runtime.terminal.escaping import escape
from edgeclf.train.results.intervals import wilson_interval


def show(
    parities: Sequence[Parity],
    reference: str,
    origin: str,
    limits: GateLimits,
    ship: str = "",
    trade_offs: Sequence[str] = (),
) -> None:
    """Print to stderr how artefacts compare with `reference` on the images of `origin`.

    ship: the name of the one to take; trade_offs: of those that are best in something. Both empty where nothing was timed.
    """
    table = Table(box=None, pad_edge=False)
    table.add_column("file", overflow="fold")
    for column in ("size", "accuracy", "95 % interval", "same answer", "difference", "an image"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    several = sum(parity.milliseconds is not None for parity in parities) > 1
    ship, trade_offs = (ship, trade_offs) if several else ("", ())
    first = parities[0]
    table.add_row(Text(escape(reference)), "", *_accuracy(first.keras_correct, first.images))
    for parity in parities:
        timed = parity.milliseconds is not None
        table.add_row(
            Text(escape(parity.name)),
            f"{parity.size_bytes / 1e6:.2f} MB",
            *_accuracy(parity.correct, parity.images),
            f"{parity.agreement:.2%}",
            f"{parity.max_difference:.1e}",
            f"{parity.milliseconds:.3g} ms" if timed else "",
            _verdict(parity, ship),
        )
    stderr_console().print(table)
    note(f"verified on {first.images:,} images ({origin})")
    if 0 < limits.max_drop * first.keras_correct < 1:
        one, drop = f"{1 / first.images:.1%}", f"{limits.max_drop:.1%}"
        note(f"these are few: one image is {one}, more than the {drop} that may be lost; more images with --data DIR")
    for parity in parities:
        if parity.attempts > 1:
            note(f"{parity.name}: {parity.made_by}, after {parity.attempts - 1} that missed")
        for miss in parity.misses:
            note(f"missed: {parity.name}: {miss}")
    _compare_times(parities)
    others = [name for name in trade_offs if name != ship]
    if ship:
        note(f"ship {ship}: of all that passed, the fastest here, one image at a time")
    if others:
        note(f"nothing beats {', '.join(others)} in time, accuracy and size at once, either")


def _accuracy(correct: int, images: int) -> tuple[str, str]:
    low, high = wilson_interval(correct, images)
    return f"{correct / images:.2%}", f"{low:.0%} to {high:.0%}"


def _verdict(parity: Parity, ship: str) -> Text:
    if parity.misses:
        return Text("missed", "red")
    return Text("ship", "bold green") if parity.name == ship else Text("passed")


def _compare_times(parities: Sequence[Parity]) -> None:
    """Say which of the reduced ones are slower than float32: only their size speaks for them."""
    times = {parity: parity.milliseconds for parity in parities if parity.milliseconds is not None}
    full = [parity for parity in times if parity.precision == "fp32"]
    if not full:
        return
    best = min(full, key=lambda parity: times[parity])
    ratios = {parity.name: time / times[best] for parity, time in times.items() if parity.precision != "fp32"}
    slower = [f"{name} ({ratio:.2g} times)" for name, ratio in ratios.items() if ratio > SAME_SPEED]
    if slower:
        note(f"slower here than {best.name}: {', '.join(slower)}")
