"""Archives: their images are read whatever the names, and damage becomes a row or an error, never a crash."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edgeclf.runtime import open_source
from edgeclf.runtime.errors import Reason, SourceError
from edgeclf.runtime.sources.archives import is_archive
from tests.support.archives import DISTINCT_SUFFIXES, SUFFIXES, frames, images, read, write_archive

FILES = {"photos/b.png": b"a cat", "photos/a.JPG": b"another cat" * 999, "photos/dog/0.png": b""}


@pytest.mark.parametrize("name", [f"photos{suffix}" for suffix in SUFFIXES] + ["PHOTOS.ZIP", "a.b.Tar.Gz"])
def test_archives_are_recognised_by_their_suffix(name: str) -> None:
    assert is_archive(name)


@pytest.mark.parametrize("name", ["photos", "zip", "photos.gz", "photos.csv", "photos.7z", "photos.zip.part", "a.zip/b.png"])
def test_other_names_are_not_archives(name: str) -> None:
    assert not is_archive(name)


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".ZIP", ".TAR.GZ"])
def test_images_come_in_the_order_of_the_archive(suffix: str, tmp_path: Path) -> None:
    archive = write_archive(tmp_path / f"photos{suffix.lower()}", FILES).rename(tmp_path / f"photos{suffix}")

    assert list(images(archive).items()) == list(FILES.items())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_name_is_that_of_the_archive_and_the_member(suffix: str, tmp_path: Path) -> None:
    archive = write_archive(tmp_path / f"photos{suffix}", FILES)

    assert [frame.name for frame in frames(archive)] == [f"{archive}/{name}" for name in FILES]
    assert open_source(str(archive)).prefixes == (f"{archive}/",)
    assert open_source(str(archive)).roots() == (str(archive),)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_frame_has_the_size_of_its_member(suffix: str, tmp_path: Path) -> None:
    archive = write_archive(tmp_path / f"photos{suffix}", FILES)

    assert [frame.size_bytes for frame in frames(archive)] == [5, 10989, 0]


@pytest.mark.parametrize(("suffix", "count"), [(".zip", 3), (".tar", 3), (".tar.gz", 0)])
def test_frames_are_counted_only_where_that_is_cheap(suffix: str, count: int, tmp_path: Path) -> None:
    assert open_source(str(write_archive(tmp_path / f"photos{suffix}", FILES))).count() == count


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_other_files_are_skipped_and_counted(suffix: str, tmp_path: Path) -> None:
    others = ("photos/run.sh", "photos/.0.png", "__MACOSX/photos/b.png", "photos/@eaDir/0.png/b.png", ".git/0.png", "png")
    archive = write_archive(tmp_path / f"photos{suffix}", dict.fromkeys(others, b"no image") | FILES)
    source = open_source(str(archive))

    assert [frame and frame.path for frame in source] == list(FILES)
    assert source.skipped == len(others)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_name_that_leads_elsewhere_is_only_a_name(suffix: str, tmp_path: Path) -> None:
    files = dict.fromkeys(["/etc/0.png", "../../0.png", "./0.png", "a//0.png", "C:/0.png", r"a\0.png"], b"a cat")

    assert images(write_archive(tmp_path / f"photos{suffix}", files)) == files


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_source_can_be_read_twice(suffix: str, tmp_path: Path) -> None:
    source = open_source(str(write_archive(tmp_path / f"photos{suffix}", FILES)))

    assert list(source) == list(source)


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_several_threads_may_read_at_once(suffix: str, tmp_path: Path) -> None:
    files = {f"{number}.png": os.urandom(50_000) for number in range(40)}
    archive = write_archive(tmp_path / f"photos{suffix}", files)

    with ThreadPoolExecutor(8) as threads:
        assert dict(zip(files, threads.map(read, frames(archive)), strict=True)) == files


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_archive_without_images_is_an_error(suffix: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"holds no images \(looked for"):
        frames(write_archive(tmp_path / f"photos{suffix}", {"notes.txt": b"text"}))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("content", [b"", b"no archive" * 200], ids=["empty", "text"])
def test_file_that_is_not_an_archive_is_an_error(content: bytes, suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"photos{suffix}").write_bytes(content)

    with pytest.raises(SourceError, match=f"photos{suffix}' cannot be read as an archive"):
        open_source(f"{tmp_path}/photos{suffix}")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_archive_that_is_not_a_regular_file_is_never_opened(suffix: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / f"photos{suffix}")

    with pytest.raises(SourceError, match="not a regular file"):
        open_source(f"{tmp_path}/photos{suffix}")


def test_folder_with_the_name_of_an_archive_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "photos.zip").mkdir()
    (tmp_path / "photos.zip" / "a.png").touch()

    assert [frame.image for frame in frames(tmp_path / "photos.zip")] == [f"{tmp_path}/photos.zip/a.png"]


@pytest.mark.parametrize("suffix", DISTINCT_SUFFIXES)
def test_archive_that_is_cut_off_gives_no_wrong_image(suffix: str, tmp_path: Path) -> None:
    files = {f"{number}.png": os.urandom(3000) for number in range(6)}
    archive = write_archive(tmp_path / f"photos{suffix}", files)
    data = archive.read_bytes()
    wrong = {}

    for length in range(len(data) // 20, len(data), len(data) // 20):
        archive.write_bytes(data[:length])
        found = _images_if_readable(archive)
        whole = {path: image for path, image in found.items() if isinstance(image, bytes)}
        is_reported = found.get("", Reason.TRUNCATED) is Reason.TRUNCATED and (found in ({}, files) or "" in found)
        if not (whole.items() <= files.items() and is_reported):  # only the zeros after a tar's end mark may be missing
            wrong[length] = found

    assert wrong == {}


@pytest.mark.parametrize("suffix", DISTINCT_SUFFIXES)
@pytest.mark.parametrize("places", [100, pytest.param(400, marks=pytest.mark.slow)])
def test_archive_with_a_changed_byte_raises_only_image_errors(places: int, suffix: str, tmp_path: Path) -> None:
    files = {f"{number}.png": os.urandom(300) for number in range(6)}
    archive = write_archive(tmp_path / f"photos{suffix}", files)
    data = archive.read_bytes()

    for place in range(0, len(data), max(1, len(data) // places)):
        archive.write_bytes(data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :])
        assert len(_images_if_readable(archive)) <= len(files) + 1


def _images_if_readable(archive: Path) -> dict[str, bytes | Reason]:
    """Nothing if the archive cannot be opened at all, or holds no images."""
    try:
        return images(archive)
    except SourceError:
        return {}


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_archive_that_is_changed_during_the_run_is_not_read(suffix: str, tmp_path: Path) -> None:
    archive = write_archive(tmp_path / f"photos{suffix}", FILES)
    found = frames(archive)
    write_archive(archive, {"photos/other.png": b"another image"})

    assert {read(frame) for frame in found} == {Reason.UNREADABLE}


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_archive_that_vanishes_is_not_found(suffix: str, tmp_path: Path) -> None:
    archive = write_archive(tmp_path / f"photos{suffix}", FILES)
    found = frames(archive)
    archive.unlink()

    assert {read(frame) for frame in found} == {Reason.NOT_FOUND}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_archive_that_vanishes_before_it_is_read_is_one_frame(suffix: str, tmp_path: Path) -> None:
    archive = write_archive(tmp_path / f"photos{suffix}", FILES)
    source = open_source(str(archive))
    archive.unlink()

    assert [(frame.name, read(frame)) for frame in source if frame] == [(f"{archive}/", Reason.NOT_FOUND)]
