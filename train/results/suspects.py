"""`suspects.csv`: the images whose label is probably wrong, as a table that clf-review takes."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from edgeclf.runtime.terminal.escaping import escape_cell
from edgeclf.train.data.findings import Finding

COLUMNS = ("path", "truth", "label", "confidence", "truth_confidence")
"""As in `out_of_fold.csv`: truth is the label that the image has, and label the one that is suggested."""


def suspects_csv(findings: Iterable[Finding]) -> str:
    """One row for each label error, in order. Text is escaped as in the CSV of clf-run."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for finding in findings:
        if wrong := finding.wrong_label:
            names = map(escape_cell, (*finding.paths, wrong.label, wrong.suggested))
            writer.writerow((*names, f"{wrong.suggested_probability:.6f}", f"{wrong.label_probability:.6f}"))
    return text.getvalue()


def is_suspects(path: Path) -> bool:
    """Whether a file is such a table. Raises OSError."""
    with path.open("rb") as file:
        return file.readline(1000).strip() == ",".join(COLUMNS).encode()
