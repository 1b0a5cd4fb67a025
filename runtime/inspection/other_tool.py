"""What a model from another tool says about itself, and what is missing to run it."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edgeclf.runtime.errors import EdgeclfError, first_line
from edgeclf.runtime.inspection.contract_check import ContractCheck, check_contract
from edgeclf.runtime.inspection.structure import json_safe
from edgeclf.runtime.model.adoption.adopted_card import shown, shown_head
from edgeclf.runtime.model.adoption.adopting import MissingEngineError
from edgeclf.runtime.model.adoption.completion import QUESTIONS
from edgeclf.runtime.model.adoption.not_runnable import keras_command
from edgeclf.runtime.model.adoption.on_the_fly import Knowledge, look_into
from edgeclf.runtime.model.conventions.facts import Fact, Facts
from edgeclf.runtime.model.conventions.package import ModelPackage
from edgeclf.runtime.model.conventions.reading import read_facts
from edgeclf.runtime.model.formats import is_runnable
from edgeclf.runtime.sources.archives import is_archive
from edgeclf.runtime.terminal.console import missing_extra


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


def look_at_other_tool(package: ModelPackage, named: Path, data: bytes) -> tuple[OtherTool | None, ContractCheck]:
    """What is known about a model without a card, and how it does after its adoption. data: of the model file.

    named: what the user named. None if the engine that reads its format is not installed.
    """
    try:
        if not is_runnable(package.path):
            return _for_training(package, named), ContractCheck("not tried", detail="it is a model for training")
        known = look_into(package, named, data)
    except MissingEngineError as error:
        return None, ContractCheck("not tried", detail=str(error))
    except ImportError as error:
        return None, ContractCheck("not tried", detail=missing_extra(error) or first_line(error))
    except EdgeclfError as error:
        return OtherTool(problem=str(error)), ContractCheck("not tried", detail="it cannot be adopted")
    contract = check_contract(package.path)
    if contract.verdict in ("unusable", "broken"):
        return OtherTool(problem=contract.detail), ContractCheck("not tried", detail="it cannot be adopted")
    known = replace(known, head_is_open=contract.head_is_open)
    runs = known.is_enough and not is_archive(named)
    return OtherTool(known.beside.tool, _values(_all_facts(known)), known.unknown, runs, known.command), contract


def _for_training(package: ModelPackage, named: Path) -> OtherTool:
    """For a Keras file or a SavedModel."""
    facts = read_facts(package)
    unknown = "" if facts.classes else QUESTIONS["--classes"]
    return OtherTool(facts.tool, _values(facts), unknown, command=keras_command(package, named))


def _all_facts(known: Knowledge) -> Facts:
    """What the graph shows has the last word about size and head."""
    network, facts = known.network, known.beside
    if None not in network.size_hw:
        facts = replace(facts, size_hw=Fact(network.size_hw, "the input"))  # type: ignore[arg-type]
    if head := shown_head(network):
        facts = replace(facts, head=Fact(head, f"the last operation, {network.last_operation}"))
    return facts


def _values(facts: Facts) -> dict[str, dict[str, Any]]:
    return {name: {"value": json_safe(shown(fact.value)), "origin": fact.origin} for name, fact in facts.known().items()}
