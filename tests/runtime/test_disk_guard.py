"""A disk that has gone is told apart from bad files."""

import os
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path

import pytest

from edgeclf.runtime import Classifier, Outcome, classify, open_source
from edgeclf.runtime.disk_guard import StorageGuard
from edgeclf.runtime.errors import ImageError, Reason, SourceError
from edgeclf.runtime.images.decode import read_file
from edgeclf.runtime.model.prediction import Failure

READ_ERROR = "/proc/self/mem"  # looks like a regular file, but reading its first byte is an input/output error
pytestmark = pytest.mark.skipif(not os.path.exists(READ_ERROR), reason="needs /proc/self/mem of Linux for a read error")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    return folder


def fill(folder: Path, pattern: str, png: bytes) -> None:
    """Create an image for each letter: g is good, e cannot be read."""
    for number, letter in enumerate(pattern):
        path = folder / f"{number:03}.png"
        if letter == "e":
            path.symlink_to(READ_ERROR)
        else:
            path.write_bytes(png)


def classified(folder: Path, classifier: Classifier) -> Iterator[list[Outcome]]:
    return ([outcome] for outcome in classify(open_source(str(folder)), classifier, workers=2))


def statuses(outcomes: Iterable[Outcome]) -> str:
    return "".join("e" if isinstance(one.result, Failure) else "g" for one in outcomes)


def checked(folder: Path, classifier: Classifier, seen: list[Outcome], after_one: Callable[[], object] = bool) -> None:
    """Classify the folder into `seen`, and call `after_one` after the first outcome."""
    for batch in StorageGuard([str(folder)]).checked(classified(folder, classifier)):
        if not seen:
            after_one()
        seen += batch


def test_the_file_used_here_fails_like_a_broken_disk() -> None:
    with pytest.raises(ImageError) as failure:
        read_file(READ_ERROR)
    assert (failure.value.reason, failure.value.errno) == (Reason.UNREADABLE, 5)


@pytest.mark.parametrize("pattern", ["g", "gegeg", "eeeeeeeeeg", "geeeeeeeee", "eeeeeeeee", "gggeeeeeeeeegeeeeeeeeeg"])
def test_a_few_read_errors_are_outcomes(pattern: str, photos: Path, classifier: Classifier, png: bytes) -> None:
    fill(photos, pattern, png)

    seen: list[Outcome] = []
    checked(photos, classifier, seen)

    assert statuses(seen) == pattern


def test_ten_read_errors_in_a_row_stop_the_run_and_are_not_outcomes(
    photos: Path, classifier: Classifier, png: bytes
) -> None:
    fill(photos, "geg" + "e" * 12 + "g", png)
    seen: list[Outcome] = []

    with pytest.raises(SourceError, match=r"photos .*\(Input/output error, 10 images in a row\)"):
        checked(photos, classifier, seen)
    assert [outcome.name[-7:] for outcome in seen] == ["000.png", "001.png", "002.png"]


def test_a_folder_that_goes_away_stops_the_run_without_an_outcome(photos: Path, classifier: Classifier, png: bytes) -> None:
    fill(photos, "g" * 40, png)
    seen: list[Outcome] = []

    with pytest.raises(SourceError, match=r"photos .*moved, removed or unmounted"):
        checked(photos, classifier, seen, lambda: photos.rename(photos.with_name("elsewhere")))
    assert "e" not in statuses(seen)


def test_a_replaced_folder_stops_the_run(photos: Path, classifier: Classifier, png: bytes) -> None:
    fill(photos, "g" * 40, png)

    with pytest.raises(SourceError, match=r"photos .*moved, removed or unmounted"):
        checked(photos, classifier, [], lambda: (photos.rename(photos.with_name("elsewhere")), photos.mkdir()))


def test_files_that_vanish_from_an_existing_folder_are_outcomes(photos: Path, classifier: Classifier, png: bytes) -> None:
    fill(photos, "g" * 40, png)
    frames = list(open_source(str(photos)))
    for path in sorted(photos.iterdir())[5:35]:
        path.unlink()

    batches = ([outcome] for outcome in classify(frames, classifier, workers=2))
    assert statuses(chain.from_iterable(StorageGuard([str(photos)]).checked(batches))) == "g" * 5 + "e" * 30 + "g" * 5


def test_errors_at_the_end_are_not_outcomes_if_a_good_image_cannot_be_read_any_more(
    photos: Path, classifier: Classifier, png: bytes
) -> None:
    fill(photos, "gee", png)

    def storage_goes() -> None:
        (photos / "000.png").unlink()
        (photos / "000.png").symlink_to(READ_ERROR)

    seen: list[Outcome] = []
    with pytest.raises(SourceError, match=r"photos .*cannot be read any more"):
        checked(photos, classifier, seen, storage_goes)
    assert statuses(seen) == "g"
