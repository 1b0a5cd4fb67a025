"""`clf-run undo`: put images back where they were before `--sort`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeclf.runtime.errors import ExitCode
from edgeclf.runtime.terminal.console import friendly_errors, note
from edgeclf.runtime.terminal.escaping import escape

if TYPE_CHECKING:
    from edgeclf.runtime.results.sorted_file import SortedFile
    from edgeclf.runtime.results.undo import UndoResult


def undo(
    journal: Annotated[Path, typer.Argument(help="The journal of the run: FILE.journal beside its output.")],
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Change nothing; print where each image was, a tab, and where it is.")
    ] = False,
) -> None:
    """Put back what `--sort move` moved, and remove the copies or links that it made; exit 1 if some cannot be.

    Whatever was changed since is left alone, nothing is overwritten. Then the journal becomes JOURNAL.undone.
    """
    with friendly_errors():
        from edgeclf.runtime.results.undo import undo as undo_run

        undone = undo_run(journal, dry_run=dry_run, show=_show if dry_run else lambda _: None)
        note(_summary(undone, dry_run))
    raise typer.Exit(ExitCode.SOME_INPUTS_FAILED if undone.left_alone else ExitCode.OK)


def _show(sorted_file: "SortedFile") -> None:
    typer.echo(f"{escape(sorted_file.source)}\t{escape(sorted_file.target)}")


def _summary(undone: "UndoResult", dry_run: bool) -> str:
    if not undone.sorted and not undone.left_alone:
        return f"{undone.journal} says of no image that it was sorted; nothing to undo"
    counts = f"of {undone.sorted:,} sorted images"
    left = f", {undone.left_alone:,} left alone" if undone.left_alone else ""
    if dry_run:
        return f"{counts}, {undone.undone:,} would be taken back{left}; nothing was changed"
    if undone.left_alone:
        return f"{counts}, {undone.undone:,} taken back{left}; mend what the lines above say, and repeat the command"
    return f"{counts}, {undone.undone:,} taken back; the journal is now {undone.journal}"
