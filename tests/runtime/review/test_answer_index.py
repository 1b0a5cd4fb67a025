"""Answers are in the order of the page, each image once."""

import os
from collections.abc import Iterator
from contextlib import closing

import pytest

from edgeclf.runtime.review.answer_index import AnswerIndex
from edgeclf.runtime.review.answers import Answer

ODD = os.fsdecode(b"caf\xe9\n.jpg")
ANSWERS = [
    Answer("e", "error", facts={"error": "truncated"}),
    Answer("b2", "ok", "bee", 0.9, scores={"bee": 0.9}),
    Answer("k", "unknown", "ant", 0.2),
    Answer("u2", "unsure", "ant", 0.5),
    Answer("u1", "unsure", "bee", 0.4),
    Answer(ODD, "ok", "bee", 0.3, truth="cat", sorted_to="x"),
    Answer("a", "ok", "ant", 0.8),
]


@pytest.fixture
def index() -> Iterator[AnswerIndex]:
    with closing(AnswerIndex(ANSWERS)) as index:
        yield index


def test_classes_come_first_and_the_least_confident_of_each(index: AnswerIndex) -> None:
    assert [one.path for one in index.rows(0, 99)] == ["a", ODD, "b2", "u1", "u2", "k", "e"]
    assert [one.path for one in index.rows(2, 4)] == ["b2", "u1"]


def test_an_answer_comes_back_as_it_was(index: AnswerIndex) -> None:
    assert sorted(index.rows(0, 99), key=lambda one: one.path) == sorted(ANSWERS, key=lambda one: one.path)


def test_classes_are_those_of_answers_and_truths(index: AnswerIndex) -> None:
    assert index.labels == ["ant", "bee", "cat"]


def test_only_paths_of_the_results_are_known(index: AnswerIndex) -> None:
    assert (index.has(ODD), index.has("a"), index.has("../a")) == (True, True, False)


def test_the_last_answer_to_an_image_counts() -> None:
    with closing(AnswerIndex([Answer("a", "ok", "ant", 0.5), Answer("a", "ok", "bee", 0.6)])) as index:
        assert [one.label for one in index.rows(0, 9)] == ["bee"]
        assert len(index) == 1


@pytest.mark.parametrize("count", [1, 2, 6, 100])
def test_some_are_spread_over_all_that_could_be_read(index: AnswerIndex, count: int) -> None:
    some = index.some(count)
    assert len(some) <= count
    assert "e" not in [one.path for one in some]
    assert len({one.path for one in some}) == len(some) > 0
