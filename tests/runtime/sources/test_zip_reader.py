"""Zip files: what `zipfile` itself would stumble over, and every kind that it writes."""

import io
import os
import stat
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeclf.runtime import open_source
from edgeclf.runtime.errors import ImageError, Reason
from edgeclf.runtime.images.decode import MAX_BYTES
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.images.preprocess import contents

WriteArchive = Callable[[Path, dict[str, bytes]], Path]
DIRECTORY = b"PK\1\2"
LOCAL = b"PK\3\4"
FLAGS, METHOD, CHECKSUM, PACKED, SIZE, OFFSET = 8, 10, 16, 20, 24, 42
"""Where fields of an entry of the directory are."""


def frames(archive: Path) -> list[Frame]:
    return [frame for frame in open_source(str(archive)) if frame is not None]


def failure(frame: Frame) -> ImageError:
    with pytest.raises(ImageError) as caught:
        contents(frame.image)  # type: ignore[arg-type]
    return caught.value


def patch(archive: Path, offset: int, value: bytes, signature: bytes = DIRECTORY) -> None:
    """Overwrite a field of the first record of one kind."""
    data = bytearray(archive.read_bytes())
    start = data.index(signature) + offset
    data[start : start + len(value)] = value
    archive.write_bytes(data)


@pytest.fixture
def archive(tmp_path: Path, write_zip: WriteArchive) -> Path:
    return write_zip(tmp_path / "photos.zip", {"a.png": b"a cat" * 100, "b.png": b"a dog" * 100})


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
@pytest.mark.parametrize("data", [b"", b"a cat", os.urandom(70_000)], ids=["empty", "short", "noise"])
def test_image_is_read_as_it_was_packed(compression: int, data: bytes, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w", compression) as archive:
        archive.writestr("a.png", data)

    assert contents(frames(tmp_path / "photos.zip")[0].image) == data  # type: ignore[arg-type]


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=["bzip2", "lzma"])
def test_image_packed_otherwise_is_unreadable(compression: int, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w", compression) as archive:
        archive.writestr("a.png", b"a cat" * 1000)

    error = failure(frames(tmp_path / "photos.zip")[0])
    assert (error.reason, error.detail) == (
        Reason.UNREADABLE,
        f"packed by zip method {compression}, which is not deflate",
    )


def test_encrypted_image_is_unreadable(archive: Path) -> None:
    patch(archive, FLAGS, b"\x01")

    assert (failure(frames(archive)[0]).reason, failure(frames(archive)[0]).detail) == (
        Reason.UNREADABLE,
        "encrypted in its zip file",
    )


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
    ids=["check sum", "too short", "too long", "nothing", "cut off", "not packed", "elsewhere"],
)
def test_image_that_is_not_what_the_directory_says_is_corrupt(field: int, value: bytes, archive: Path) -> None:
    patch(archive, field, value)

    assert failure(frames(archive)[0]).reason == Reason.CORRUPT
    assert contents(frames(archive)[1].image) == b"a dog" * 100  # type: ignore[arg-type]


def test_image_beyond_the_end_is_truncated(archive: Path) -> None:
    patch(archive, PACKED, struct.pack("<L", 1 << 20))

    assert failure(frames(archive)[0]).reason == Reason.TRUNCATED


@pytest.mark.parametrize("field", [PACKED, SIZE], ids=["packed", "unpacked"])
def test_image_that_declares_too_much_is_not_read(field: int, archive: Path) -> None:
    patch(archive, field, struct.pack("<L", MAX_BYTES + 1))

    assert (failure(frames(archive)[0]).reason, failure(frames(archive)[0]).detail) == (
        Reason.TOO_LARGE,
        "1,073,741,825 bytes; the limit is 1,073,741,824",
    )


def test_bomb_that_declares_little_is_not_unpacked_beyond_that(tmp_path: Path, write_zip: WriteArchive) -> None:
    archive = write_zip(tmp_path / "photos.zip", {"a.png": bytes(50 << 20)})
    patch(archive, SIZE, struct.pack("<L", 1000))
    (bomb,) = frames(archive)

    tracemalloc.start()
    reason = failure(bomb).reason
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert reason == Reason.CORRUPT
    assert peak_bytes < 1 << 20


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_name_that_is_there_twice_is_two_frames(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for data in (b"first", b"second", b"third"):
            archive.writestr("a.png", data)

    found = {frame.path: contents(frame.image) for frame in frames(tmp_path / "photos.zip")}  # type: ignore[arg-type]
    assert found == {"a.png": b"first", "a.png#2": b"second", "a.png#3": b"third"}


def test_time_is_the_check_sum(archive: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        assert [frame.mtime_ns for frame in frames(archive)] == [info.CRC for info in opened.infolist()]


def test_folders_are_no_files(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.mkdir("odd.png")
        archive.writestr("odd.png/a.png", b"a cat")
    source = open_source(f"{tmp_path}/photos.zip")

    assert [frame and frame.path for frame in source] == ["odd.png/a.png"]
    assert source.skipped == 0


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR], ids=["link", "fifo", "device"])
def test_links_and_devices_are_passed_over_and_counted(kind: int, tmp_path: Path) -> None:
    member = zipfile.ZipInfo("b.png")
    member.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("a.png", b"a cat")
        archive.writestr(member, "/etc/passwd")
    source = open_source(f"{tmp_path}/photos.zip")

    assert [frame and frame.path for frame in source] == ["a.png"]
    assert source.skipped == 1


def test_zip_behind_a_program_is_read(archive: Path) -> None:
    archive.write_bytes(b"#!/bin/sh\n" * 99 + archive.read_bytes())

    assert [contents(frame.image) for frame in frames(archive)] == [b"a cat" * 100, b"a dog" * 100]  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [1, 65_535])
def test_zip_with_a_comment_is_read(size: int, archive: Path) -> None:
    with zipfile.ZipFile(archive, "a") as opened:
        opened.comment = b"c" * size

    assert len(frames(archive)) == 2


def test_zip_that_was_written_to_a_pipe_is_read(tmp_path: Path) -> None:
    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.data = b""

        def writable(self) -> bool:
            return True

        def write(self, data: bytes) -> int:  # type: ignore[override]
            self.data += bytes(data)
            return len(data)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:  # sizes stand behind the data, and in the directory
        archive.writestr("a.png", b"a cat" * 100)
    (tmp_path / "photos.zip").write_bytes(pipe.data)

    assert contents(frames(tmp_path / "photos.zip")[0].image) == b"a cat" * 100  # type: ignore[arg-type]


@pytest.mark.parametrize("prefix", [b"", b"#!/bin/sh\n"], ids=["bare", "behind a program"])
def test_zip64_is_read(prefix: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 10)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for name in ("a.png", "b.png"):
            archive.writestr(name, name.encode() * 100)
    data = (tmp_path / "photos.zip").read_bytes()
    (tmp_path / "photos.zip").write_bytes(prefix + data)

    assert b"PK\6\6" in data
    found = {frame.path: contents(frame.image) for frame in frames(tmp_path / "photos.zip")}  # type: ignore[arg-type]
    assert found == {"a.png": b"a.png" * 100, "b.png": b"b.png" * 100}


def test_damaged_directory_is_a_frame_for_the_archive(archive: Path) -> None:
    data = bytearray(archive.read_bytes())
    data[data.rindex(DIRECTORY)] ^= 1
    archive.write_bytes(data)

    first, last = frames(archive)

    assert first.path == "a.png"
    assert (last.name, last.path, failure(last).reason) == (f"{archive}/", "", Reason.CORRUPT)


def test_one_odd_member_does_not_hide_the_others(archive: Path) -> None:
    patch(archive, 6, b"\xff")  # the version that is needed to unpack it: `zipfile` gives up

    with pytest.raises(NotImplementedError), zipfile.ZipFile(archive):
        pass
    assert [contents(frame.image) for frame in frames(archive)] == [b"a cat" * 100, b"a dog" * 100]  # type: ignore[arg-type]


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
def test_name_is_read_as_the_format_says_or_as_programs_write_it(
    flag: bool, name: bytes, expected: str, tmp_path: Path, write_zip: WriteArchive
) -> None:
    archive = write_zip(tmp_path / "photos.zip", {"n" * len(name): b"a cat"})
    archive.write_bytes(archive.read_bytes().replace(b"n" * len(name), name))
    patch(archive, FLAGS, b"\0\x08" if flag else b"\0\0")

    assert [frame.path for frame in frames(archive)] == [expected]


def test_hostile_names_come_through(hostile_names: frozenset[bytes], tmp_path: Path) -> None:
    in_utf8 = {name.decode() for name in hostile_names if name != b"caf\xe9.png"}
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for name in in_utf8:
            archive.writestr(name, b"a cat")

    assert {frame.path for frame in frames(tmp_path / "photos.zip")} == in_utf8
    assert {contents(frame.image) for frame in frames(tmp_path / "photos.zip")} == {b"a cat"}  # type: ignore[arg-type]
