"""The further outputs that a model file can have behind `probabilities`, and whether it has them as its card says."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.card import ModelCard
from edgeclf.runtime.terminal.console import show_shape

EMBEDDING, HEATMAP = "embedding", "heatmap"
"""Names of further outputs: what the last dense layer sees, and what each place in the image adds to each class."""
Shape = tuple[int | None, ...]
Answer = tuple[NDArray[np.float32], float | None, NDArray[np.float32] | None, NDArray[np.float32] | None]
"""Of one image: its probabilities, its novelty, its heatmap and its embedding."""


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What a model returns for N images. Further outputs are None unless they were asked for.

    probabilities: float32 `[N, classes]`. embedding: float32 `[N, D]`. heatmap: float32 `[N, h, w, classes]`.
    novelty: float64 `[N]`, see `Novelty`; None if the model cannot tell it.
    """

    probabilities: NDArray[np.float32]
    embedding: NDArray[np.float32] | None = None
    heatmap: NDArray[np.float32] | None = None
    novelty: NDArray[np.float64] | None = None

    def __iter__(self) -> Iterator[Answer]:
        count = len(self.probabilities)
        novelties = [None] * count if self.novelty is None else self.novelty.tolist()
        heatmaps, embeddings = ([None] * count if one is None else one for one in (self.heatmap, self.embedding))
        return zip(self.probabilities, novelties, heatmaps, embeddings, strict=True)


def join_answers(parts: Sequence[Answers]) -> Answers:
    """The answers for the images of all parts, which hold the same outputs."""
    return Answers(*(_join([getattr(part, name) for part in parts]) for name in Answers.__slots__))


def _join(arrays: Sequence[Any]) -> Any:
    return None if arrays[0] is None else np.concatenate(arrays)


def place_of(name: str, card: ModelCard, path: Path | None) -> int:
    """Where a further output stands among the outputs of a file. Raises ModelError if the file has no such output."""
    if name in card.outputs:
        return 1 + card.outputs.index(name)
    cure = f"export its Keras model again, with clf-export --outputs {name}"
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
