"""Copies that hashes miss: recompressed, cropped and resized images, found by the embeddings of a model.

The cosine of two embeddings finds the candidates. It cannot decide: to a network that was trained on them, two cells of one
solar panel are as close as two copies of one cell. So candidates are laid over each other, and their correlation decides.
`benchmarks/near_duplicates.py` measures both.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.cores import usable_cores
from edgeclf.runtime.images.decode import Checks, Pixels
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.runtime.model.further_outputs import EMBEDDING, place_of
from edgeclf.runtime.model.novelty import scaled_to_1
from edgeclf.runtime.model.prediction import Prediction
from edgeclf.runtime.pipeline import classify_batches, ordered_map
from edgeclf.runtime.terminal.progress import Progress
from edgeclf.train.data.alignment import Floats, likeness, shared_by_all

NEIGHBOURS = 20
"""Images that each image is compared with: those with the largest cosine."""
MIN_LIKENESS = 0.98
"""The least `likeness` of two copies of one photograph, or of parts of it.

Of crops that are compared with their original, all have it in photographs, and 98 % in solar cells. With 0.97, twice as many
pairs of different cells have it.
"""
_ROWS = 512
"""Of the matrix of all cosines that are in memory at once."""


@dataclass(frozen=True)
class ByModel:
    """Finds copies with an exported model. checks: what files must pass before they are decoded."""

    classifier: Classifier
    checks: Checks

    @classmethod
    def open(cls, model: Path, checks: Checks) -> "ByModel":
        """Raises ModelError for a file without the output `embedding`."""
        classifier = Classifier.open(model, threads=1)
        place_of(EMBEDDING, classifier.card, model)
        return cls(classifier, checks)

    def pairs(self, paths: Sequence[str], details: Pixels) -> list[tuple[int, int]]:
        """Pairs of indexes of images that show one photograph, or parts of it, with progress.

        details: grey uint8 `[N, 96, 96]` of the same images.
        """
        tried = candidates(embed(paths, self.classifier, self.checks))
        compare = partial(_are_copies, details=details, shared=shared_by_all(details))
        found = []
        with Progress("comparing", len(tried)) as progress:
            for pair, is_copy in zip(tried, ordered_map(compare, tried, usable_cores()), strict=True):
                found += [pair] if is_copy else []
                progress.advance()
        return found


def embed(paths: Sequence[str], classifier: Classifier, checks: Checks) -> Floats:
    """float32 `[N, D]`, each row of length 1, with progress; zeros for an image that cannot be read any more."""
    rows = np.zeros((len(paths), classifier.embedding_size), np.float32)
    frames = (Frame(path, path) for path in paths)
    done = 0
    with Progress("embedding", len(paths)) as progress:
        for outcomes in classify_batches(frames, classifier, batch=None, checks=checks, outputs=(EMBEDDING,)):
            for number, outcome in enumerate(outcomes, done):
                if isinstance(outcome.result, Prediction) and outcome.result.embedding is not None:
                    rows[number] = outcome.result.embedding
            done += len(outcomes)
            progress.advance(len(outcomes))
    return scaled_to_1(rows)


def candidates(embeddings: Floats, neighbours: int = NEIGHBOURS) -> list[tuple[int, int]]:
    """Each image with those that have the largest cosine to it, as pairs of indexes in ascending order, each once.

    embeddings: float32 `[N, D]`, rows of length 1 or 0.
    """
    return sorted(set(_neighbours(embeddings, min(neighbours, len(embeddings) - 1))))


def _neighbours(embeddings: Floats, count: int) -> Iterator[tuple[int, int]]:
    for start in range(0, len(embeddings) if count > 0 else 0, _ROWS):
        cosines = embeddings[start : start + _ROWS] @ embeddings.T
        own = np.arange(len(cosines))
        cosines[own, own + start] = -2
        nearest: NDArray[np.int64] = np.argpartition(cosines, -count, axis=1)[:, -count:]
        for index, others in enumerate(nearest.tolist(), start):
            yield from ((min(index, other), max(index, other)) for other in others)


def _are_copies(pair: tuple[int, int], details: Pixels, shared: Floats) -> bool:
    return likeness(details[pair[0]], details[pair[1]], shared) >= MIN_LIKENESS
