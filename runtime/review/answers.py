"""The answers to look at, read one by one: from any output of clf-run, a folder of Parquet parts, or a training's folder."""

import heapq
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgeclf.runtime.errors import SourceError
from edgeclf.runtime.results.row import NO_LABEL
from edgeclf.runtime.review.tables import Record, open_table
from edgeclf.runtime.spelling import near
from edgeclf.runtime.storage.object_store import is_uri
from edgeclf.runtime.terminal.escaping import unescape
from edgeclf.runtime.terminal.masking import mask

STATUSES = ("ok", *NO_LABEL, "error")
MOST_SCORES = 50
"""Classes that an answer keeps, best first."""
OF_A_TRAINING = ("test_answers.csv", "out_of_fold.csv")
"""What clf-train writes into its run folder, with the truth."""
_SCORE = "score_"
_FACTS = ("novelty", "similarity", "error", "detail", "width", "height", "size_bytes", "taken_at", "camera", "time")
_TABLES = ".csv, .jsonl, .parquet, .sqlite or .db"


@dataclass(frozen=True, slots=True)
class Answer:
    """One row. path: as it was named to clf-run, with bytes that are not UTF-8 as `os.fsdecode` gives them.

    label: the most probable class, for an unsure or unknown image too; empty if there is none. confidence: 0 to 1. truth:
    the right class, if it is known, else empty. scores: the most probable classes, best first. sorted_to: where `--sort`
    put the image. facts: what else is worth showing, by the names of the columns.
    """

    path: str
    status: str
    label: str = ""
    confidence: float | None = None
    truth: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)
    sorted_to: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


def read_answers(results: str) -> Iterator[Answer]:
    """Every row of the results, in order, in constant memory. Raises SourceError for what holds no rows.

    results: a file, a folder of Parquet parts, or the run folder of a training.
    """
    for table in find_tables(results):
        with open_table(table) as (columns, records):
            _require_columns(table, columns)
            yield from map(_answer, records)


def find_tables(results: str) -> list[Path]:
    """The files that hold the rows. Raises SourceError."""
    if is_uri(results):
        raise SourceError(f"{mask(results)} is read from local disks only; download it, and name the copy")
    path = Path(results)
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise SourceError(f"{path} does not exist; {near(path) or f'name the {_TABLES} file of a run'}")
    for name in OF_A_TRAINING:
        if (path / name).is_file():
            return [path / name]
    parts = sorted(path.glob("*.parquet"))  # in the order of the runs that wrote them
    if not parts and (path / "metrics.json").is_file():
        raise SourceError(
            f"{path} holds no answers, as the training is older than {OF_A_TRAINING[0]}; name the output of clf-run instead"
        )
    if not parts:
        raise SourceError(f"{path} holds no Parquet files and is no training run; name the {_TABLES} file of a run")
    return parts


def _require_columns(table: Path, columns: tuple[str, ...]) -> None:
    missing = [name for name in ("path", "label") if name not in columns]
    if missing:
        raise SourceError(f"{table} has no column {' and no '.join(missing)}; name a file that clf-run wrote with -o")


def _answer(record: Record) -> Answer:
    status = _text(record, "status") or "ok"
    label = _text(record, "label") or _text(record, "guess")
    if status not in STATUSES:
        status = "ok" if label else "error"
    confidence = _number(record.get("confidence"))
    return Answer(
        path=_text(record, "path"),
        status=status,
        label=label,
        confidence=confidence,
        truth=_text(record, "truth"),
        scores=_scores(record, label, confidence),
        sorted_to=_text(record, "sorted_to"),
        facts={name: _fact(record[name]) for name in _FACTS if record.get(name) not in (None, "")},
    )


def _text(record: Record, name: str) -> str:
    value = record.get(name)
    if not isinstance(value, str):
        return "" if value is None else str(value)
    return unescape(value) if "\\" in value else value


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _fact(value: Any) -> Any:
    if isinstance(value, str):
        return unescape(value)
    return value if isinstance(value, int | float) else str(value)


def _scores(record: Record, label: str, confidence: float | None) -> dict[str, float]:
    """From the object of JSON lines, a column for each class, or columns for the next best; else the answer alone."""
    top = record.get("top")
    if isinstance(top, dict):
        found = {unescape(name): _number(score) for name, score in top.items()}
    else:
        found = {unescape(name[len(_SCORE) :]): _number(record[name]) for name in record if name.startswith(_SCORE)}
    if not found:
        found = {label: confidence} if label else {}
        place = 2
        while next_label := _text(record, f"label_{place}"):
            found[next_label] = _number(record.get(f"confidence_{place}"))
            place += 1
    known = [(name, score) for name, score in found.items() if score is not None]
    return dict(heapq.nlargest(MOST_SCORES, known, key=lambda pair: pair[1]))
