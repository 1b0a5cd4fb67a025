"""The flags of `clf-run` that say which answers count; option parsing must not import rows, which need NumPy."""

from functools import partial
from typing import Annotated

import typer

from edgeclf.runtime.terminal.flags import Text
from edgeclf.runtime.terminal.values import parse_share, parse_unknown

Confidence = Annotated[
    float,
    Text(partial(parse_share, "--conf")),
    typer.Option(
        "--conf",
        help="Below this confidence, such as 0.9 or 90%, the answer is `unsure`.",
        metavar="P",
        show_default="0",
        rich_help_panel="Output",
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
        rich_help_panel="Output",
    ),
]
