"""Archives: the images in them, whatever their names, and that damage is a row and a sentence, never the end of a run."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edgeclf.runtime import open_source
from edgeclf.runtime.errors import Reason, SourceError
from edgeclf.runtime.sources.archives import is_archive
from tests.support.reading import frames, images, read

WriteArchive = Callable[[Path, dict[str, bytes]], Path]
SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
FILES = {"photos/b.png": b"a cat", "photos/a.JPG": b"another cat" * 999, "photos/dog/0.png": b""}


@pytest.mark.parametrize("name", [f"photos{suffix}" for suffix in SUFFIXES] + ["PHOTOS.ZIP", "a.b.Tar.Gz"])
def test_archives_are_known_by_their_suffix(name: str) -> None:
    assert is_archive(name)


@pytest.mark.parametrize("name", ["photos", "zip", "photos.gz", "photos.csv", "photos.7z", "photos.zip.part", "a.zip/b.png"])
def test_nothing_else_is_an_archive(name: str) -> None:
    assert not is_archive(name)


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".ZIP", ".TAR.GZ"])
def test_images_come_in_the_order_of_the_archive(suffix: str, tmp_path: Path, write_archive: WriteArchive) -> None:
    archive = write_archive(tmp_path / f"photos{suffix.lower()}", FILES).rename(tmp_path / f"photos{suffix}")

    assert list(images(archive).items()) == list(FILES.items())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_name_is_that_of_the_archive_and_the_member(suffix: str, tmp_path: Path, write_archive: WriteArchive) -> None:
    archive = write_archive(tmp_path / f"photos{suffix}", FILES)

    assert [frame.name for frame in frames(archive)] == [f"{archive}/{name}" for name in FILES]
    assert open_source(str(archive)).prefixes == (f"{archive}/",)
    assert open_source(str(archive)).roots() == (str(archive),)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_frame_has_the_size_of_its_member(suffix: str, tmp_path: Path, write_archive: WriteArchive) -> None:
    archive = write_archive(tmp_path / f"photos{suffix}", FILES)

    assert [frame.size_bytes for frame in frames(archive)] == [5, 10989, 0]


@pytest.mark.parametrize(("suffix", "count"), [(".zip", 3), (".tar", 3), (".tar.gz", 0)])
def test_count_is_known_where_it_costs_little(suffix: str, count: int, tmp_path: Path, write_archive: WriteArchive) -> None:
    assert open_source(str(write_archive(tmp_path / f"photos{suffix}", FILES))).count() == count


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_other_files_are_passed_over_and_counted(suffix: str, tmp_path: Path, write_archive: WriteArchive) -> None:
    others = ("photos/run.sh", "photos/.0.png", "__MACOSX/photos/b.png", ".git/0.png", "png")
    archive = write_archive(tmp_path / f"photos{suffix}", dict.fromkeys(others, b"no image") | FILES)
    source = open_source(str(archive))

    assert [frame and frame.path for frame in source] == list(FILES)
    assert source.skipped == len(others)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("name", ["/etc/0.png", "../../0.png", "./0.png", "a//0.png", "C:/0.png", r"a\0.png"])
def test_name_that_leads_elsewhere_is_only_a_name(
    name: str, suffix: str, tmp_path: Path, write_archive: WriteArchive
) -> None:
    assert images(write_archive(tmp_path / f"photos{suffix}", {name: b"a cat"})) == {name: b"a cat"}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_walk_can_be_repeated(suffix: str, tmp_path: Path, write_archive: WriteArchive) -> None:
    source = open_source(str(write_archive(tmp_path / f"photos{suffix}", FILES)))

    assert list(source) == list(source)


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_several_threads_read_at_once(suffix: str, tmp_path: Path, write_archive: WriteArchive) -> None:
    files = {f"{number}.png": os.urandom(50_000) for number in range(40)}
    archive = write_archive(tmp_path / f"photos{suffix}", files)

    with ThreadPoolExecutor(8) as threads:
        assert dict(zip(files, threads.map(read, frames(archive)), strict=True)) == files


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_archive_without_images_is_an_error(suffix: str, tmp_path: Path, write_archive: WriteArchive) -> None:
    with pytest.raises(SourceError, match=r"holds no images \(looked for"):
        frames(write_archive(tmp_path / f"photos{suffix}", {"notes.txt": b"text"}))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("content", [b"", b"no archive" * 200], ids=["empty", "text"])
def test_what_is_no_archive_is_an_error(content: bytes, suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"photos{suffix}").write_bytes(content)

    with pytest.raises(SourceError, match=f"photos{suffix}' is no archive that can be read .*; download or pack it again"):
        open_source(f"{tmp_path}/photos{suffix}")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_archive_that_is_no_regular_file_is_never_opened(suffix: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / f"photos{suffix}")

    with pytest.raises(SourceError, match="is no regular file"):
        open_source(f"{tmp_path}/photos{suffix}")


def test_folder_with_the_name_of_an_archive_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "photos.zip").mkdir()
    (tmp_path / "photos.zip" / "a.png").touch()

    assert [frame.image for frame in frames(tmp_path / "photos.zip")] == [f"{tmp_path}/photos.zip/a.png"]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("cut", range(1, 20))
def test_archive_that_ends_too_soon_has_no_row_that_is_wrong(
    cut: int, suffix: str, tmp_path: Path, write_archive: WriteArchive
) -> None:
    files = {f"{number}.png": os.urandom(3000) for number in range(6)}
    archive = write_archive(tmp_path / f"photos{suffix}", files)
    data = archive.read_bytes()
    archive.write_bytes(data[: len(data) * cut // 20])

    found = _images_or_error(archive)

    assert {path: data for path, data in found.items() if isinstance(data, bytes)}.items() <= files.items()
    assert found.get("", Reason.TRUNCATED) == Reason.TRUNCATED
    assert found in ({}, files) or "" in found  # the zeros behind the end mark of a tar may be cut


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_archive_with_changed_bytes_raises_nothing_but_image_errors(
    suffix: str, tmp_path: Path, write_archive: WriteArchive
) -> None:
    files = {f"{number}.png": os.urandom(300) for number in range(6)}
    archive = write_archive(tmp_path / f"photos{suffix}", files)
    data = archive.read_bytes()

    for place in range(0, len(data), max(1, len(data) // 400)):
        archive.write_bytes(data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :])
        assert len(_images_or_error(archive)) <= len(files) + 1


def _images_or_error(archive: Path) -> dict[str, bytes | Reason]:
    """Nothing for an archive that cannot be opened at all, or holds nothing."""
    try:
        return images(archive)
    except SourceError:
        return {}


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_archive_that_is_changed_during_the_run_is_not_read(
    suffix: str, tmp_path: Path, write_archive: WriteArchive
) -> None:
    archive = write_archive(tmp_path / f"photos{suffix}", FILES)
    found = frames(archive)
    write_archive(archive, {"photos/other.png": b"another image"})

    assert {read(frame) for frame in found} == {Reason.UNREADABLE}


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_archive_that_vanishes_is_not_found(suffix: str, tmp_path: Path, write_archive: WriteArchive) -> None:
    archive = write_archive(tmp_path / f"photos{suffix}", FILES)
    found = frames(archive)
    archive.unlink()

    assert {read(frame) for frame in found} == {Reason.NOT_FOUND}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_archive_that_vanishes_before_the_walk_is_a_frame(suffix: str, tmp_path: Path, write_archive: WriteArchive) -> None:
    archive = write_archive(tmp_path / f"photos{suffix}", FILES)
    source = open_source(str(archive))
    archive.unlink()

    assert [(frame.name, read(frame)) for frame in source if frame] == [(f"{archive}/", Reason.NOT_FOUND)]
