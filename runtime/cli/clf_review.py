"""`clf-review`: look at answers, and correct them."""

from pathlib import Path
from typing import Annotated

import typer

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.terminal.console import command_app, friendly_errors, show_version

app = command_app()

EPILOG = """\b
Examples:
  clf-review results.csv -o review.html      a page that opens from disk
  clf-review results.csv --serve :8080       a page whose decisions are written at once
  clf-review rows/ --serve :8080             the Parquet parts of a run over Ray
  clf-review runs/cells -o mistakes.html     the test images of a training, with a confusion matrix
  clf-review results.csv -o review.html --root /mnt/photos    the images have moved since

Arrow keys move, Enter accepts the answer, a digit or the first letters of a class correct it, x rejects the image, and u
undoes. The decisions are in corrections.csv, for `clf-train --corrections`.

Exit codes: 0 all well, 2 error, 130 or 143 interrupted."""


def main() -> None:
    app()


@app.command(epilog=EPILOG)
def review(
    results: Annotated[
        str,
        typer.Argument(
            help="What clf-run wrote with -o: a .csv, .jsonl, .parquet or .sqlite file, or a folder of Parquet parts; "
            "or the folder of a training run.",
            metavar="RESULTS",
            show_default=False,
        ),
    ],
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write a page, and a folder of thumbnails beside it.", metavar="PAGE.html"),
    ] = None,
    serve: Annotated[
        str | None,
        typer.Option("--serve", help="Serve the page until Ctrl-C: :8080 is for this machine only.", metavar="ADDRESS"),
    ] = None,
    corrections: Annotated[
        Path | None,
        typer.Option(
            "--corrections",
            help="The file of decisions, which the page goes on with.",
            metavar="FILE.csv",
            show_default="with --serve corrections.csv",
        ),
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option("--root", help="The folder that the images are in now, if they have moved.", metavar="FOLDER"),
    ] = None,
    classes: Annotated[
        Path | None,
        typer.Option("--classes", help="More classes to correct to: a list, one a line.", metavar="FILE"),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Make a page to look at answers, the least confident of each class first, and to correct them with a key press."""
    with friendly_errors():
        if (output is None) == (serve is None):
            raise OptionError("give either -o PAGE.html, for a page that opens from disk, or --serve :8080")
        from edgeclf.runtime.review.review import ReviewOptions, serve_review, write_review

        options = ReviewOptions(results, corrections, root, classes)
        if output is not None:
            write_review(options, output)
        elif serve is not None:
            serve_review(options, serve)
