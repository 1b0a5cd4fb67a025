"""`clf-review`: look at answers, and correct them."""

from pathlib import Path
from typing import Annotated

import typer

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.review.options import ReviewOptions
from edgeclf.runtime.terminal.console import command_app, show_version
from edgeclf.runtime.terminal.flags import takes

app = command_app()

EPILOG = """\b
Examples:
  clf-review results.csv -o review.html      a page that opens from disk
  clf-review results.csv --serve :8080       a page whose decisions are written at once
  clf-review rows/ --serve :8080             the Parquet parts of a run over Ray
  clf-review runs/cells -o mistakes.html     the test images of a training, with a confusion matrix
  clf-review results.csv -o review.html --root /mnt/photos    the images have moved since

Arrow keys move, Enter accepts the answer, a digit or the first letters of a class correct it, x rejects the image, and u
undoes. The decisions are in corrections.csv: clf-train photos/ --corrections corrections.csv learns from them.

Exit codes: 0 all well, 2 error, 130 or 143 interrupted."""


def main() -> None:
    app()


@app.command(epilog=EPILOG)
@takes(options=ReviewOptions)
def review(
    options: ReviewOptions,
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write a page, and a folder of thumbnails beside it.", metavar="PAGE.html"),
    ] = None,
    serve: Annotated[
        str | None,
        typer.Option("--serve", help="Serve the page until Ctrl-C: :8080 is for this machine only.", metavar="ADDRESS"),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Make a page to look at answers, the least confident of each class first, and to correct them with a key press."""
    from edgeclf.runtime.review.review import serve_review, write_review

    if output is not None and serve is None:
        write_review(options, output)
    elif serve is not None and output is None:
        serve_review(options, serve)
    else:
        raise OptionError("give either -o PAGE.html, for a page that opens from disk, or --serve :8080")
