"""What the documentation says about the code is true: rooms, examples in docstrings, and the help of every command."""

import csv
import doctest
import importlib
import io
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from edgeclf.runtime.results.columns import COLUMNS, PLAIN, Column
from edgeclf.runtime.review.corrections import read_corrections

ROOT = Path(__file__).parents[1]
LAYERS = ("runtime", "train", "export", "benchmarks")
SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
PAGES = ["README.md", "CONTRIBUTING.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]
HELPS = [
    *((command,) for command in SCRIPTS),
    ("clf-train", "evaluate"),
    ("clf-export", "check"),
    ("clf-run", "undo"),
]


def test_the_architecture_page_has_a_paragraph_for_every_room() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    described = re.findall(r"^### `([\w/]+)/`$", page, re.MULTILINE)
    rooms = {str(path.parent.relative_to(ROOT)) for layer in LAYERS for path in (ROOT / layer).rglob("*.py")}
    assert sorted(described) == sorted(rooms)


@pytest.mark.parametrize("document", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_files_that_a_page_names_exist(document: str) -> None:
    named = set(
        re.findall(r"`((?:runtime|train|export|benchmarks|tests|docs)/[\w/.]+\.\w+)`", (ROOT / document).read_text("utf-8"))
    )
    assert named
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_the_corrections_on_the_page_can_be_read(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "review.md").read_text("utf-8")
    (block,) = re.findall(r"^path,label,decision.*?(?=```)", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "corrections.csv").write_text(block, "utf-8")
    found = read_corrections(tmp_path / "corrections.csv")
    assert {path: (one.label, one.decision) for path, one in found.items()} == {
        "photos/a.jpg": ("defective", "corrected"),
        "photos/b.jpg": ("functional", "accepted"),
    }


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").split()) <= 1_000


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_and_headings(page: str) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", (ROOT / page).read_text("utf-8"))
    assert [link for link in links if not link.startswith("https://") and not leads_somewhere(ROOT / page, link)] == []


def leads_somewhere(page: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    return target.exists() and (not anchor or anchor in anchors(target))


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings have where it is shown."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_columns_in_the_documentation_are_those_of_the_code() -> None:
    table = (ROOT / "docs" / "rows.md").read_text("utf-8").partition("| column |")[2].partition("\n\n")[0]
    assert table.splitlines()[2:] == [documented(column) for column in COLUMNS]


def documented(column: Column) -> str:
    """Its line of the table."""
    names = {"csv": "CSV", "jsonl": "JSON lines", "parquet": "Parquet", "sqlite": "SQLite"}
    where = "" if len(column.outputs) == len(names) else ", ".join(names[output] for output in column.outputs)
    return f"| `{column.name}` | {column.kind} | {column.meaning} | {', '.join(filter(None, [column.needs, where]))} |"


def test_the_rows_in_the_documentation_are_rows_as_they_are_written() -> None:
    page = (ROOT / "docs" / "rows.md").read_text("utf-8")
    block = page[page.index("path,status,label,") :].partition("```")[0]
    ok, error = csv.DictReader(io.StringIO(block))
    assert [*ok] == [*error] == [column.name for column in PLAIN.columns("csv")]
    assert not any(None in row or None in row.values() for row in (ok, error))  # no row is longer or shorter


def modules_with_examples() -> list[str]:
    paths = sorted(path for layer in LAYERS for path in (ROOT / layer).rglob("*.py") if ">>> " in path.read_text("utf-8"))
    return [".".join(("edgeclf", *path.relative_to(ROOT).with_suffix("").parts)) for path in paths]


@pytest.mark.parametrize("module", modules_with_examples())
def test_examples_in_docstrings_hold(module: str) -> None:
    assert doctest.testmod(importlib.import_module(module)).failed == 0


@pytest.mark.parametrize("words", HELPS, ids=" ".join)
def test_help_is_in_the_words_of_users(words: tuple[str, ...]) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name(words[0]), *words[1:], "--help-all"], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert not re.findall(r"(?i)pictures?|<list|list\[|\bTEXT\.\.\.|<\w+ \w+>", done.stdout)
