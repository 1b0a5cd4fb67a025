"""The images that are most like a given one: `--like`."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from heapq import heappush, heappushpop

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.model.novelty import scaled_to_1
from edgeclf.runtime.model.prediction import Outcome, Prediction
from edgeclf.runtime.results.row import Row, RowBuilder
from edgeclf.runtime.results.sinks import Sink
from edgeclf.runtime.results.summary import Summary

_DECIMALS = 6


class NearestWriter:
    """Keeps the rows of the images whose embeddings have the largest cosine to one, and in the end writes them, best first.

    Of equal ones, the first stays. Images without an answer are only counted.
    """

    after_interrupt = "a search of a part would mislead, so nothing is written"

    def __init__(
        self,
        embedding: NDArray[np.float32],
        count: int,
        builder: RowBuilder,
        open_output: Callable[[], AbstractContextManager[Sink]],
    ) -> None:
        """embedding: float32 `[1, D]`. count: rows to keep."""
        self.done = self.failed = 0
        self._direction = scaled_to_1(embedding)[0]
        self._count = count
        self._builder = builder
        self._open_output = open_output
        self._summary = Summary()
        self._nearest: list[tuple[float, int, Row]] = []
        """A heap: the least similar one is the first. The second number, distinct for each, prefers earlier images."""

    def pending(self, frames: Iterable[Frame | None]) -> Iterator[Frame | None]:
        yield from frames

    def record(self, outcomes: Sequence[Outcome]) -> None:
        for outcome, row in zip(outcomes, self._builder.rows(outcomes), strict=True):
            self._summary.add(row)
            self.done += 1
            if isinstance(outcome.result, Prediction) and outcome.result.embedding is not None:
                self._consider(outcome.result.embedding, row)
            else:
                self.failed += 1

    def finish(self, summary: Summary) -> None:
        summary.update(self._summary)
        with self._open_output() as sink:
            for _, _, row in sorted(self._nearest, reverse=True):
                sink.write(row)

    def _consider(self, embedding: NDArray[np.float32], row: Row) -> None:
        similarity = round(float(scaled_to_1(embedding[None])[0] @ self._direction), _DECIMALS)
        one = (similarity, -self.done, replace(row, similarity=similarity, embedding=b""))
        if len(self._nearest) < self._count:
            heappush(self._nearest, one)
        else:
            heappushpop(self._nearest, one)
