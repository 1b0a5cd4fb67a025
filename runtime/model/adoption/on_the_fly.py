"""Runs a model from another tool as it is: adopted in memory, if the file itself says all that is needed."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from edgeclf.runtime.errors import EdgeclfError, ModelError
from edgeclf.runtime.model.adoption.adopted import Adopted
from edgeclf.runtime.model.adoption.adopted_card import HeadError, training_facts
from edgeclf.runtime.model.adoption.adopting import adopt, examine
from edgeclf.runtime.model.adoption.completion import QUESTIONS, complete, is_guessable, missing
from edgeclf.runtime.model.adoption.input_levels import fitting_scale
from edgeclf.runtime.model.adoption.network import Network
from edgeclf.runtime.model.conventions.facts import NOTHING, Fact, Facts
from edgeclf.runtime.model.conventions.package import ModelPackage, find_model
from edgeclf.runtime.model.conventions.reading import facts_inside, read_facts
from edgeclf.runtime.model.conventions.scales import SCALES

_PLACEHOLDERS = {
    "--classes": "labels.txt",
    "--imgsz": "224",
    "--resize": "opencv-bilinear",
    "--fit": "stretch",
    "--head": "logits",
}
"""For what no source gives. Where the head is open, test images did not give probabilities."""
_FLAGS_OF_ALL = {"--classes", "--imgsz"}
"""Flags of every command that opens models; the others belong to `clf-export` alone."""
_WHAT_IT_RETURNS = "what it returns"


@dataclass(frozen=True)
class Knowledge:
    """What is known about a model without a card.

    named: what the user named, such as a folder with the model. inside: completed facts from the file itself and from what
    its user says. beside: also those from files beside it. head_is_open: whether only its owner knows what it returns.
    """

    path: Path
    named: Path
    network: Network
    inside: Facts
    beside: Facts
    head_is_open: bool = False

    @property
    def is_enough(self) -> bool:
        """Whether the file can be run without another word."""
        return not missing(self.network, self.inside) and not self.head_is_open

    @property
    def unknown(self) -> str:
        """What no source gives, as the end of a sentence; "" if all is known."""
        questions = [QUESTIONS[flag] for flag in missing(self.network, self.beside)]
        return " and ".join([*questions, *([_WHAT_IT_RETURNS] if self.head_is_open else [])])

    @property
    def command(self) -> str:
        """The command that adopts the file, ready to paste: placeholders stand for what no source gives."""
        return f"clf-export {shlex.quote(str(self.named))} {self.flags}"

    @property
    def flags(self) -> str:
        """The flags of that command."""
        flags = missing(self.network, self.beside)
        if is_guessable(self.network, self.beside):
            flags = tuple(flag for flag in flags if flag != "--scale")
        flags += ("--head",) if self.head_is_open else ()
        return " ".join([*self._with_values(flags), "--data photos/"])

    @property
    def advice(self) -> str:
        """What is missing and what to do, as a sentence."""
        flags = missing(self.network, self.inside)
        only_labels_beside = replace(self.beside, classes=self.inside.classes) == self.inside
        is_described = "--classes" in flags or (
            self.inside.classes is not None and self.inside.classes.origin == "--classes"
        )
        if only_labels_beside and is_described and set(flags) <= _FLAGS_OF_ALL and not self.head_is_open:
            unknown, given = (
                " and ".join(QUESTIONS[flag] for flag in flags),
                " ".join(self._with_values(flags, self._labels)),
            )
            return f"{self.path} has no model card and does not say {unknown}; add {given}"
        beside = "is described by other files beside it"
        if self.named != self.path:
            beside = f"is described by the files in {'it' if self.named.is_file() else 'this folder'}"
        problem = f"does not say {self.unknown}" if self.unknown else beside
        return f"{self.named} has no model card and {problem}; adopt it first: {self.command}"

    @property
    def _labels(self) -> str | None:
        """The list of classes beside the file, if there is one."""
        path = self.path.with_name(self.beside.classes.origin) if self.beside.classes else None
        return shlex.quote(str(path)) if path and path.is_file() else None

    def _with_values(self, flags: Iterable[str], labels: str | None = None) -> list[str]:
        values = _PLACEHOLDERS | {"--scale": fitting_scale(self.network) or "1/255"}
        values |= {"--classes": labels} if labels else {}
        return [f"{flag} {values[flag]}" for flag in flags]

    def tried(self, data: bytes) -> "tuple[Adopted | None, Knowledge]":
        """Adopt the file, with placeholders for what is unknown, so that advice is not followed by another error.

        Returns what was adopted, if only to try, and what is known now. None if that depends on what is not known yet.
        Raises ModelError or OptionError if the file cannot be adopted at all.
        """
        facts = self._with_placeholders()
        training = training_facts(self.path, facts)
        try:
            return adopt(self.path, data, facts, training), self
        except HeadError:
            known = replace(self, head_is_open=True)
            return adopt(self.path, data, replace(facts, head=Fact("logits", "--head")), training), known
        except EdgeclfError:
            # It may take only some sizes, and the number of its classes may be open.
            if "--imgsz" in missing(self.network, self.beside) or self.network.outputs is None:
                return None, self
            raise

    def _with_placeholders(self) -> Facts:
        """The facts, and values for those that no source gives."""
        count = 2 if self.network.outputs == 1 else self.network.outputs or 2
        usual = Facts.of(
            "default",
            classes=tuple(map(str, range(count))),
            scaling=SCALES["1/255"].scaling,
            size_hw=(224, 224),
            resize="bilinear",
            fit="stretch",
        )
        if None not in self.network.size_hw:
            usual = replace(usual, size_hw=None)
        return self.beside.over(usual)


def look_at(path: Path, data: bytes, described: Facts, usual: Facts = NOTHING) -> Knowledge:
    """Examine the file at `path`, whose bytes are `data`, and what is beside it. It is not run.

    described: what its user says. usual: what counts where no source says anything.
    Raises ModelError or OptionError if it is no classifier, or if two sources contradict each other.
    """
    with find_model(path) as package:
        return look_into(package, path, data, described, usual)


def look_into(
    package: ModelPackage, named: Path, data: bytes, described: Facts = NOTHING, usual: Facts = NOTHING
) -> Knowledge:
    """Like `look_at`, for a model that was found in what the user named."""
    network = examine(package.path, data)
    inside = described.over(facts_inside(package, data))
    beside = described.over(read_facts(package, data, classes_given=described.classes is not None))
    inside, beside = (_completed(network, facts, usual) for facts in (inside, beside))
    return Knowledge(package.path, named, network, inside, beside)


def _completed(network: Network, facts: Facts, usual: Facts) -> Facts:
    """What a known tool leaves open has no counterpart here, so `usual` is for other files."""
    return complete(network, facts if facts.tool else facts.over(usual))


def adopt_in_memory(path: Path, data: bytes, described: Facts, usual: Facts = NOTHING) -> Adopted:
    """The file under the model contract; see `look_at`. Raises ModelError with what to do if it does not say enough."""
    with find_model(path) as package:
        network = examine(package.path, data)
        inside = _completed(network, described.over(facts_inside(package, data)), usual)
        known = Knowledge(package.path, path, network, inside, inside)
        if not known.is_enough:  # only then do the files beside it matter
            known = look_into(package, path, data, described, usual)
            raise ModelError(known.tried(data)[1].advice)
    try:
        return adopt(path, data, known.inside, training_facts(path, known.inside))
    except HeadError:
        raise ModelError(replace(known, head_is_open=True).advice) from None
