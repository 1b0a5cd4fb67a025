"""The formats of class lists: lines, numbered lines, tables and several kinds of JSON."""

import csv
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

_NUMBERED = re.compile(r"(\d{1,9})(?:\s*[:,;]\s*|[.)]?\s+)(\S.*)", re.ASCII)
_MAX_COLUMNS = 50
_HEADERS = ("name", "names", "label", "labels", "class", "classes", "class_name")
_INNER = ("id2label", "label2id", "classes", "Label", "labels", "label_names")
"""Where configuration files of other tools have the names: Hugging Face, Lobe, Teachable Machine, timm."""


def names_in_text(text: str, suffix: str) -> list[str]:
    """The names in lines or in a table. suffix: of the file; a `.csv` file is always a table. Raises ValueError."""
    lines = [line.strip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    lines = [line for line in lines if line]
    tables = [rows for rows in (_rows(lines, delimiter) for delimiter in ",;\t") if rows]
    names = next(filter(None, map(_in_table, tables)), None) or _in_numbered(lines)
    if names:
        return names
    if suffix == ".csv" and tables:
        raise ValueError("no column of the table has the numbers 0, 1, 2 and so on beside one column of names")
    if suffix == ".csv" and lines and lines[0].strip('"').lower() in _HEADERS:
        return [line.strip('"') for line in lines[1:]]
    return lines


def names_in_json(text: str) -> list[str]:
    """The names in JSON. Raises ValueError."""
    try:
        names = names_in_value(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is not JSON ({error}); write one class per line") from None
    if not names or not all(isinstance(name, str) and name.strip() for name in names):
        examples = '["cat", "dog"], numbers from 0 such as {"cat": 0, "dog": 1}, or {"0": "cat", "1": "dog"}'
        raise ValueError(f"it must hold a list such as {examples}")
    return names


def names_in_value(value: Any) -> list[Any] | None:
    """The names in any JSON value, which may turn out not to be texts; None if there are none."""
    if isinstance(value, list):
        return value
    if not isinstance(value, dict):
        return None
    if all(type(number) is int for number in value.values()):
        return _ordered(map(str, value.values()), list(value))
    by_number = _ordered(value, list(value.values()))
    if by_number:
        # ImageNet's list has pairs of an identifier and a name.
        return [pair[-1] if isinstance(pair, list) and pair else pair for pair in by_number]
    return next(filter(None, (names_in_value(value[key]) for key in _INNER if key in value)), None)


def _in_table(rows: Sequence[Sequence[str]]) -> list[str] | None:
    """The names in a table, with or without a header, that has a column of numbers; None if it has not."""
    for column in range(len(rows[0]) if rows else 0):
        header = [] if rows[0][column].isdecimal() else [cell.lower() for cell in rows[0]]
        body = rows[1:] if header else rows
        others = [other for other in range(len(rows[0])) if other != column]
        named = others if len(others) == 1 else [other for other in others if header and header[other] in _HEADERS]
        names = _ordered([row[column] for row in body], [row[named[0]] for row in body]) if len(named) == 1 else None
        if names and all(names):
            return names
    return None


def _in_numbered(lines: list[str]) -> list[str] | None:
    """The names in lines such as `0 cat` or `0: cat`; None if they are not all numbered from 0."""
    matches = [match for match in map(_NUMBERED.fullmatch, lines) if match]
    if len(matches) < len(lines):
        return None
    return _ordered([match[1] for match in matches], [match[2] for match in matches])


def _rows(lines: list[str], delimiter: str) -> list[list[str]]:
    """The cells of a table; empty if the lines do not all have the same number of cells, from 2 to 50."""
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=delimiter, skipinitialspace=True)]
    except csv.Error:
        return []
    return rows if rows and 1 < len(rows[0]) <= _MAX_COLUMNS and len({len(row) for row in rows}) == 1 else []


def _ordered(numbers: Iterable[str], names: Sequence[Any]) -> list[Any] | None:
    """The names in the order of their numbers; None unless these are 0, 1, 2 and so on."""
    texts = list(numbers)
    if not all(text.isascii() and text.isdecimal() and len(text) < 10 for text in texts):
        return None
    positions = [int(text) for text in texts]
    if sorted(positions) != list(range(len(names))):
        return None
    return [name for _, name in sorted(zip(positions, names, strict=True), key=lambda pair: pair[0])]
