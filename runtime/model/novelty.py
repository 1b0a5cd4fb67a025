"""How unlike all that a model has learned an image is, from what the last layer sees of it.

The embedding is scaled to length 1 (as Mahalanobis++ does, Müller & Hein 2025). The score is its distance to the space that
the training images span, the residual of ViM (Wang et al. 2022). `benchmarks/unknown.py` compares it with others.
"""

import base64
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

SHARES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Shares of the known images for which the level is known."""
DEFAULT_SHARE = 0.01
"""Of the known images that may be called unknown."""
_LARGEST = 127


@dataclass(frozen=True, eq=False)
class Novelty:
    """vectors: the mean of the training images and the axes of their space, int8 `[1 + axes, D]`, in units of `scales`,
    float64 `[1 + axes]`. unit: the distance that counts as 1. levels: the novelty that is exceeded by each of SHARES of the
    known images.
    """

    vectors: NDArray[np.int8]
    scales: NDArray[np.float64]
    unit: float = 1.0
    levels: tuple[float, ...] = ()

    @classmethod
    def spanning(cls, mean: NDArray[np.float64], axes: NDArray[np.float64]) -> "Novelty":
        """mean: `[D]`; axes: `[axes, D]`, orthonormal. It has no levels yet."""
        rows = np.vstack([mean[None], axes])
        scales = np.maximum(np.abs(rows).max(axis=1), 1e-12) / _LARGEST
        return cls(np.round(rows / scales[:, None]).astype(np.int8), scales)

    def of(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """float32 `[N, D]` to the novelty of each image, float64 `[N]`, from 0."""
        rows = self._rows
        offsets = scaled_to_1(embeddings) - rows[0]
        residual = offsets - (offsets @ rows[1:].T) @ rows[1:]
        return np.asarray(np.linalg.norm(residual, axis=1) / self.unit, np.float64)

    @cached_property
    def _rows(self) -> NDArray[np.float32]:
        return (self.vectors * self.scales[:, None]).astype(np.float32)

    def highest(self, share: float | None = None) -> float:
        """The novelty above which an image is unknown. share: of the known images that may be, by default DEFAULT_SHARE.

        Infinity for 0.
        """
        if not share:
            return 1.0 if share is None else math.inf
        return float(np.interp(share, SHARES, self.levels))

    def to_json(self) -> dict[str, Any]:
        """Plain values for the card."""
        return {
            "vectors": base64.b64encode(self.vectors.tobytes()).decode(),
            "scales": [float(f"{scale:.6g}") for scale in self.scales],
            "unit": float(f"{self.unit:.6g}"),
            "levels": [round(level, 4) for level in self.levels],
        }

    @classmethod
    def from_json(cls, values: Any) -> "Novelty":
        """Raises ValueError, KeyError or TypeError for anything but the values of `to_json`."""
        scales = np.asarray(values["scales"], np.float64)
        vectors = np.frombuffer(base64.b64decode(values["vectors"], validate=True), np.int8).reshape(len(scales), -1)
        unit, levels = float(values["unit"]), tuple(map(float, values["levels"]))
        if not (np.isfinite(scales).all() and 0 < unit < math.inf and len(levels) == len(SHARES)):
            raise ValueError("its novelty is incomplete")
        return cls(vectors, scales, unit, levels)


def scaled_to_1(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each row with the length 1; a row of zeros stays."""
    return np.asarray(embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12), np.float32)
