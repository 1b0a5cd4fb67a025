"""What is still to be done: every frame without a row once, in portions that suit the workers."""

import io
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from edgeclf.runtime.cluster.work import Work
from edgeclf.runtime.errors import NoImagesError, OptionError
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.results.index import Index
from edgeclf.runtime.sources.source import open_source
from tests.support.video_files import write_video


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of 2,000 files that are called images."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(2_000):
        (folder / f"{number:04}.jpg").write_bytes(b"x")
    return folder


def names_of(work: Work, workers: int = 1) -> list[str]:
    return [frame.name for portion in work.portions(workers) for frame in portion.frames]


def rows_of(photos: Path, *, size_bytes: int = 1, failed: bool = False) -> Index:
    """An index of all of them."""
    index = Index()
    for path in sorted(photos.iterdir()):
        index.add(0, str(path), size_bytes, path.stat().st_mtime_ns, failed=failed)
    return index


def test_every_frame_is_in_one_portion_and_every_portion_has_its_own_number(photos: Path) -> None:
    work = Work(open_source(str(photos)), Index())
    assert work.is_there()
    portions = list(work.portions(2))
    assert [frame.name for portion in portions for frame in portion.frames] == [
        str(path) for path in sorted(photos.iterdir())
    ]
    assert [portion.number for portion in portions] == list(range(len(portions)))


@dataclass
class Many:
    """A source of so many frames, of files that nobody reads."""

    count: int

    def __iter__(self) -> Iterator[Frame]:
        for number in range(self.count):
            yield Frame(f"{number}", f"{number}", f"{number}", 0, 1, 1)


def sizes(count: int, workers: int) -> list[int]:
    work = Work(Many(count), Index())  # type: ignore[arg-type] (the rest of a source is not asked for)
    return [len(portion.frames) for portion in work.portions(workers)]


@pytest.mark.parametrize("workers", [1, 4, 100], ids=str)
def test_portions_leave_no_worker_waiting_long_at_the_end(workers: int) -> None:
    given = sizes(100_000, workers)
    assert sum(given) == 100_000
    assert max(given) <= max(128, 100_000 / (32 * workers))


def test_portions_of_a_long_run_are_large_but_not_too_much_to_do_again() -> None:
    assert max(sizes(300_000, 1)) == 4096


def test_what_has_a_row_is_not_done_again(photos: Path) -> None:
    work = Work(open_source(str(photos)), rows_of(photos))
    assert (work.done, work.is_there(), work.settled) == (2_000, False, 2_000)


def test_a_file_that_has_changed_is_done_again_and_counted(photos: Path) -> None:
    index = rows_of(photos)
    (photos / "0007.jpg").write_bytes(b"other")
    (photos / "new.jpg").write_bytes(b"x")
    work = Work(open_source(str(photos)), index)
    assert work.is_there()
    assert names_of(work) == [str(photos / "0007.jpg"), str(photos / "new.jpg")]
    assert (work.done, work.again) == (2_000, 1)


def test_an_image_that_is_named_twice_is_done_once(photos: Path) -> None:
    work = Work(open_source(str(photos / "0001.jpg"), str(photos / "0001.jpg")), Index())
    assert names_of(work) == [str(photos / "0001.jpg")]


def test_no_image_at_all_is_an_error_for_an_unmounted_folder_is_no_end_of_the_work(tmp_path: Path) -> None:
    index = Index()
    index.add(0, "of another source.jpg", 1, 1, failed=False)
    with pytest.raises(NoImagesError):
        Work(open_source(str(tmp_path)), index).is_there()


def test_images_that_travel_along_make_small_portions(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "day.tar.gz", "w:gz") as archive:
        for number in range(30):
            member = tarfile.TarInfo(f"{number:02}.png")
            member.size = 1 << 20
            archive.addfile(member, io.BytesIO(os.urandom(1 << 20)))
    portions = list(Work(open_source(str(tmp_path / "day.tar.gz")), Index()).portions(1))
    assert sum(len(portion.frames) for portion in portions) == 30
    assert max(len(portion.frames) for portion in portions) <= 9


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_a_name_that_is_no_text_is_found_again_as_its_row_spells_it(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"x")
    index = Index()
    index.add(0, f"{tmp_path}/caf\\xe9.jpg", 1, next(tmp_path.iterdir()).stat().st_mtime_ns, failed=False)
    assert not Work(open_source(str(tmp_path)), index).is_there()


def test_a_time_that_no_row_can_hold_is_no_change(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"x")
    os.utime(path, (10**10, 10**10))
    index = Index()
    index.add(0, str(path), 1, -1, failed=False)
    assert not Work(open_source(str(path)), index).is_there()


def test_frames_of_a_video_are_refused(tmp_path: Path) -> None:
    images = [np.full((48, 64, 3), level, np.uint8) for level in (0, 100, 200)]
    work = Work(open_source(str(write_video(tmp_path / "clip.ffv1.mkv", images))), Index())
    with pytest.raises(OptionError, match="--ray is for images, so classify videos without it"):
        work.is_there()
