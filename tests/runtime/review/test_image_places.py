"""Images are found where they are now: at their paths, sorted, in archives, or below another folder."""

import os
import zipfile
from pathlib import Path

import pytest

from edgeclf.runtime.errors import SourceError
from edgeclf.runtime.images.preprocess import read_bytes
from edgeclf.runtime.review.answers import Answer
from edgeclf.runtime.review.image_places import ImagePlaces
from tests.runtime.review.conftest import write_image


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def answer(path: str, sorted_to: str = "") -> Answer:
    return Answer(path, "ok", "ant", 0.5, sorted_to=sorted_to)


def found(places: ImagePlaces, path: str, sorted_to: str = "") -> str | None:
    frame = places.find(answer(path, sorted_to))
    return None if frame is None else os.fspath(frame.image)  # type: ignore[arg-type]


def test_an_image_is_at_its_path_or_where_it_was_sorted_to() -> None:
    write_image(Path("photos/a.png"))
    write_image(Path("sorted/ant/b.png"))
    places = ImagePlaces([answer("photos/a.png")])
    assert found(places, "photos/a.png") == "photos/a.png"
    assert found(places, "photos/b.png", "sorted/ant/b.png") == "sorted/ant/b.png"
    assert found(places, "photos/c.png") is None


def test_an_image_in_an_archive_is_read_there() -> None:
    data = write_image(Path("a.png")).read_bytes()
    with zipfile.ZipFile("day.zip", "w") as archive:
        archive.writestr("in/a.png", data)
    places = ImagePlaces([answer("day.zip/in/a.png")])
    frame = places.find(answer("day.zip/in/a.png"))
    assert frame is not None
    assert read_bytes(frame.image) == data  # type: ignore[arg-type]
    assert places.find(answer("day.zip/in/b.png")) is None


@pytest.mark.parametrize("old", ["photos", "/data/photos", "../photos"])
def test_images_are_found_below_the_folder_they_have_moved_to(old: str) -> None:
    write_image(Path("new/june/a.png"))
    sample = [answer(f"{old}/june/a.png"), answer(f"{old}/june/gone.png")]
    places = ImagePlaces(sample, Path("new"))
    assert found(places, sample[0].path) == os.path.join("new", "june", "a.png")
    assert found(places, sample[1].path) is None


def test_images_that_are_all_gone_are_one_sentence() -> None:
    with pytest.raises(SourceError, match=r"photos/a\.png is not there, nor is any other .* with --root$"):
        ImagePlaces([answer("photos/a.png"), answer("photos/b.png")])
    Path("new").mkdir()
    with pytest.raises(SourceError, match=r"photos/a\.png is not below new; .* with --root$"):
        ImagePlaces([answer("photos/a.png")], Path("new"))
