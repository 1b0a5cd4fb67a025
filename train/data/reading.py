"""How labelled images are found in a folder: flags of every command that reads one, declared once."""

import re
from dataclasses import dataclass
from typing import Annotated

import typer

from edgeclf.runtime.errors import OptionError

DATA = "Data"
"""Their heading in the help."""
LABEL_FROM_EXAMPLE = r"--label-from '(\w+)\.' for cat.17.jpg"

NO_CLASSES_CURE = f"make one sub-folder per class, or say where the file names have it ({LABEL_FROM_EXAMPLE})"


@dataclass(frozen=True)
class Reading:
    """follow_links: enter linked folders inside the class folders, but none that lies above the link.

    label_from: empty if the folders are the classes. Otherwise a regular expression whose first group, matched at the
    start of the file name, is the class.
    """

    follow_links: Annotated[
        bool, typer.Option("--follow-links", help="Follow links to folders inside the class folders.", rich_help_panel=DATA)
    ] = False
    label_from: Annotated[
        str,
        typer.Option(
            help="For images without class folders: a regular expression whose first group, at the start of the file "
            "name, is the class.",
            metavar="REGEX",
            show_default=False,
            rich_help_panel=DATA,
        ),
    ] = ""

    def __post_init__(self) -> None:
        try:
            is_usable = not self.label_from or re.compile(self.label_from).groups > 0
        except (re.error, OverflowError, RecursionError):
            is_usable = False
        if not is_usable:
            raise OptionError(
                f"--label-from takes a regular expression with a group in parentheses, not {self.label_from!r}; correct it, "
                f"as in {LABEL_FROM_EXAMPLE}"
            )

    def as_arguments(self) -> tuple[str, ...]:
        """These flags as another command takes them."""
        links = ("--follow-links",) if self.follow_links else ()
        return (*links, "--label-from", self.label_from) if self.label_from else links

    def label_of(self, name: str) -> str:
        """The class in a file name; empty if there is none."""
        found = re.match(self.label_from, name)
        return (found[1] or "") if found else ""


AS_USUAL = Reading()
