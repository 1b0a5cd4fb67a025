"""Limits that keep the code easy to read: the length of files and functions, positional arguments, and words to avoid."""

import ast
import re
import statistics
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = ("runtime", "train", "export", "benchmarks")
MAX_FILE_LINES, MEDIAN_FILE_LINES = 300, 100
MAX_FUNCTION_LINES, MEDIAN_FUNCTION_LINES, P90_FUNCTION_LINES = 40, 6, 16
MAX_POSITIONAL = 5
COINED = re.compile(
    r"\b(vitals|symptoms|arrivals|lettering|callouts|contenders?|workpiece|anatomy|relocations?|whoever|anew|pictures?)\b",
    re.IGNORECASE,
)
"""Words that this project once used for things that have a usual name."""


@cache
def sources() -> tuple[Path, ...]:
    return tuple(sorted(path for layer in LAYERS for path in (ROOT / layer).rglob("*.py")))


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def syntax(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


@cache
def function_lines() -> dict[str, int]:
    """The lines of every function, without those of its docstring, by where it stands."""
    return {
        f"{name(path)}:{node.lineno} {node.name}": _lines(node)
        for path in sources()
        for node in ast.walk(syntax(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def _lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    total = (function.end_lineno or 0) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is None:
        return total
    return total - ((first.end_lineno or 0) - first.lineno + 1)


def file_lines() -> dict[str, int]:
    lines = {name(path): len(path.read_text("utf-8").splitlines()) for path in sources()}
    return {path: count for path, count in lines.items() if count}


def test_no_file_is_too_long() -> None:
    assert {path: count for path, count in file_lines().items() if count > MAX_FILE_LINES} == {}


def test_most_files_are_short() -> None:
    assert statistics.median(file_lines().values()) <= MEDIAN_FILE_LINES


def test_no_function_is_too_long() -> None:
    assert {place: count for place, count in function_lines().items() if count > MAX_FUNCTION_LINES} == {}


def test_most_functions_are_short() -> None:
    counts = sorted(function_lines().values())
    assert statistics.median(counts) <= MEDIAN_FUNCTION_LINES
    assert counts[int(0.9 * len(counts))] <= P90_FUNCTION_LINES


def test_no_call_has_many_positional_arguments() -> None:
    calls = [(path, node) for path in sources() for node in ast.walk(syntax(path)) if isinstance(node, ast.Call)]
    assert [f"{name(path)}:{call.lineno}" for path, call in calls if len(call.args) > MAX_POSITIONAL] == []


def texts() -> Iterator[Path]:
    yield from sources()
    yield from (ROOT / "docs").glob("*.md")
    yield from (path for path in ROOT.rglob("*.html") if path.relative_to(ROOT).parts[0] in LAYERS)
    yield from (ROOT / "examples").iterdir()
    yield from (ROOT / file for file in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "pyproject.toml"))


def test_things_have_their_usual_names() -> None:
    found = {
        f"{name(path)}:{number}": line.strip()
        for path in texts()
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if COINED.search(line)
    }
    assert found == {}


@pytest.mark.parametrize("word", ["a picture", "Vitals", "contenders", "begun anew"])
def test_the_coined_words_are_recognised(word: str) -> None:
    assert COINED.search(word)
