"""What the models of a cross-validation answer: each image by the one model that was not trained on it."""

import csv
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.results.columns import score_names
from edgeclf.runtime.storage.atomic_write import publish_text
from edgeclf.runtime.terminal.escaping import escape_cell, unescape
from edgeclf.train.data.arrays import Arrays
from edgeclf.train.results.intervals import mean_interval

ORIGIN = "that the models of the folds were not trained on; the final model is trained on them"


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """accuracies: of each fold. answers: float32 `[classes]` by absolute path, if they are the test; empty otherwise."""

    accuracies: tuple[float, ...]
    answers: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)

    @property
    def mean(self) -> float:
        return sum(self.accuracies) / len(self.accuracies)

    @property
    def interval(self) -> tuple[float, float]:
        """Of the mean, 95 %."""
        low, high = mean_interval(self.accuracies)
        return max(0.0, low), min(1.0, high)

    def of(self, images: Arrays) -> NDArray[np.float32]:
        """Probabilities for these images, float32 `[N, classes]`. Raises KeyError for an image of no fold."""
        return np.stack([self.answers[os.path.abspath(path)] for path in images.paths])

    def to_json(self) -> dict[str, Any]:
        """Plain values for `metrics.json`."""
        return {
            "accuracies": [round(accuracy, 6) for accuracy in self.accuracies],
            "mean": round(self.mean, 6),
            "mean_95_interval": [round(end, 6) for end in self.interval],
            "are_the_test": bool(self.answers),
        }

    def sentence(self) -> str:
        low, high = self.interval
        each = ", ".join(f"{accuracy:.1%}" for accuracy in self.accuracies)
        return (
            f"{len(self.accuracies)} folds: accuracy {self.mean:.1%} on average (95 % interval {low:.1%} to {high:.1%}); "
            f"each: {each}"
        )


def write_answers(
    path: Path, images: Arrays, scores: NDArray[np.float32], classes: Sequence[str], fold: int | None = None
) -> None:
    """Write one row for each image. fold: which one the images are; None, and no such column, if they are of none."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    folds = () if fold is None else (fold,)
    columns = ("path", "truth", "label", "confidence", *(() if fold is None else ("fold",)))
    writer.writerow((*columns, *map(escape_cell, score_names(classes))))
    for image, label, row in zip(images.paths, images.labels, scores, strict=True):
        best = int(row.argmax())
        names = (os.path.abspath(image), classes[label], classes[best])
        writer.writerow((*map(escape_cell, names), f"{row[best]:.6f}", *folds, *(f"{score:.8g}" for score in row)))
    publish_text(path, text.getvalue())


def join_answers(paths: Sequence[Path], joined: Path) -> dict[str, NDArray[np.float32]]:
    """Join the files of all folds in one, and return the probabilities by absolute path."""
    texts = [path.read_text("utf-8") for path in paths]
    text = texts[0] + "".join(one.partition("\n")[2] for one in texts[1:])
    publish_text(joined, text)
    header, *rows = csv.reader(io.StringIO(text))
    first = header.index("fold") + 1
    return {unescape(row[0]): np.array(row[first:], np.float32) for row in rows}
