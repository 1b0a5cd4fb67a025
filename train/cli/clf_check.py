"""`clf-check`: finds what is wrong with a folder of labelled images before training."""

import json
import shlex
from collections import Counter
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeclf.runtime.errors import ExitCode, OptionError
from edgeclf.runtime.sources.verify_flag import Verify
from edgeclf.runtime.terminal.console import command_app, note, print_data, show_version
from edgeclf.runtime.terminal.escaping import escape
from edgeclf.runtime.terminal.flags import takes
from edgeclf.runtime.terminal.next_step import show_next
from edgeclf.runtime.terminal.plural import plural
from edgeclf.runtime.terminal.tables import Cell, Column, show_table
from edgeclf.train.data.findings import MEANINGS
from edgeclf.train.data.reading import AS_USUAL, Reading

if TYPE_CHECKING:
    from edgeclf.train.data.findings import Checkup, Finding

app = command_app()

EPILOG = """\b
Examples:
  clf-check photos/                     a table, and the first files of each kind
  clf-check photos/ --all | less        every file
  clf-check photos/ -o check.html       a page with the images side by side
  clf-check photos/ --json              every finding as JSON, for programs
  clf-check photos/ --verify strict     also damage inside images that decode
  clf-check photos/ --near-duplicates model.onnx      also cropped and recompressed copies
  clf-check photos/ --labels            also labels that are probably wrong
  clf-check photos/ --labels -o suspects.csv && clf-review suspects.csv --serve :8080
  clf-check photos/ --strict && clf-train photos/

The images are read and never changed.

Exit codes: 0 no errors, 1 errors found (with --strict: or warnings), 2 the folder cannot be checked."""

_STYLES = {"error": "bold red", "warning": "yellow", "notice": "dim"}
_SHOWN = 5
_SHOWN_COPIES = 3


def main() -> None:
    app()


@dataclass(frozen=True)
class ImageFlags:
    """Which images are checked, and how closely."""

    reading: Reading = AS_USUAL
    verify: Verify = False
    near_duplicates: Annotated[
        Path | None,
        typer.Option(
            help="Also find cropped, resized and recompressed copies with the embeddings of an exported model.",
            metavar="MODEL",
            rich_help_panel="Copies",
        ),
    ] = None
    labels: Annotated[
        bool,
        typer.Option(
            "--labels",
            help="Also find labels that are probably wrong, by what the other images teach. Needs TensorFlow.",
            rich_help_panel="Labels",
        ),
    ] = False


@dataclass(frozen=True)
class OutputFlags:
    """What is shown, and what is written to a file."""

    show_all: Annotated[
        bool,
        typer.Option("--all", help=f"Show every file, not only the first {_SHOWN} of each kind.", rich_help_panel="Output"),
    ] = False
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Also write a page with the images, or with --labels and a name that ends in .csv, a table for clf-review.",
            metavar="FILE",
            rich_help_panel="Output",
        ),
    ] = None
    json_output: Annotated[
        bool, typer.Option("--json", help="Write every finding to stdout as JSON.", rich_help_panel="Output")
    ] = False


@app.command(epilog=EPILOG, common="--label-from --verify --labels --all --output --json --strict")
@takes(images=ImageFlags, shown=OutputFlags)
def check(
    data: Annotated[
        Path,
        typer.Argument(
            help="Folder with one sub-folder per class, or with train/, val/ and test/ above them; or a .zip, .tar or .csv "
            "file.",
            metavar="DATA",
        ),
    ],
    *,
    images: ImageFlags,
    shown: OutputFlags,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 for warnings, too.", rich_help_panel="Exit code")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Check labelled images for unreadable files, copies across splits, mislabelled duplicates and odd images."""
    from edgeclf.train.data.findings import Severity

    checkup = _check(data, images, shown.output)
    if shown.json_output:
        print_data(json.dumps(_as_json(data, checkup), indent=1))
    else:
        _show(checkup, shown.show_all)
        has_errors = checkup.having(Severity.ERROR)
        if shown.output and _is_table(shown.output):
            show_next("clf-review", shown.output, "--serve", ":8080")
        else:
            show_next("clf-check" if has_errors else "clf-train", data, *images.reading.as_arguments())
    wrong = checkup.having(Severity.ERROR) + strict * checkup.having(Severity.WARNING)
    raise typer.Exit(ExitCode.SOME_INPUTS_FAILED if wrong else ExitCode.OK)


def _check(data: Path, images: ImageFlags, output: Path | None) -> "Checkup":
    """Check the images, and write the page or the table while those of an archive are there."""
    from edgeclf.runtime.images.decode import Checks
    from edgeclf.train.data.archives import unpacked
    from edgeclf.train.data.check import check

    _check_output(output, images)
    with unpacked(data) as root:
        found = check(root, images.reading, Checks(strict=images.verify), images.near_duplicates)
        if images.labels:
            from edgeclf.train.label_errors import with_label_errors

            found = with_label_errors(found, root, images.reading)
        checkup = found.moved(root, data)
        if output:
            _write(output, data, checkup, found)
    return checkup


def _check_output(output: Path | None, images: ImageFlags) -> None:
    """Raise OptionError or OutputError for an output that cannot be written. With --labels, also without TensorFlow."""
    from edgeclf.runtime.storage.own_files import refuse_foreign
    from edgeclf.train.results.check_page import is_check_page
    from edgeclf.train.results.suspects import is_suspects

    if images.labels:
        from edgeclf.train.quiet import check_installed

        check_installed()
    if output and _is_table(output) and not images.labels:
        raise OptionError(
            f"{output} would be the table of labels that are probably wrong; add --labels, or name a .html file"
        )
    if output:
        refuse_foreign(output, is_suspects if _is_table(output) else is_check_page)


def _write(output: Path, data: Path, checkup: "Checkup", found: "Checkup") -> None:
    """found: the same, with the paths that the images have now."""
    from edgeclf.runtime.storage.atomic_write import publish_text
    from edgeclf.train.results.check_page import check_page
    from edgeclf.train.results.suspects import suspects_csv

    if _is_table(output):
        publish_text(output, suspects_csv(checkup.findings))
    else:
        publish_text(output, check_page(data, checkup, [finding.paths for finding in found.findings]))


def _is_table(output: Path) -> bool:
    return output.suffix.lower() == ".csv"


def _as_json(data: Path, checkup: "Checkup") -> dict[str, object]:
    """Plain values. A path that is not UTF-8 keeps its bytes as \\udcXX. Only label errors have a `wrong_label`."""
    return {
        "data": str(data),
        "images": checkup.counts,
        "skipped": checkup.skipped,
        "passed_over": checkup.passed_over,
        "findings": [
            {name: value for name, value in asdict(finding).items() if value is not None} for finding in checkup.findings
        ],
    }


def _show(checkup: "Checkup", show_all: bool) -> None:
    """Print findings to stdout like a linter, and the closing sentence to stderr."""
    if checkup.findings:
        _show_table(checkup)
    for kind, of_kind in groupby(checkup.findings, lambda finding: finding.kind):
        findings = list(of_kind)
        print_data(f"\n{kind}")
        shown = findings if show_all else findings[:_SHOWN]
        for finding in shown:
            print_data(f"  {_line(finding, show_all)}")
        if len(findings) > len(shown):
            print_data(f"  and {len(findings) - len(shown):,} more; --all shows them")
    if checkup.passed_over:
        note(checkup.passed_over)
    if checkup.split_by:
        note(f"to keep images that look alike in one split: clf-train --split-by {shlex.quote(checkup.split_by)}")
    note(_closing(checkup))


def _show_table(checkup: "Checkup") -> None:
    columns = (Column("kind", "left"), Column("found"), Column("severity", "left"), Column("meaning", "left", sentence=True))
    counts = Counter((finding.kind, finding.severity) for finding in checkup.findings)
    rows = [
        (kind, f"{count:,}", Cell(severity, _STYLES[severity]), MEANINGS[kind]) for (kind, severity), count in counts.items()
    ]
    show_table(columns, rows, stdout=True)


def _line(finding: "Finding", show_all: bool) -> str:
    names = [escape(path) for path in finding.paths]
    more = 0 if show_all else max(0, len(names) - _SHOWN_COPIES)
    sign = " ~ " if finding.kind == "near_duplicate" else " = "
    listed = sign.join(names[:_SHOWN_COPIES] if more else names) + (f" and {more:,} more" if more else "")
    return f"{listed}: {finding.detail}" if names else finding.detail


def _closing(checkup: "Checkup") -> str:
    from edgeclf.train.data.other_files import describe_kinds

    others = checkup.others
    skipped = f" ({plural(checkup.skipped, 'other file')} skipped: {describe_kinds(others)})" if others else ""
    images = f"{plural(checkup.images, 'image')}{skipped}"
    if not checkup.findings:
        return f"no problems in {images}"
    severities = Counter(str(finding.severity) for finding in checkup.findings)
    counts = {name: severities[name] for name in _STYLES if name in severities}
    found = ", ".join(plural(count, name) for name, count in counts.items())
    if "error" in counts:
        return f"{found} in {images}; fix the errors, then run clf-check again"
    if "warning" in counts:
        return f"{found} in {images}; check the warnings, then train with clf-train"
    return f"{found} in {images}; nothing needs fixing; train with clf-train"
