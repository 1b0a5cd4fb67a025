"""What `--sort` does with an image; in a file of its own because option parsing must not import the sorting itself."""

from pathlib import Path
from typing import Annotated, Literal, get_args

import typer

from edgeclf.runtime.terminal.flags import Text

SortMode = Literal["copy", "move", "link", "plan"]
"""`plan` only says where each image would go."""
_SORTING = "Sorting"
"""A section of the help."""

Sort = Annotated[
    SortMode | None,
    Text(str),
    typer.Option(
        help="Copy, move or link images into a folder for each class; plan only says where they would go.",
        metavar="|".join(get_args(SortMode)),
        rich_help_panel=_SORTING,
    ),
]
SortDir = Annotated[Path | None, typer.Option(help="The folder for --sort.", metavar="DIR", rich_help_panel=_SORTING)]
