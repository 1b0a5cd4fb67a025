"""`metadata.yaml`, which Ultralytics writes into the folders that it exports: the few forms of YAML that it has."""

import json
import re
from typing import Any

_ENTRY = re.compile(r"(\w+):(?: (.*))?")
_NAME = re.compile(r"  (\d+): (.+)")
_ITEM = re.compile(r"- (\d+)")
_SPECIAL = ("'", '"', "|", ">", "&", "*", "!", "[", "{")
"""What begins a text that is not a plain one."""


def read_metadata(text: str) -> dict[str, Any]:
    """Fields with a plain value, `names` by number, and lists of whole numbers; all else is left out."""
    fields: dict[str, Any] = {}
    key = ""
    for line in text.splitlines():
        if entry := _ENTRY.fullmatch(line):
            key, value = entry[1], entry[2]
            if value is not None:
                fields[key] = _scalar(value)
        elif name := _NAME.fullmatch(line):
            _inner(fields, key, {})[name[1]] = _scalar(name[2])
        elif item := _ITEM.fullmatch(line):
            _inner(fields, key, []).append(int(item[1][:9]))
        elif line.startswith("    ") and isinstance(fields.get(key), dict):
            fields[key] = None  # a name that goes on in this line
    return fields


def _inner(fields: dict[str, Any], key: str, empty: Any) -> Any:
    """The block below a key; a new one if there is none of this kind."""
    if not isinstance(fields.get(key), type(empty)):
        fields[key] = empty
    return fields[key]


def _scalar(text: str) -> str | None:
    """A plain or quoted text; None for any other."""
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    if text.startswith('"'):
        try:
            value = json.loads(text)
        except ValueError:
            return None
        return value if isinstance(value, str) else None
    return None if text.startswith(_SPECIAL) else text
