"""What every convention is: the habits of one tool for describing a classifier."""

from collections.abc import Callable
from dataclasses import dataclass

from edgeclf.runtime.model.conventions.evidence import Evidence
from edgeclf.runtime.model.conventions.facts import Facts


@dataclass(frozen=True)
class Convention:
    """read: the facts of a model that follows the convention; None for any other model. Raises ModelError or OptionError.

    defaults: what holds for the tool's models unless they say otherwise, for `--from NAME`.
    """

    read: Callable[[Evidence], Facts | None]
    defaults: Facts


def from_flag(name: str, **values: object) -> Facts:
    """Defaults of a tool, which the user named."""
    return Facts.of(f"--from {name}", name, **values)
