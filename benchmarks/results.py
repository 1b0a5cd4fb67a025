"""`results.md`: all measured tables of the project. Each script rewrites its own section."""

import datetime as dt
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from edgeclf.benchmarks.machine import this_machine
from edgeclf.runtime.storage.atomic_write import publish_text

RESULTS = Path(__file__).with_name("results.md")
_HEADER = "# Measured\n\nWritten by the scripts in this folder, each into its own section; never by hand.\n"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table with the first column aligned left and the others aligned right."""
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def publish_section(title: str, module: str, text: str) -> None:
    """Write `text` under `title`, with the command, the machine and the date; replaces the section with that title."""
    command = f"python -m {module} {shlex.join(sys.argv[1:])}".strip()
    source = f"`{command}`, {dt.date.today()}, {this_machine()}"
    section = f"## {title}\n\n{text}\n{source}\n"
    old = RESULTS.read_text("utf-8") if RESULTS.exists() else _HEADER
    kept = [part for part in re.split(r"(?m)^(?=## )", old) if not part.startswith(f"## {title}\n")]
    head, *sections = kept
    publish_text(RESULTS, "\n".join(part.strip() + "\n" for part in [head, *sorted([*sections, section])]))
