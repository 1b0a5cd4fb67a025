"""Fingerprints: rows that were made with something else are never added to, and the sentence says what it is."""

from typing import Any

import pytest

from edgeclf.runtime.errors import OutputError
from edgeclf.runtime.results.fingerprint import check_fingerprint

MADE_WITH = {"model": "0123456789abcdef", "--source": ["photos/"], "--topk": 1}
WHERE = "s3://bucket/rows/"
MOVED = "; if they are the same images, moved, add --resume"
DIFFERENT = {
    "model": ({"model": "f"}, "model 0123456789abcdef, not model f"),
    "option": ({"--topk": 3}, "--topk 1, not --topk 3"),
    "new option": ({"--sort": "copy"}, "no --sort, not --sort copy"),
    "option without a value": ({"--exact": True}, "no --exact, not --exact"),
    "option left out": ({"--topk": None}, "--topk 1, not no --topk"),
    "another source": ({"--source": ["b"]}, f"--source photos/, not --source b{MOVED}"),
    "more sources": ({"--source": ["photos/", "b"]}, f"--source photos/, not --source photos/ --source b{MOVED}"),
}


def check(fingerprint: dict[str, Any], *, elsewhere: bool = False) -> None:
    check_fingerprint(MADE_WITH, fingerprint, WHERE, elsewhere=elsewhere)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_the_same_passes(elsewhere: bool) -> None:
    check(dict(MADE_WITH), elsewhere=elsewhere)


@pytest.mark.parametrize(("change", "said"), DIFFERENT.values(), ids=list(DIFFERENT))
def test_what_differs_is_one_sentence(change: dict[str, Any], said: str) -> None:
    with pytest.raises(OutputError) as caught:
        check(MADE_WITH | change)

    cure = "repeat that, choose another -o, or begin anew with --restart"
    assert str(caught.value) == f"{WHERE} was made with {said}; {cure}"


def test_sources_may_have_other_names_elsewhere() -> None:
    check(MADE_WITH | {"--source": ["/media/photos/"]}, elsewhere=True)


@pytest.mark.parametrize("change", [{"--source": ["a", "b"]}, {"--source": ["a"], "--topk": 2}], ids=["number", "option"])
def test_all_else_must_be_the_same_elsewhere_too(change: dict[str, Any]) -> None:
    with pytest.raises(OutputError, match=f"^{WHERE} was made with "):
        check(MADE_WITH | change, elsewhere=True)
