"""Whether the further outputs of a file are those of the trained model, on real images."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.model.further_outputs import EMBEDDING, HEATMAP, Answers

_Numbers = NDArray[np.float32]
LIMITS = {
    "embedding_cosine": (0.999, 0.99),
    "heatmap_correlation": (0.999, 0.95),
    "heatmap_same_place": (0.99, 0.95),
}
"""The least of each, for a float32 file and for a reduced one."""
_SAME_HEIGHT = 0.02
"""Places of a map whose numbers differ by less than this share of its range are equally hot: 8 bits can hardly tell them
apart, and neither can people.
"""
_SMALLEST = 1e-12


@dataclass(frozen=True, eq=False)
class FurtherReference:
    """Of the trained model, for N images; None without that output.

    embedding: float32 `[N, D]`. heatmap: of the class that it predicts, float32 `[N, h, w]`. is_binding: whether a file
    fails that does not agree; if nobody asked for these outputs, it is only said.
    """

    embedding: _Numbers | None = None
    heatmap: _Numbers | None = None
    is_binding: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name in (EMBEDDING, HEATMAP) if getattr(self, name) is not None)

    @classmethod
    def of(cls, answers: Iterable[Answers], classes: NDArray[np.intp]) -> "FurtherReference":
        """answers: in parts, of which only this is kept. classes: whose maps to keep, one for each image."""
        embeddings, maps, start = [], [], 0
        for part in answers:
            count = len(part.probabilities)
            if part.embedding is not None:
                embeddings.append(part.embedding)
            if part.heatmap is not None:
                maps.append(part.heatmap[np.arange(count), :, :, classes[start : start + count]])
            start += count
        return cls(np.concatenate(embeddings) if embeddings else None, np.concatenate(maps) if maps else None)


@dataclass(frozen=True)
class FurtherParity:
    """How near the further outputs of a file are to those of the trained model; None for what was not compared.

    embedding_cosine: the mean over all images. heatmap_correlation: the mean over all images whose map is not flat.
    heatmap_same_place: the share of the images with the same hottest place.
    """

    embedding_cosine: float | None = None
    heatmap_correlation: float | None = None
    heatmap_same_place: float | None = None

    @classmethod
    def of(cls, found: FurtherReference, expected: FurtherReference) -> "FurtherParity":
        cosine = correlation = same = None
        if found.embedding is not None and expected.embedding is not None:
            cosine = float(_cosines(found.embedding, expected.embedding).mean())
        if found.heatmap is not None and expected.heatmap is not None:
            correlation = float(_correlations(found.heatmap, expected.heatmap).mean())
            same = float(_same_places(found.heatmap, expected.heatmap).mean())
        return cls(cosine, correlation, same)

    def to_json(self) -> dict[str, float]:
        """What was compared."""
        return {name: round(value, 6) for name, value in self._values().items()}

    def misses(self, reference: str, *, is_reduced: bool) -> list[str]:
        """Sentences that say which limits are missed. reference: the name of the model."""
        limits: Mapping[str, float] = {name: both[is_reduced] for name, both in LIMITS.items()}
        return [
            f"its {name.replace('_', ' ')} with {reference} is {value:.4g}; the least is {limits[name]}"
            for name, value in self._values().items()
            if not value >= limits[name]
        ]

    def _values(self) -> dict[str, float]:
        values: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}


def _cosines(found: _Numbers, expected: _Numbers) -> NDArray[np.float64]:
    """Of each row; 1 for two rows of zeros."""
    first, second = found.astype(np.float64), expected.astype(np.float64)
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    both_zero = np.maximum(np.abs(first).max(axis=1), np.abs(second).max(axis=1)) < _SMALLEST
    return np.where(both_zero, 1.0, (first * second).sum(axis=1) / np.maximum(lengths, _SMALLEST))


def _correlations(found: _Numbers, expected: _Numbers) -> NDArray[np.float64]:
    rows = [maps.reshape(len(maps), -1).astype(np.float64) for maps in (found, expected)]
    first, second = (each - each.mean(axis=1, keepdims=True) for each in rows)
    return _cosines(np.asarray(first, np.float32), np.asarray(second, np.float32))


def _same_places(found: _Numbers, expected: _Numbers) -> NDArray[np.bool_]:
    """Whether the hottest place of each map is the hottest one of the expected map, or as hot as it."""
    given, wanted = (maps.reshape(len(maps), -1) for maps in (found, expected))
    at_top = np.take_along_axis(wanted, given.argmax(axis=1)[:, None], axis=1)[:, 0]
    same: NDArray[np.bool_] = wanted.max(axis=1) - at_top <= _SAME_HEIGHT * np.ptp(wanted, axis=1)
    return same
