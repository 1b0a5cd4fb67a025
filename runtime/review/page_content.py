"""What the review page is made of: one HTML file, and the answers as JSON, in portions that it loads one by one."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from edgeclf.runtime.review.answer_index import AnswerIndex
from edgeclf.runtime.review.answers import STATUSES, Answer
from edgeclf.runtime.review.corrections import Correction
from edgeclf.runtime.review.thumbnails import ACROSS, ON_A_SHEET, SIDE
from edgeclf.runtime.terminal.escaping import escape_cell

ROWS_IN_CHUNK, ROWS_IN_DETAILS = 10_000, 1_000
MARK = b'<meta name="generator" content="clf-review">'
"""Says of a page that it is one of ours."""
_FOLDER = Path(__file__).parent
_SCRIPTS = ("page_rows.js", "page_decisions.js", "page_grid.js", "page_large.js", "page_keys.js")
_MILLION = 1_000_000


@dataclass(frozen=True)
class Labels:
    """The classes of the page, in order; everywhere else they are numbers. As in every text of the page, names are escaped
    by `escape_cell`: that is also how corrections are written.
    """

    names: tuple[str, ...]

    @classmethod
    def of(cls, *groups: Iterable[str]) -> "Labels":
        """All names of all groups, sorted."""
        return cls(tuple(sorted({name for group in groups for name in group if name})))

    @property
    def shown(self) -> list[str]:
        return [escape_cell(name) for name in self.names]


def html(head: Mapping[str, Any]) -> bytes:
    """The whole page. head: what the script begins with."""
    content = json.dumps(head).replace("<", "\\u003c")  # no text can end the element that it is in
    return _template().replace(">null<", f">{content}<", 1).encode()


def head(index: AnswerIndex, labels: Labels, title: str, key: str, **more: Any) -> dict[str, Any]:
    """What the script begins with. title: what the page is about. key: under which the browser keeps decisions. more: what
    differs by the kind of page.
    """
    return {
        "title": escape_cell(title),
        "key": f"clf-review {key}",
        "count": len(index),
        "labels": labels.shown,
        "rows_in_chunk": ROWS_IN_CHUNK,
        "rows_in_details": ROWS_IN_DETAILS,
        "on_sheet": ON_A_SHEET,
        "across": ACROSS,
        "side": SIDE,
        "decided": [],
        "served": False,
        "folder": "",
        **more,
    }


def columns(index: AnswerIndex, labels: Labels, chunk: int) -> dict[str, list[Any]]:
    """What the page filters and sorts by, of every answer in a chunk. Labels are numbers, -1 for none; confidences are
    millionths.
    """
    start = chunk * ROWS_IN_CHUNK
    answers = index.rows(start, start + ROWS_IN_CHUNK)
    numbers = {name: number for number, name in enumerate(labels.names)}
    return {
        "paths": [escape_cell(one.path) for one in answers],
        "label": [numbers.get(one.label, -1) for one in answers],
        "status": [STATUSES.index(one.status) for one in answers],
        "confidence": [-1 if one.confidence is None else round(one.confidence * _MILLION) for one in answers],
        "truth": [numbers.get(one.truth, -1) for one in answers],
        "rank": index.path_ranks(start, start + ROWS_IN_CHUNK),
    }


def details(answer: Answer, image: str | None = None) -> dict[str, Any]:
    """What the page shows of one answer beside its large image. image: its URL, if a browser can open it."""
    facts = dict(answer.facts)
    width, height = facts.pop("width", None), facts.pop("height", None)
    about = [("size", f"{width} x {height} pixels")] if width and height else []
    if str(size_bytes := facts.pop("size_bytes", "")).isdecimal():
        about.append(("file", f"{int(size_bytes):,} bytes"))
    about += [(name.replace("_", " "), escape_cell(str(value))) for name, value in facts.items()]
    return {
        "scores": [[escape_cell(label), score] for label, score in answer.scores.items()],
        "about": about,
        "image": image,
    }


def decided(corrections: Iterable[Correction]) -> list[list[str]]:
    """Corrections as the page takes them, and as it gives them."""
    return [[escape_cell(one.path), escape_cell(one.label), one.decision, one.time] for one in corrections]


@cache
def _template() -> str:
    script = "\n".join((_FOLDER / name).read_text("utf-8") for name in _SCRIPTS)
    page = (_FOLDER / "page.html").read_text("utf-8")
    parts = {"/* page.css */": (_FOLDER / "page.css").read_text("utf-8"), "/* page.js */": f"\n{script}"}
    return re.sub("|".join(map(re.escape, parts)), lambda found: parts[found[0]], page)
