"""The result of the gate for several files, and which of them to ship."""

from dataclasses import dataclass

from edgeclf.export.options import GateLimits
from edgeclf.export.parity import Parity
from edgeclf.export.timing import Performance, pareto, pick_best


@dataclass(frozen=True)
class GateReport:
    """reference: the name of the reference model. origin: where the images of the comparison come from.
    remarks: sentences on the reference model that the labels give cause for. compared: a sentence that says what was
    compared with what, if that is not an exported file with its trained model; "" otherwise.
    """

    parities: tuple[Parity, ...]
    reference: str
    origin: str
    limits: GateLimits
    remarks: tuple[str, ...] = ()
    compared: str = ""

    @property
    def passed(self) -> bool:
        return not self.failed

    @property
    def failed(self) -> tuple[str, ...]:
        """The names of the files that failed."""
        return tuple(parity.name for parity in self.parities if parity.misses)

    @property
    def ship(self) -> str:
        """The name of the file to ship; "" if no file was timed."""
        timed = self._timed()
        return list(timed)[pick_best(list(timed.values()))] if timed else ""

    @property
    def trade_offs(self) -> tuple[str, ...]:
        """The names of the files that no other file beats in time, accuracy and size at once."""
        timed = self._timed()
        return tuple(name for name, best in zip(timed, pareto(list(timed.values())), strict=True) if best)

    def _timed(self) -> dict[str, Performance]:
        return {
            parity.name: Performance(parity.milliseconds, parity.correct, parity.size_bytes)
            for parity in self.parities
            if parity.milliseconds is not None
        }
