"""`clf-run undo`: puts images back where they were before `--sort`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeclf.runtime.errors import ExitCode
from edgeclf.runtime.terminal.console import friendly_errors, note, print_data
from edgeclf.runtime.terminal.escaping import escape
from edgeclf.runtime.terminal.plural import plural

if TYPE_CHECKING:
    from edgeclf.runtime.results.sorted_file import SortedFile
    from edgeclf.runtime.results.undo import UndoResult

EPILOG = """\b
Examples:
  clf-run undo results.csv.journal --dry-run    only say what would be put back, and from where
  clf-run undo results.csv.journal"""


def undo(
    journal: Annotated[Path, typer.Argument(help="The journal of the run: FILE.journal beside its output.")],
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Change nothing; print where each image was, a tab, and where it is now.")
    ] = False,
) -> None:
    """Put back images that `--sort move` moved, and remove the copies or links that --sort made.

    Files that have changed since are left alone, and nothing is overwritten. Afterwards the journal is called
    JOURNAL.undone. Exit codes: 0 all well, 1 some files were left alone, 2 error.
    """
    with friendly_errors():
        from edgeclf.runtime.results.undo import undo as undo_run

        result = undo_run(journal, dry_run=dry_run, show=_show if dry_run else lambda _: None)
        note(_summary(result, dry_run))
    raise typer.Exit(ExitCode.SOME_INPUTS_FAILED if result.left_alone else ExitCode.OK)


def _show(sorted_file: "SortedFile") -> None:
    print_data(f"{escape(sorted_file.source)}\t{escape(sorted_file.target)}")


def _summary(result: "UndoResult", dry_run: bool) -> str:
    if not result.sorted and not result.left_alone:
        return f"{result.journal} lists no sorted images; nothing to undo"
    counts = f"{result.undone:,} of {plural(result.sorted, 'sorted image')}"
    left = f", {result.left_alone:,} left alone" if result.left_alone else ""
    if dry_run:
        return f"{counts} would be put back or removed{left}; nothing was changed"
    if result.left_alone:
        return f"{counts} put back or removed{left}; fix what the lines above report, then run the command again"
    return f"{counts} put back or removed; the journal is now {result.journal}"
