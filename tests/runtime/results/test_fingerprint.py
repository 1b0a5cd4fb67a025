"""Fingerprints: a run never adds to rows that were made with something else, and the error says what differs."""

from typing import Any

import pytest

from edgeclf.runtime.errors import OutputError
from edgeclf.runtime.results.fingerprint import check_fingerprint

MADE_WITH = {"model": "0123456789abcdef", "--source": ["photos/"], "--topk": 1}
WHERE = "s3://bucket/rows/"
MOVED = "; if they are the same images in a new place, add --sources-moved"
DIFFERENT = {
    "model": ({"model": "f"}, "model 0123456789abcdef, not model f"),
    "option": ({"--topk": 3}, "--topk 1, not --topk 3"),
    "new option": ({"--sort": "copy"}, "no --sort, not --sort copy"),
    "option without a value": ({"--exact": True}, "no --exact, not --exact"),
    "option left out": ({"--topk": None}, "--topk 1, not no --topk"),
    "another source": ({"--source": ["b"]}, f"--source photos/, not --source b{MOVED}"),
    "more sources": ({"--source": ["photos/", "b"]}, f"--source photos/, not --source photos/ --source b{MOVED}"),
}


def check(fingerprint: dict[str, Any], *, sources_moved: bool = False) -> None:
    check_fingerprint(MADE_WITH, fingerprint, WHERE, sources_moved=sources_moved)


@pytest.mark.parametrize("sources_moved", [False, True])
def test_an_equal_fingerprint_passes(sources_moved: bool) -> None:
    check(dict(MADE_WITH), sources_moved=sources_moved)


@pytest.mark.parametrize(("change", "difference"), DIFFERENT.values(), ids=list(DIFFERENT))
def test_the_first_difference_is_named_with_both_values(change: dict[str, Any], difference: str) -> None:
    with pytest.raises(OutputError) as caught:
        check(MADE_WITH | change)

    assert str(caught.value).startswith(f"{WHERE} was made with {difference}; ")
    assert "--restart" in str(caught.value)


def test_moved_sources_may_have_other_names() -> None:
    check(MADE_WITH | {"--source": ["/media/photos/"]}, sources_moved=True)


@pytest.mark.parametrize("change", [{"--source": ["a", "b"]}, {"--source": ["a"], "--topk": 2}], ids=["number", "option"])
def test_with_moved_sources_everything_else_must_be_equal(change: dict[str, Any]) -> None:
    with pytest.raises(OutputError, match=f"^{WHERE} was made with "):
        check(MADE_WITH | change, sources_moved=True)
