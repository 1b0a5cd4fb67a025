"""Zip files: every kind that `zipfile` writes, and odd ones that it cannot read."""

import io
import os
import stat
import struct
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from edgeclf.runtime import open_source
from edgeclf.runtime.errors import ImageError, Reason
from edgeclf.runtime.images.decode import MAX_BYTES
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.images.preprocess import read_bytes
from tests.support.archives import DIRECTORY, frames, images, patch_zip, read, write_archive

FLAGS, METHOD, CHECKSUM, PACKED, SIZE, EXTRA_LENGTH, OFFSET = 8, 10, 16, 20, 24, 30, 42
"""Offsets of the fields in a directory record."""


def failure(frame: Frame) -> ImageError:
    with pytest.raises(ImageError) as caught:
        read_bytes(frame.image)  # type: ignore[arg-type]
    return caught.value


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return write_archive(tmp_path / "photos.zip", {"a.png": b"a cat" * 100, "b.png": b"a dog" * 100})


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
@pytest.mark.parametrize("data", [b"", b"a cat", os.urandom(70_000)], ids=["empty", "short", "noise"])
def test_image_is_read_as_it_was_packed(compression: int, data: bytes, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w", compression) as archive:
        archive.writestr("a.png", data)

    assert read(frames(tmp_path / "photos.zip")[0]) == data


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=["bzip2", "lzma"])
def test_image_packed_by_another_method_is_unreadable(compression: int, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w", compression) as archive:
        archive.writestr("a.png", b"a cat" * 1000)

    error = failure(frames(tmp_path / "photos.zip")[0])
    assert error.reason == Reason.UNREADABLE
    assert f"zip method {compression}" in error.detail


def test_encrypted_image_is_unreadable(archive: Path) -> None:
    patch_zip(archive, FLAGS, b"\x01")

    error = failure(frames(archive)[0])
    assert error.reason == Reason.UNREADABLE
    assert "encrypted" in error.detail


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (CHECKSUM, b"abcd"),
        (SIZE, struct.pack("<L", 499)),
        (SIZE, struct.pack("<L", 501)),
        (SIZE, struct.pack("<L", 0)),
        (PACKED, struct.pack("<L", 2)),
        (METHOD, b"\0\0"),
        (OFFSET, struct.pack("<L", 3)),
    ],
    ids=["checksum", "too short", "too long", "nothing", "cut off", "not packed", "elsewhere"],
)
def test_image_that_differs_from_its_directory_record_is_corrupt(field: int, value: bytes, archive: Path) -> None:
    patch_zip(archive, field, value)

    assert failure(frames(archive)[0]).reason == Reason.CORRUPT
    assert read(frames(archive)[1]) == b"a dog" * 100


def test_image_that_exceeds_the_file_is_truncated(archive: Path) -> None:
    patch_zip(archive, PACKED, struct.pack("<L", 1 << 20))

    assert failure(frames(archive)[0]).reason == Reason.TRUNCATED


@pytest.mark.parametrize("field", [PACKED, SIZE], ids=["packed", "unpacked"])
def test_image_that_declares_too_many_bytes_is_not_read(field: int, archive: Path) -> None:
    patch_zip(archive, field, struct.pack("<L", MAX_BYTES + 1))

    error = failure(frames(archive)[0])
    assert error.reason == Reason.TOO_LARGE
    assert "1,073,741,825 bytes" in error.detail


def test_bomb_is_not_unpacked_beyond_its_declared_size(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "photos.zip", {"a.png": bytes(5 << 20)})
    patch_zip(archive, SIZE, struct.pack("<L", 1000))
    (bomb,) = frames(archive)

    tracemalloc.start()
    reason = failure(bomb).reason
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert reason == Reason.CORRUPT
    assert peak_bytes < 1 << 20


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_name_that_occurs_several_times_gives_several_frames(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for data in (b"first", b"second", b"third"):
            archive.writestr("a.png", data)

    assert images(tmp_path / "photos.zip") == {"a.png": b"first", "a.png#2": b"second", "a.png#3": b"third"}


def test_checksum_stands_for_the_time(archive: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        assert [frame.mtime_ns for frame in frames(archive)] == [info.CRC for info in opened.infolist()]


def test_folders_are_not_counted_as_files(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.mkdir("odd.png")
        archive.writestr("odd.png/a.png", b"a cat")
    source = open_source(f"{tmp_path}/photos.zip")

    assert [frame and frame.path for frame in source] == ["odd.png/a.png"]
    assert source.skipped == 0


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR], ids=["link", "fifo", "device"])
def test_links_and_devices_are_skipped_and_counted(kind: int, tmp_path: Path) -> None:
    member = zipfile.ZipInfo("b.png")
    member.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("a.png", b"a cat")
        archive.writestr(member, "/etc/passwd")
    source = open_source(f"{tmp_path}/photos.zip")

    assert [frame and frame.path for frame in source] == ["a.png"]
    assert source.skipped == 1


def test_zip_appended_to_a_program_is_read(archive: Path) -> None:
    archive.write_bytes(b"#!/bin/sh\n" * 99 + archive.read_bytes())

    assert [read(frame) for frame in frames(archive)] == [b"a cat" * 100, b"a dog" * 100]


@pytest.mark.parametrize("size", [1, 65_535])
def test_zip_with_a_comment_is_read(size: int, archive: Path) -> None:
    with zipfile.ZipFile(archive, "a") as opened:
        opened.comment = b"c" * size

    assert len(frames(archive)) == 2


def test_zip_written_to_a_pipe_is_read(tmp_path: Path) -> None:
    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.data = b""

        def writable(self) -> bool:
            return True

        def write(self, data: bytes) -> int:  # type: ignore[override]
            self.data += bytes(data)
            return len(data)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:  # sizes are behind the data and in the directory
        archive.writestr("a.png", b"a cat" * 100)
    (tmp_path / "photos.zip").write_bytes(pipe.data)

    assert read(frames(tmp_path / "photos.zip")[0]) == b"a cat" * 100


@pytest.mark.parametrize("prefix", [b"", b"#!/bin/sh\n"], ids=["bare", "appended to a program"])
def test_zip64_is_read(prefix: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 10)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for name in ("a.png", "b.png"):
            archive.writestr(name, name.encode() * 100)
    data = (tmp_path / "photos.zip").read_bytes()
    (tmp_path / "photos.zip").write_bytes(prefix + data)

    assert b"PK\6\6" in data
    assert images(tmp_path / "photos.zip") == {"a.png": b"a.png" * 100, "b.png": b"b.png" * 100}


def test_damaged_directory_gives_a_frame_for_the_archive(archive: Path) -> None:
    data = bytearray(archive.read_bytes())
    data[data.rindex(DIRECTORY)] ^= 1
    archive.write_bytes(data)

    first, last = frames(archive)

    assert first.path == "a.png"
    assert (last.name, last.path, failure(last).reason) == (f"{archive}/", "", Reason.CORRUPT)


def test_entry_that_hides_later_ones_gives_a_frame_for_the_archive(archive: Path) -> None:
    patch_zip(archive, EXTRA_LENGTH, struct.pack("<H", 1000))

    first, last = frames(archive)

    assert (first.path, read(first)) == ("a.png", b"a cat" * 100)
    assert (last.path, failure(last).reason) == ("", Reason.CORRUPT)


def test_one_odd_member_does_not_affect_the_others(archive: Path) -> None:
    patch_zip(archive, 6, b"\xff")  # the version needed to unpack it, which `zipfile` refuses

    with pytest.raises(NotImplementedError), zipfile.ZipFile(archive):
        pass
    assert [read(frame) for frame in frames(archive)] == [b"a cat" * 100, b"a dog" * 100]


@pytest.mark.parametrize(
    ("flag", "name", "expected"),
    [
        (True, "Kätzchen.png".encode(), "Kätzchen.png"),
        (False, "Kätzchen.png".encode(), "Kätzchen.png"),
        (False, "Kätzchen.png".encode("cp437"), "Kätzchen.png"),
        (True, b"caf\xe9.png", "caf\udce9.png"),
    ],
    ids=["utf-8", "utf-8 without its flag", "code page 437", "not utf-8 with its flag"],
)
def test_name_is_decoded_as_the_format_says_or_as_programs_write_it(
    flag: bool, name: bytes, expected: str, tmp_path: Path
) -> None:
    archive = write_archive(tmp_path / "photos.zip", {"n" * len(name): b"a cat"})
    archive.write_bytes(archive.read_bytes().replace(b"n" * len(name), name))
    patch_zip(archive, FLAGS, b"\0\x08" if flag else b"\0\0")

    assert [frame.path for frame in frames(archive)] == [expected]


def test_hostile_names_are_kept(hostile_names: frozenset[bytes], tmp_path: Path) -> None:
    in_utf8 = {name.decode() for name in hostile_names if name != b"caf\xe9.png"}
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for name in in_utf8:
            archive.writestr(name, b"a cat")

    assert {frame.path for frame in frames(tmp_path / "photos.zip")} == in_utf8
    assert {read(frame) for frame in frames(tmp_path / "photos.zip")} == {b"a cat"}
