"""The options of `clf-review`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer


@dataclass(frozen=True)
class ReviewOptions:
    """results: see `read_answers`. corrections: the file of decisions; None for none, and for `corrections.csv` if the page
    is served. root: the folder that the images are in now, if they have moved. classes: a list of more classes.
    """

    results: Annotated[
        str,
        typer.Argument(
            help="What clf-run wrote with -o: a .csv, .jsonl, .parquet or .sqlite file, or a folder of Parquet parts; "
            "or the folder of a training run.",
            metavar="RESULTS",
            show_default=False,
        ),
    ]
    corrections: Annotated[
        Path | None,
        typer.Option(
            help="The file of decisions, which the page goes on with. With --serve: corrections.csv, unless you name one.",
            metavar="FILE.csv",
        ),
    ] = None
    root: Annotated[
        Path | None, typer.Option(help="The folder that the images are in now, if they have moved.", metavar="FOLDER")
    ] = None
    classes: Annotated[Path | None, typer.Option(help="More classes to correct to: a list, one a line.", metavar="FILE")] = (
        None
    )
