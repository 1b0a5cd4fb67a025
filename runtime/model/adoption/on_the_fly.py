"""Runs a model from another tool as it is: adopted in memory, if the file itself says all that is needed."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.adoption.adopted import Adopted
from edgeclf.runtime.model.adoption.adopted_card import training_facts
from edgeclf.runtime.model.adoption.adopting import adopt, examine
from edgeclf.runtime.model.adoption.completion import QUESTIONS, complete, is_guessable, missing
from edgeclf.runtime.model.adoption.network import Network
from edgeclf.runtime.model.conventions.facts import NOTHING, Facts
from edgeclf.runtime.model.conventions.package import find_model
from edgeclf.runtime.model.conventions.reading import facts_inside, read_facts

_PLACEHOLDERS = {
    "--classes": "labels.txt",
    "--scale": "1/255",
    "--imgsz": "224",
    "--resize": "opencv-bilinear",
    "--fit": "stretch",
}
_FLAGS_OF_ALL = {"--classes", "--imgsz"}
"""Flags of every command that opens models; the others belong to `clf-export` alone."""


@dataclass(frozen=True)
class Knowledge:
    """What is known about a model without a card.

    inside: completed facts from the file itself and from what its user says. beside: also those from files beside it.
    """

    path: Path
    network: Network
    inside: Facts
    beside: Facts

    @property
    def is_enough(self) -> bool:
        """Whether the file can be run without another word."""
        return not missing(self.network, self.inside)

    @property
    def unknown(self) -> str:
        """What no source gives, as the end of a sentence; "" if all is known."""
        return " and ".join(QUESTIONS[flag] for flag in missing(self.network, self.beside))

    @property
    def command(self) -> str:
        """The command that adopts the file, ready to paste: placeholders stand for what no source gives."""
        flags = missing(self.network, self.beside)
        if is_guessable(self.network, self.beside):
            flags = tuple(flag for flag in flags if flag != "--scale")
        return " ".join(["clf-export", shlex.quote(str(self.path)), *_with_values(flags), "--data photos/"])

    @property
    def _labels(self) -> str | None:
        """The list of classes beside the file, if there is one."""
        path = self.path.with_name(self.beside.classes.origin) if self.beside.classes else None
        return shlex.quote(str(path)) if path and path.is_file() else None

    @property
    def advice(self) -> str:
        """What is missing and what to do, as a sentence."""
        flags = missing(self.network, self.inside)
        only_labels_beside = replace(self.beside, classes=self.inside.classes) == self.inside
        if only_labels_beside and set(flags) <= _FLAGS_OF_ALL:
            unknown, given = " and ".join(QUESTIONS[flag] for flag in flags), " ".join(_with_values(flags, self._labels))
            return f"{self.path} has no model card and does not say {unknown}; add {given}"
        problem = f"does not say {self.unknown}" if self.unknown else "is described by other files beside it"
        return f"{self.path} has no model card and {problem}; adopt it first: {self.command}"


def look_at(path: Path, data: bytes, described: Facts, usual: Facts = NOTHING) -> Knowledge:
    """Examine the file at `path`, whose bytes are `data`, and what is beside it.

    described: what its user says. usual: what counts where no source says anything.
    Raises ModelError or OptionError if it is no classifier, or if two sources contradict each other.
    """
    network = examine(path, data)
    with find_model(path) as package:
        inside = described.over(facts_inside(package, data))
        beside = described.over(read_facts(package, data, classes_given=described.classes is not None))
    inside, beside = (complete(network, facts.over(usual)) for facts in (inside, beside))
    return Knowledge(path, network, inside, beside)


def adopt_in_memory(path: Path, data: bytes, described: Facts, usual: Facts = NOTHING) -> Adopted:
    """The file under the model contract; see `look_at`. Raises ModelError with what to do if it does not say enough."""
    known = look_at(path, data, described, usual)
    if not known.is_enough:
        raise ModelError(known.advice)
    return adopt(path, data, known.inside, training_facts(path, known.inside))


def _with_values(flags: Iterable[str], labels: str | None = None) -> list[str]:
    values = _PLACEHOLDERS | ({"--classes": labels} if labels else {})
    return [f"{flag} {values[flag]}" for flag in flags]
