"""The flags of `clf-run` about answers: how much a row says, and which count. Option parsing must not import NumPy."""

from functools import partial
from typing import Annotated

import typer

from edgeclf.runtime.terminal.flags import Text
from edgeclf.runtime.terminal.values import parse_share, parse_topk, parse_unknown

_PANEL = "Output"

TopK = Annotated[
    int | None,
    Text(parse_topk),
    typer.Option(
        "--topk",
        help="Also the classes after the best, in columns such as label_2; all: a column for the score of each class.",
        metavar="N|all",
        show_default="1",
        rich_help_panel=_PANEL,
    ),
]
"""None for all, 0 if it was not given."""
Confidence = Annotated[
    float,
    Text(partial(parse_share, "--conf")),
    typer.Option(
        "--conf",
        help="Below this confidence, such as 0.9 or 90%, the answer is `unsure`.",
        metavar="P",
        show_default="0",
        rich_help_panel=_PANEL,
    ),
]
Unknown = Annotated[
    float | None,
    Text(parse_unknown),
    typer.Option(
        "--unknown",
        help="Share of known images that may be called `unknown`, as images unlike all that was learned are.",
        metavar="off|P",
        show_default="1%, if the model can tell",
        rich_help_panel=_PANEL,
    ),
]
