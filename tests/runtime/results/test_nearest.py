"""The rows that a search keeps: the best of many, in little memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import numpy as np

from edgeclf.runtime.errors import Reason
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.model.prediction import Failure, Outcome, Prediction
from edgeclf.runtime.results.nearest import NearestWriter
from edgeclf.runtime.results.row import Row, RowBuilder
from edgeclf.runtime.results.sinks import Sink
from edgeclf.runtime.results.summary import Summary


def nearest(vectors: list[tuple[float, float]], count: int) -> tuple[list[Row], Summary]:
    """What is kept of images with these embeddings, beside one that failed, for (1, 0)."""
    kept: list[Row] = []

    class Rows:
        write = kept.append

    @contextmanager
    def open_rows() -> Iterator[Sink]:
        yield cast(Sink, Rows)

    writer = NearestWriter(np.array([[1, 0]], np.float32), count, RowBuilder(), open_rows)
    results: list[Any] = [Failure(Reason.EMPTY, "")]
    scores = np.array([1.0], np.float32)
    results += [Prediction(("a",), scores, embedding=np.array(vector, np.float32)) for vector in vectors]
    for number, result in enumerate(results):
        writer.record([Outcome(Frame(f"{number}", b""), result)])
    summary = Summary()
    writer.finish(summary)
    return kept, summary


def test_length_does_not_count_and_of_equal_ones_the_first_stays() -> None:
    rows, summary = nearest([(0, 5), (2, 0), (0.001, 0), (-1, 0), (1, 1), (0, 0)], 3)
    assert [(row.path, row.similarity) for row in rows] == [("2", 1.0), ("3", 1.0), ("5", 0.707107)]
    assert (summary.total, summary.failures) == (7, {"empty": 1})


def test_no_more_than_asked_for_is_kept_and_no_embedding_with_it() -> None:
    rows, _ = nearest([(1, number / 1000) for number in range(1000, 0, -1)], 5)
    assert [row.path for row in rows] == ["1000", "999", "998", "997", "996"]
    assert not any(row.embedding for row in rows)
