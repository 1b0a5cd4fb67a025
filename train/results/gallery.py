"""All answers with small copies of their images, for a page that filters them without a server."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.terminal.escaping import escape
from edgeclf.train.results.thumbnail import thumbnail

MOST_IMAGES = 10_000
"""A page with more would take long to open. The least certain answers and the mistakes are kept."""
_FEW_IMAGES = 2_000
_SIDE, _SMALL_SIDE = 128, 64
"""The longer side of a copy in pixels, and that for more than `_FEW_IMAGES`: 10,000 of them take 20 MB."""
_MARKUP = Path(__file__).with_name("gallery.html")
_PLACE = "<!-- answers -->"


@dataclass(frozen=True, eq=False)
class Answers:
    """The answers to N images.

    labels, predicted: int64 `[N]`. confidence: float32 `[N]`, 0 to 1. images: uint8 `[N, H, W, C]`. paths: N names.
    """

    labels: NDArray[np.int64]
    predicted: NDArray[np.int64]
    confidence: NDArray[np.float32]
    images: Pixels
    paths: Sequence[str]


def gallery(answers: Answers, classes: Sequence[str]) -> str:
    """The markup of the gallery: filters, images and the program that shows them."""
    shown = _order(answers)[:MOST_IMAGES]
    side = _SIDE if len(shown) <= _FEW_IMAGES else _SMALL_SIDE
    content = {
        "classes": [escape(name) for name in classes],
        "total": len(answers.labels),
        "answers": [
            [
                int(answers.labels[index]),
                int(answers.predicted[index]),
                math.floor(1000 * float(answers.confidence[index])) / 1000,  # 99.96 % is not 100 %
                escape(answers.paths[index]) if answers.paths else "",
                thumbnail(answers.images[index], side),
            ]
            for index in shown
        ],
    }
    return _MARKUP.read_text("utf-8").replace(_PLACE, _as_script_data(content))


def _order(answers: Answers) -> NDArray[np.int64]:
    """Mistakes first, the most confident ones before the others; then correct answers, the least confident ones first."""
    wrong = answers.labels != answers.predicted
    return np.lexsort((np.where(wrong, -answers.confidence, answers.confidence), ~wrong)).astype(np.int64)


def _as_script_data(content: object) -> str:
    """JSON inside a script element, which only `<` could end."""
    return json.dumps(content, separators=(",", ":")).replace("<", "\\u003c")
