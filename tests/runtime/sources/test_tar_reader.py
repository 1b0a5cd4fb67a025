"""Tar files, uncompressed and compressed: every kind of header, and hostile ones that `tarfile` would follow forever."""

import os
import tarfile
from pathlib import Path

import pytest

from edgeclf.runtime import open_source
from edgeclf.runtime.errors import Reason, SourceError
from edgeclf.runtime.images.decode import MAX_BYTES
from tests.support.archives import MTIME_S, add_to_tar, frames, images, open_tar, read, write_archive


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    return member.tobuf(tarfile.GNU_FORMAT)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def pax(fields: dict[str, str]) -> bytes:
    """An extended header."""
    records = b""
    for key, value in fields.items():
        body = f" {key}={value}\n".encode("utf-8", "surrogateescape")
        size = next(size for size in range(len(body), len(body) + 9) if size == len(body) + len(str(size)))
        records += str(size).encode() + body
    return header("pax", len(records), tarfile.XHDTYPE) + padded(records)


@pytest.mark.parametrize("kind", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT], ids=["gnu", "pax", "ustar"])
@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
def test_every_tar_format_is_read(kind: int, suffix: str, tmp_path: Path) -> None:
    files = {f"{'long' * 20}/{'name' * 20}.png": b"an image", "b.png": b"another"}
    with open_tar(tmp_path / f"photos{suffix}", kind) as archive:
        for name, data in files.items():
            add_to_tar(archive, name, data)

    assert images(tmp_path / f"photos{suffix}") == files


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
def test_time_is_that_of_the_member(suffix: str, tmp_path: Path) -> None:
    assert frames(write_archive(tmp_path / f"photos{suffix}", {"a.png": b"x"}))[0].mtime_ns == MTIME_S * 10**9


@pytest.mark.parametrize("time", ["nan", "inf", "-5", "1e300"])
def test_nonsensical_time_is_unknown(time: str, tmp_path: Path) -> None:
    (tmp_path / "photos.tar").write_bytes(pax({"mtime": time}) + header("a.png", 0) + bytes(1024))

    assert frames(tmp_path / "photos.tar")[0].mtime_ns == -1


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
@pytest.mark.parametrize(
    ("kind", "link"),
    [
        (tarfile.SYMTYPE, "a.png"),
        (tarfile.LNKTYPE, "a.png"),
        (tarfile.FIFOTYPE, ""),
        (tarfile.CHRTYPE, ""),
        (tarfile.BLKTYPE, ""),
    ],
    ids=["link", "hard link", "fifo", "character device", "block device"],
)
def test_links_and_devices_are_skipped_and_counted(kind: bytes, link: str, suffix: str, tmp_path: Path) -> None:
    with open_tar(tmp_path / f"photos{suffix}") as archive:
        add_to_tar(archive, "a.png", b"a cat")
        add_to_tar(archive, "b.png", kind=kind, link=link)
    source = open_source(f"{tmp_path}/photos{suffix}")

    assert [frame and frame.path for frame in source] == ["a.png"]
    assert source.skipped == 1


def test_sparse_file_is_skipped_and_counted(tmp_path: Path) -> None:
    fields = {"GNU.sparse.map": "0,5", "GNU.sparse.size": str(1 << 30)}
    sparse = pax(fields) + header("a.png", 5) + padded(b"a cat")
    (tmp_path / "photos.tar").write_bytes(sparse + header("b.png", 5) + padded(b"a dog") + bytes(1024))
    source = open_source(f"{tmp_path}/photos.tar")

    assert [frame and frame.path for frame in source] == ["b.png"]
    assert source.skipped == 1


def test_folders_are_not_counted_as_files(tmp_path: Path) -> None:
    with open_tar(tmp_path / "photos.tar") as archive:
        add_to_tar(archive, "odd.png", kind=tarfile.DIRTYPE)
        add_to_tar(archive, "odd.png/a.png", b"a cat")
    source = open_source(f"{tmp_path}/photos.tar")

    assert [frame and frame.path for frame in source] == ["odd.png/a.png"]
    assert source.skipped == 0


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
def test_name_that_occurs_twice_gives_two_frames(suffix: str, tmp_path: Path) -> None:
    with open_tar(tmp_path / f"photos{suffix}") as archive:
        for data in (b"first", b"second"):
            add_to_tar(archive, "a.png", data)

    assert images(tmp_path / f"photos{suffix}") == {"a.png": b"first", "a.png#2": b"second"}


def test_image_that_declares_too_many_bytes_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "photos.tar").write_bytes(header("a.png", 5) + padded(b"a cat") + header("b.png", MAX_BYTES + 1))

    assert images(tmp_path / "photos.tar") == {"a.png": b"a cat", "b.png": Reason.TOO_LARGE, "": Reason.TRUNCATED}


def test_large_image_in_a_compressed_tar_is_refused_and_the_next_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeclf.runtime.sources.archives.MAX_PACKED_BYTES", 1000)
    archive = write_archive(tmp_path / "photos.tar.gz", {"a.png": bytes(1001), "b.png": b"a cat"})

    assert images(archive) == {"a.png": Reason.TOO_LARGE, "b.png": b"a cat"}


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.bz2", ".tar.xz"])
@pytest.mark.parametrize("name", ["notes.txt", "b.png"])
def test_bomb_ends_with_a_frame_for_the_archive(
    name: str, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeclf.runtime.sources.archive_member.RATIO_BYTES", 1 << 20)
    archive = write_archive(tmp_path / f"photos{suffix}", {"a.png": b"a cat", name: bytes(4 << 20), "c.png": b"a dog"})

    found = images(archive)

    assert (found["a.png"], found[""], "c.png" in found) == (b"a cat", Reason.TOO_LARGE, False)


def test_image_that_is_cut_off_in_a_plain_tar_is_truncated(tmp_path: Path) -> None:
    (tmp_path / "photos.tar").write_bytes(header("a.png", 5) + padded(b"a cat") + header("b.png", 2000) + bytes(1000))

    assert images(tmp_path / "photos.tar") == {"a.png": b"a cat", "b.png": Reason.TRUNCATED, "": Reason.TRUNCATED}


def test_tar_without_its_end_mark_is_truncated(tmp_path: Path) -> None:
    (tmp_path / "photos.tar").write_bytes(header("a.png", 5) + padded(b"a cat"))

    assert images(tmp_path / "photos.tar") == {"a.png": b"a cat", "": Reason.TRUNCATED}


def test_damaged_header_is_not_the_end(tmp_path: Path) -> None:
    broken = bytearray(header("b.png", 5))
    broken[0] ^= 1
    (tmp_path / "photos.tar").write_bytes(header("a.png", 5) + padded(b"a cat") + broken + padded(b"a dog") + bytes(1024))

    assert images(tmp_path / "photos.tar") == {"a.png": b"a cat", "": Reason.CORRUPT}


def test_checksum_of_a_compressed_tar_is_verified(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "photos.tar.gz", {"a.png": b"a cat"})
    data = bytearray(archive.read_bytes())
    data[-8] ^= 1
    archive.write_bytes(data)

    assert images(archive) == {"a.png": b"a cat", "": Reason.CORRUPT}


@pytest.mark.parametrize("size", [-512, -1024, -(10**30)])
def test_header_that_leads_backwards_ends_the_archive(size: int, tmp_path: Path) -> None:
    hostile = pax({"size": str(size)}) + header("b.png", 0)
    (tmp_path / "photos.tar").write_bytes(header("a.png", 5) + padded(b"a cat") + hostile + bytes(1024))

    assert images(tmp_path / "photos.tar") == {"a.png": b"a cat", "": Reason.CORRUPT}


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME], ids=["pax", "global", "name"])
@pytest.mark.parametrize("size", [-512, 2 << 20], ids=["negative", "large"])
def test_name_of_an_impossible_length_ends_the_archive(size: int, kind: bytes, tmp_path: Path) -> None:
    hostile = header("x", size, kind) + bytes(2 << 20) + header("b.png", 0)
    (tmp_path / "photos.tar").write_bytes(header("a.png", 5) + padded(b"a cat") + hostile + bytes(1024))

    assert images(tmp_path / "photos.tar") == {"a.png": b"a cat", "": Reason.CORRUPT}


def test_endlessly_nested_headers_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "photos.tar").write_bytes(pax({"comment": "x"}) * 3000 + header("a.png", 0) + bytes(1024))

    with pytest.raises(SourceError, match="cannot be read as an archive"):
        open_source(f"{tmp_path}/photos.tar")


@pytest.mark.parametrize("kind", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT], ids=["gnu", "pax"])
@pytest.mark.parametrize("suffix", [".tar", ".tar.xz"])
def test_hostile_names_are_kept(suffix: str, kind: int, hostile_names: frozenset[bytes], tmp_path: Path) -> None:
    with open_tar(tmp_path / f"photos{suffix}", kind) as archive:
        for name in hostile_names:
            add_to_tar(archive, os.fsdecode(name), b"a cat")

    assert {os.fsencode(frame.path) for frame in frames(tmp_path / f"photos{suffix}")} == hostile_names
    assert {read(frame) for frame in frames(tmp_path / f"photos{suffix}")} == {b"a cat"}
