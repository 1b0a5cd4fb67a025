"""Zip files of more than 4 GiB, or of more than 65,535 members, as macOS writes them: whole, or refused."""

import zipfile
from pathlib import Path

import pytest

from edgeclf.runtime import open_source
from edgeclf.runtime.errors import Reason, SourceError
from tests.support.archives import LOCAL, frames, images, write_zip_without_zip64

GIB = 1 << 30
IMAGES = {f"{name}.png": name.encode() * 500 for name in "abcdef"}
A, B, C, D, E, F = IMAGES.items()


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
@pytest.mark.parametrize(
    "members",
    [
        [A, B, ("film.mov", 4 * GIB + 1000), C, D, E, F],
        [A, B, C, D, E, F, ("film.mov", 5 * GIB)],
        [("film.mov", 5 * GIB), A, B, C, D, E, F],
        [A, ("1.mov", 3 * GIB), B, ("2.mov", 3 * GIB), C, ("3.mov", 13 * GIB), D, E, F],
    ],
    ids=["one large file", "directory", "all", "several large files"],
)
def test_every_image_is_found(members: list[tuple[str, bytes | int]], compression: int, tmp_path: Path) -> None:
    archive = write_zip_without_zip64(tmp_path / "photos.zip", dict(members), compression)
    source = open_source(str(archive))

    assert images(archive) == IMAGES
    assert source.count() == len(IMAGES)


def test_zip_that_was_appended_to_a_program_is_read(tmp_path: Path) -> None:
    members: dict[str, bytes | int] = dict([A, ("film.mov", 4 * GIB), B])
    archive = write_zip_without_zip64(tmp_path / "photos.zip", members, prefix=b"#!/bin/sh\n" * 9)

    assert images(archive) == dict([A, B])


def test_archive_is_refused_where_an_image_is_not_found(tmp_path: Path) -> None:
    archive = write_zip_without_zip64(tmp_path / "photos.zip", dict([A, ("film.mov", 4 * GIB), B, C]))
    with open(archive, "r+b") as file:
        file.seek(4 * GIB)
        place = 4 * GIB + file.read(1000).index(LOCAL)
        file.seek(place)
        file.write(b"\0")

    with pytest.raises(SourceError, match=r"more than 4 GiB and no ZIP64.*'b.png'"):
        open_source(str(archive))


def test_image_of_more_than_4_gib_is_a_row(tmp_path: Path) -> None:
    archive = write_zip_without_zip64(tmp_path / "photos.zip", dict([A, ("large.png", 4 * GIB + 1000), B]))

    assert images(archive) == {**dict([A]), "large.png": Reason.CORRUPT, **dict([B])}


def test_more_members_than_their_number_can_count_are_all_read(tmp_path: Path) -> None:
    names = [f"{number}.png" for number in range(65_536 + 3)]
    archive = write_zip_without_zip64(tmp_path / "photos.zip", dict.fromkeys(names, b""))

    assert [frame.path for frame in frames(archive)] == names
