"""How labelled images are found in a folder: flags of every command that reads one, declared once."""

from dataclasses import dataclass
from typing import Annotated

import typer

DATA = "Data"
"""Their heading in the help."""


@dataclass(frozen=True)
class Reading:
    """follow_links: enter linked folders inside the class folders, but none that lies above the link."""

    follow_links: Annotated[
        bool, typer.Option("--follow-links", help="Follow links to folders inside the class folders.", rich_help_panel=DATA)
    ] = False


AS_USUAL = Reading()
