"""What a model from another tool says about itself, and what is missing to run it."""

from dataclasses import dataclass, field
from typing import Any

from edgeclf.runtime.errors import EdgeclfError
from edgeclf.runtime.inspection.structure import json_safe
from edgeclf.runtime.model.adoption.adopted_card import shown
from edgeclf.runtime.model.adoption.on_the_fly import look_at
from edgeclf.runtime.model.conventions.facts import NOTHING, Facts
from edgeclf.runtime.model.conventions.package import ModelPackage
from edgeclf.runtime.model.conventions.reading import read_facts
from edgeclf.runtime.model.formats import is_runnable


@dataclass(frozen=True)
class OtherTool:
    """tool: the convention that the model follows, or "". facts: value and origin by name. unknown: what no source gives, as
    the end of a sentence. runs_as_it_is: whether `clf-run` needs nothing but the file. command: what adopts it.
    problem: why it cannot be adopted, or "".
    """

    tool: str = ""
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    unknown: str = ""
    runs_as_it_is: bool = False
    command: str = ""
    problem: str = ""


def look_at_other_tool(package: ModelPackage, data: bytes) -> OtherTool:
    """What is known about a model without a card. data: of the model file; it is not run."""
    try:
        if not is_runnable(package.path):
            facts = read_facts(package)
            return OtherTool(facts.tool, _values(facts), command=f"clf-export {package.name} --data photos/")
        known = look_at(package.path, data, NOTHING)
    except EdgeclfError as error:
        return OtherTool(problem=str(error))
    return OtherTool(known.beside.tool, _values(known.beside), known.unknown, known.is_enough, known.command)


def _values(facts: Facts) -> dict[str, dict[str, Any]]:
    return {name: {"value": json_safe(shown(fact.value)), "origin": fact.origin} for name, fact in facts.known().items()}
