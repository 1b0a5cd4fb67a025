"""The server of the review page: what it shows, and whom and what it refuses."""

import json
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.review.corrections import CorrectionsFile
from edgeclf.runtime.review.page_file import Review
from edgeclf.runtime.review.page_server import ReviewServer
from tests.runtime.review.conftest import BLUE, RED, write_image
from tests.support.review_client import ReviewClient

WHEN = "2026-11-22T14:20:31.007Z"


@pytest.fixture
def client(results: Path, open_review: Callable[..., Review]) -> Iterator[ReviewClient]:
    with (
        closing(CorrectionsFile(Path("corrections.csv"))) as corrections,
        closing(ReviewServer(open_review(results), corrections, ":0")) as server,
    ):
        yield ReviewClient(server.url)


def rows_of(path: str = "corrections.csv") -> list[str]:
    return Path(path).read_text("utf-8").splitlines()[1:]


@pytest.mark.parametrize(
    "entries",
    [
        [["photos/../secret.png", "ant", "accepted", WHEN]],
        [["photos/a.png", "elk", "corrected", WHEN]],
        [["photos/a.png", "", "accepted", WHEN]],
        [["photos/a.png", "ant", "rejected", WHEN]],
        [["photos/a.png", "ant", "deleted", WHEN]],
        [["photos/a.png", "ant", "accepted", ""]],
        [["photos/a.png", "ant", "accepted"]],
        [["photos/a.png", "ant", "accepted", 5]],
        {"a": 1},
        5,
        b"{",
        b"[" * 100_000,
    ],
    ids=str,
)
def test_what_the_page_does_not_send_is_refused(entries: Any, client: ReviewClient) -> None:
    good = ["photos/b.png", "ant", "accepted", WHEN]
    status, _ = client.post([good, *entries] if isinstance(entries, list) else entries)
    assert status == 400
    assert rows_of() == []


def test_another_website_cannot_decide(client: ReviewClient) -> None:
    entry = [["photos/b.png", "ant", "accepted", WHEN]]
    assert client.post(entry, Origin="https://example.org")[0] == 403
    assert client.post(entry, **{"Content-Type": "text/plain"})[0] == 415
    assert client.post(entry, Host="rebound.example.org")[0] == 403
    assert rows_of() == []
    assert client.post(entry, Origin=client.url.rstrip("/"))[0] == 200


def test_images_come_from_where_they_lie(client: ReviewClient) -> None:
    paths = json.loads(client.get("rows?n=0"))["paths"]
    for name, colour in (("photos/a.png", RED), ("photos/a\\nb.jpg", BLUE)):
        number = paths.index(name)
        for route in ("image", "thumbnail"):
            pixels = Preprocess((9, 9))(client.get(f"{route}?n={number}"))
            assert abs(pixels[4, 4].astype(int) - colour).max() < 40
    write_image(Path("photos/a.png"), BLUE)
    assert abs(Preprocess((9, 9))(client.get(f"image?n={paths.index('photos/a.png')}"))[4, 4].astype(int) - BLUE).max() < 40


@pytest.mark.parametrize(
    "route", ["image?n=9", "image?n=10", "image?n=-1", "image?n=x", "image", "thumbnail?n=10", "secret"]
)
def test_there_is_nothing_else(route: str, client: ReviewClient) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        client.get(route)
    caught.value.close()
