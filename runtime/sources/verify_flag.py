"""How closely images are checked: one flag of `clf-run` and `clf-check`."""

from typing import Annotated

import typer

from edgeclf.runtime.spelling import require_choice
from edgeclf.runtime.terminal.flags import Text

BAD_IMAGES_PANEL = "Bad images"
_VALUES = ("quick", "strict")


def parse_verify(text: str) -> bool:
    """Whether the checks are strict. Raises OptionError."""
    require_choice("--verify", text, _VALUES)
    return text == "strict"


Verify = Annotated[
    bool,
    Text(parse_verify),
    typer.Option(
        "--verify",
        help="strict also finds damage inside images that decode.",
        metavar="|".join(_VALUES),
        show_default="quick",
        rich_help_panel=BAD_IMAGES_PANEL,
    ),
]
"""Whether the checks are strict; see `Checks`."""
