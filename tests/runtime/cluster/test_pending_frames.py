"""Pending frames: every frame without a row comes once, in portions that suit the workers."""

import io
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from edgeclf.runtime.cluster import pending_frames
from edgeclf.runtime.cluster.pending_frames import PendingFrames
from edgeclf.runtime.errors import NoImagesError, OptionError
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.results.index import Index
from edgeclf.runtime.sources.source import open_source
from tests.support.video_files import write_video

COUNT = 400


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 400 files with the names of images. Read only."""
    folder = tmp_path_factory.mktemp("listed") / "photos"
    folder.mkdir()
    for number in range(COUNT):
        (folder / f"{number:04}.jpg").write_bytes(b"x")
    return folder


def names_of(frames: PendingFrames, workers: int = 1) -> list[str]:
    return [frame.name for portion in frames.portions(workers) for frame in portion.frames]


def rows_of(photos: Path, *, size_bytes: int = 1, failed: bool = False) -> Index:
    """An index with a row for every file in the folder."""
    index = Index()
    for path in sorted(photos.iterdir()):
        index.add(0, str(path), size_bytes, path.stat().st_mtime_ns, failed=failed)
    return index


def test_every_frame_is_in_one_portion_and_portions_are_numbered(photos: Path) -> None:
    frames = PendingFrames(open_source(str(photos)), Index())
    assert frames.has_any()
    portions = list(frames.portions(2))
    assert [frame.name for portion in portions for frame in portion.frames] == [
        str(path) for path in sorted(photos.iterdir())
    ]
    assert [portion.number for portion in portions] == list(range(len(portions)))


@dataclass
class Many:
    """A source of many frames, whose files are never read."""

    count: int

    def __iter__(self) -> Iterator[Frame]:
        for number in range(self.count):
            yield Frame(f"{number}", f"{number}", f"{number}", size_bytes=1, mtime_ns=1)


def sizes(count: int, workers: int) -> list[int]:
    frames = PendingFrames(Many(count), Index())  # type: ignore[arg-type] (the rest of a source is not used)
    return [len(portion.frames) for portion in frames.portions(workers)]


@pytest.mark.parametrize(("count", "workers"), [(20_000, 1), (40_000, 4), (20_000, 100)], ids=str)
def test_portions_leave_no_worker_waiting_long_at_the_end(count: int, workers: int) -> None:
    given = sizes(count, workers)
    assert sum(given) == count
    assert max(given) <= max(128, count / (32 * workers))


@pytest.mark.slow
def test_portions_of_a_long_run_grow_to_4096_images() -> None:
    assert max(sizes(300_000, 1)) == 4096


def test_portions_never_exceed_the_largest_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending_frames, "_MOST", 256)
    assert max(sizes(20_000, 1)) == 256


def test_images_with_a_row_are_not_pending(photos: Path) -> None:
    frames = PendingFrames(open_source(str(photos)), rows_of(photos))
    assert (frames.earlier_rows, frames.has_any(), frames.has_row) == (COUNT, False, COUNT)


def test_a_changed_file_is_classified_again_and_its_row_counted_as_replaced(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (tmp_path / name).write_bytes(b"x")
    index = rows_of(tmp_path)
    (tmp_path / "b.jpg").write_bytes(b"other")
    (tmp_path / "new.jpg").write_bytes(b"x")
    frames = PendingFrames(open_source(str(tmp_path)), index)
    assert frames.has_any()
    assert names_of(frames) == [str(tmp_path / "b.jpg"), str(tmp_path / "new.jpg")]
    assert (frames.earlier_rows, frames.replaced) == (3, 1)


def test_an_image_that_is_named_twice_is_pending_once(photos: Path) -> None:
    frames = PendingFrames(open_source(str(photos / "0001.jpg"), str(photos / "0001.jpg")), Index())
    assert names_of(frames) == [str(photos / "0001.jpg")]


def test_a_source_without_any_image_is_an_error_because_it_may_be_unmounted(tmp_path: Path) -> None:
    index = Index()
    index.add(0, "of another source.jpg", 1, 1, failed=False)
    with pytest.raises(NoImagesError):
        PendingFrames(open_source(str(tmp_path)), index).has_any()


def test_images_that_travel_along_make_small_portions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending_frames, "_PORTION_BYTES", 8 << 10)
    with tarfile.open(tmp_path / "day.tar.gz", "w:gz") as archive:
        for number in range(30):
            member = tarfile.TarInfo(f"{number:02}.png")
            member.size = 1 << 10
            archive.addfile(member, io.BytesIO(os.urandom(1 << 10)))
    portions = list(PendingFrames(open_source(str(tmp_path / "day.tar.gz")), Index()).portions(1))
    assert sum(len(portion.frames) for portion in portions) == 30
    assert max(len(portion.frames) for portion in portions) == 9


@pytest.mark.skipif(os.name == "nt", reason="names are always valid text there")
def test_a_name_that_is_not_valid_text_is_found_by_its_escaped_name(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"x")
    index = Index()
    index.add(0, f"{tmp_path}/caf\\xe9.jpg", 1, next(tmp_path.iterdir()).stat().st_mtime_ns, failed=False)
    assert not PendingFrames(open_source(str(tmp_path)), index).has_any()


def test_a_time_beyond_64_bits_is_not_a_change(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"x")
    os.utime(path, (10**10, 10**10))
    index = Index()
    index.add(0, str(path), 1, -1, failed=False)
    assert not PendingFrames(open_source(str(path)), index).has_any()


def test_frames_of_a_video_are_refused(tmp_path: Path) -> None:
    images = [np.full((48, 64, 3), level, np.uint8) for level in (0, 100, 200)]
    frames = PendingFrames(open_source(str(write_video(tmp_path / "clip.ffv1.mkv", images))), Index())
    with pytest.raises(OptionError, match=r"clip.*video.*--ray"):
        frames.has_any()
