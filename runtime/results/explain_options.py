"""What `clf-run --explain` is asked for: where the images go, which answers, and how the heatmaps are found."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args

import typer

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.spelling import advice, require_choice
from edgeclf.runtime.terminal.flags import Text

EXPLAIN = "--explain"
ExplainBy = Literal["maps", "occlusion"]
_PANEL = "Explanations"
_STATUSES = ("ok", "unsure", "unknown")


@dataclass(frozen=True)
class ExplainOptions:
    """folder: None for no explanations. only_if: statuses and labels, each text one or several between commas."""

    folder: Annotated[
        Path | None,
        typer.Option(
            EXPLAIN,
            help="Write each image, with where the model looked laid over it, to DIR. Yellow speaks most for the answer.",
            metavar="DIR",
            rich_help_panel=_PANEL,
        ),
    ] = None
    only_if: Annotated[
        tuple[str, ...],
        typer.Option(
            "--explain-if",
            help="Only for these answers: statuses and labels, such as unsure,unknown,LABEL.",
            metavar="STATUS|LABEL,...",
            show_default=False,
            rich_help_panel=_PANEL,
        ),
    ] = ()
    by: Annotated[
        ExplainBy,
        Text(str),
        typer.Option(
            "--explain-by",
            help="maps: the file's own, almost for free. occlusion: for every model; 49 more runs of it for each image.",
            metavar="|".join(get_args(ExplainBy)),
            rich_help_panel=_PANEL,
        ),
    ] = "maps"

    def __post_init__(self) -> None:
        require_choice("--explain-by", self.by, get_args(ExplainBy))
        if self.folder is None and (self.only_if or self.by != "maps"):
            flag = "--explain-if" if self.only_if else "--explain-by"
            raise OptionError(f"{flag} says more about {EXPLAIN}; add {EXPLAIN} DIR as well")

    def wanted(self, classes: Sequence[str]) -> frozenset[str] | None:
        """The statuses and labels to explain; None for all answers. Raises OptionError for what is neither."""
        known = (*_STATUSES, *classes)
        # A label with a comma in it is a whole text.
        words = [word.strip() for text in self.only_if for word in ([text] if text in known else text.split(","))]
        for word in words:
            if word not in known:
                raise OptionError(f"--explain-if {word}: there is no such status or label; {advice(word, known)}")
        return frozenset(words) or None


NO_EXPLANATIONS = ExplainOptions()
