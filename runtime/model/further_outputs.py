"""The further outputs that a model file can have behind `probabilities`, and whether it has them as its card says."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.card import ModelCard
from edgeclf.runtime.terminal.console import show_shape

EMBEDDING, HEATMAP = "embedding", "heatmap"
"""Names of further outputs: what the last dense layer sees, and what each place in the image adds to each class."""
Shape = tuple[int | None, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What a model returns for N images, float32. Further outputs are None unless they were asked for.

    probabilities: `[N, classes]`. embedding: `[N, D]`. heatmap: `[N, h, w, classes]`.
    """

    probabilities: NDArray[np.float32]
    embedding: NDArray[np.float32] | None = None
    heatmap: NDArray[np.float32] | None = None


def join_answers(parts: Sequence[Answers]) -> Answers:
    """The answers for the images of all parts, which hold the same outputs."""
    embeddings = [part.embedding for part in parts if part.embedding is not None]
    heatmaps = [part.heatmap for part in parts if part.heatmap is not None]
    return Answers(
        np.concatenate([part.probabilities for part in parts]),
        np.concatenate(embeddings) if embeddings else None,
        np.concatenate(heatmaps) if heatmaps else None,
    )


def place_of(name: str, card: ModelCard, path: Path | None) -> int:
    """Where a further output stands among the outputs of a file. Raises ModelError if the file has no such output."""
    if name in card.outputs:
        return 1 + card.outputs.index(name)
    cure = f"export its Keras model with --outputs {name}, which only some networks allow"
    raise ModelError(f"{path or 'the model'} has no output {name}; {cure}")


def check_further_outputs(path: Path, card: ModelCard, shapes: Sequence[Shape]) -> None:
    """Raise ModelError if an output that the card names is missing or has another shape.

    shapes: of all outputs of the file, with None for sides that are open.
    """
    for place, name in enumerate(card.outputs, 1):
        shape = shapes[place] if place < len(shapes) else None
        sides = {EMBEDDING: ("D",), HEATMAP: ("h", "w", len(card.classes))}.get(name)
        if sides is None:  # of a later version
            continue
        expected = ("batch", *sides)
        if shape is None:
            raise ModelError(f"{path} has no output {place + 1}, but its card names {name} there; export it again")
        fits = len(shape) == len(expected) and all(map(_fits, shape[1:], sides))
        if not fits:
            found = f"returns {show_shape(shape)} as {name}, not {show_shape(expected)}"
            raise ModelError(f"{path} {found}; export it again")


def _fits(side: int | None, expected: int | str) -> bool:
    return side is not None and side > 0 if isinstance(expected, str) else side == expected
