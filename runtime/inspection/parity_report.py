"""Finds a model in the parity report beside it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeclf.runtime.inspection.structure import json_safe

_MAX_BYTES = 4 << 20


@dataclass(frozen=True)
class ParityEntry:
    """The report's entry for a file of this name.

    same_file: True if the digest agrees, False if the digest or size differs, None if the report has no digest.
    entry: unchanged from the report.
    """

    report: str
    same_file: bool | None
    verified_on: str
    entry: dict[str, Any]
    made_with: dict[str, Any]


def find_parity(path: Path, sha256: str, size_bytes: int) -> ParityEntry | None:
    """Look up `model.int8.tflite` in `model.int8.parity.json`, then in `model.parity.json`. None if neither lists it."""
    stem = path.name
    while "." in stem[1:]:
        stem = stem.rpartition(".")[0]
        report = path.with_name(f"{stem}.parity.json")
        fields = _read(report)
        for entry in _list(fields.get("artifacts")):
            if isinstance(entry, dict) and entry.get("file") == path.name:
                made_with = fields.get("made_with")
                return ParityEntry(
                    str(report),
                    _is_same(entry, sha256, size_bytes),
                    str(fields.get("verified_on", "")),
                    json_safe(entry),
                    json_safe(made_with) if isinstance(made_with, dict) else {},
                )
    return None


def _read(path: Path) -> dict[str, Any]:
    """The fields of a report; empty if the file is not one."""
    try:
        if not path.is_file() or path.stat().st_size > _MAX_BYTES:
            return {}
        fields = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_same(entry: dict[str, Any], sha256: str, size_bytes: int) -> bool | None:
    if isinstance(entry.get("sha256"), str):
        return bool(entry["sha256"] == sha256)
    return False if entry.get("bytes") not in (None, size_bytes) else None
