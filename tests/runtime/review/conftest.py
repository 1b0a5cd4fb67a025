"""Shared by the tests of reviews: a few images with odd names, and the rows of a run over them."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgeclf.runtime.images.encode import encode_image
from edgeclf.runtime.results.row import Row
from edgeclf.runtime.review.answer_index import AnswerIndex
from edgeclf.runtime.review.answers import read_answers
from edgeclf.runtime.review.image_places import ImagePlaces
from edgeclf.runtime.review.page_content import Labels
from edgeclf.runtime.review.page_file import Review
from tests.support.outputs import write

ODD_NAMES = ["<img src=x onerror=alert(1)>.jpg", "a, \"b\" 'c'.jpg", "a\nb.jpg", os.fsdecode(b"caf\xe9.jpg"), "%41 #?&.jpg"]
RED, BLUE = (220, 20, 20), (20, 20, 220)


def write_image(path: Path, colour: tuple[int, int, int] = RED, size_hw: tuple[int, int] = (48, 64)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_image(np.full((*size_hw, 3), colour, np.uint8), path.suffix))
    return path


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`results.csv` beside `photos/`, in the current folder: two classes, an unsure, an unknown and a failed image."""
    monkeypatch.chdir(tmp_path)
    rows = []
    for place, name in enumerate(ODD_NAMES):
        write_image(Path("photos") / name, BLUE)
        rows.append(Row(f"photos/{name}", "ok", "bee", 0.9 - place / 10, {"bee": 0.9 - place / 10}))
    for name in ("a", "b", "u", "k"):
        write_image(Path("photos") / f"{name}.png")
    rows += [
        Row("photos/a.png", "ok", "ant", 0.75, {"ant": 0.75}, width=64, height=48, size_bytes=1234),
        Row("photos/b.png", "ok", "ant", 0.5, {"ant": 0.5}),
        Row("photos/u.png", "unsure", confidence=0.4, guess="bee", top={"bee": 0.4}),
        Row("photos/k.png", "unknown", confidence=0.99, guess="ant", top={"ant": 0.99}, novelty=2.5),
        Row("photos/gone.png", "error", error="truncated", detail="PNG without its end"),
    ]
    return write(tmp_path / "results.csv", *rows)


@pytest.fixture
def open_review(request: pytest.FixtureRequest) -> Callable[..., Review]:
    """`open_review(results, root=..., labels=...)` as clf-review does."""

    def open_(results: Path, root: Path | None = None, labels: tuple[str, ...] = ()) -> Review:
        index = AnswerIndex(read_answers(str(results)))
        request.addfinalizer(index.close)
        return Review(results.name, index, ImagePlaces(index.some(9), root), Labels.of(index.labels, labels))

    return open_
