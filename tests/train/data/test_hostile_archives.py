"""Hostile and damaged archives are refused, and leave nothing behind."""

import gzip
import io
import os
import stat
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest

from edgeclf.train.data.archives import MAX_BYTES
from tests.support.archives import DIRECTORY, LOCAL, SUFFIXES, add_to_tar, open_tar, patch_zip, write_archive
from tests.support.unpacking import PHOTOS, assert_refused

NAMES_THAT_LEAD_OUTSIDE = (
    "/etc/0.png",
    "../0.png",
    "cat/../../0.png",
    "cat/..",
    "C:/0.png",
    "c:0.png",
    "cat/D:0.png",
    "/",
    "../notes.txt",
)


@pytest.fixture
def small_bombs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check the ratio of an archive to its content from 1 MiB on, so that bombs may be small."""
    monkeypatch.setattr("edgeclf.runtime.sources.archive_member.RATIO_BYTES", 1 << 20)


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz"])
@pytest.mark.parametrize("name", NAMES_THAT_LEAD_OUTSIDE)
def test_a_member_that_leads_outside_refuses_the_archive(tmp_path: Path, suffix: str, name: str) -> None:
    archive = write_archive(tmp_path / f"photos{suffix}", PHOTOS | {name: b"hostile"})
    assert_refused(archive, f"'{name}' leads outside its folder")


def test_a_folder_that_leads_outside_refuses_the_archive(tmp_path: Path) -> None:
    with open_tar(tmp_path / "photos.tar") as tar:
        add_to_tar(tar, "../cat", kind=tarfile.DIRTYPE)
        add_to_tar(tar, "cat/0.png", b"a cat")
    assert_refused(tmp_path / "photos.tar", r"'\.\./cat' leads outside its folder")


def test_a_backslash_in_a_zip_refuses_the_archive(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "photos.zip", PHOTOS | {r"..\0.png": b"hostile"})
    assert_refused(archive, r"'\.\.\\\\0\.png' has a backslash")


@pytest.mark.parametrize(
    ("kind", "link"),
    [
        (tarfile.SYMTYPE, "/etc"),
        (tarfile.SYMTYPE, "0.png"),
        (tarfile.LNKTYPE, "photos/cat/0.png"),
        (tarfile.FIFOTYPE, ""),
        (tarfile.CHRTYPE, ""),
        (tarfile.BLKTYPE, ""),
    ],
    ids=["link outside", "link inside", "hard link", "fifo", "character device", "block device"],
)
@pytest.mark.parametrize("name", ["photos/cat/2.png", "photos/latest"])
def test_a_link_or_device_in_a_tar_refuses_the_archive(tmp_path: Path, kind: bytes, link: str, name: str) -> None:
    with open_tar(tmp_path / "photos.tar") as tar:
        add_to_tar(tar, "photos/cat/0.png", b"a cat")
        add_to_tar(tar, name, kind=kind, link=link)
    assert_refused(tmp_path / "photos.tar", f"'{name}' is a link, a device")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR], ids=["link", "fifo", "device"])
def test_a_link_or_device_in_a_zip_refuses_the_archive(tmp_path: Path, kind: int) -> None:
    member = zipfile.ZipInfo("photos/cat/2.png")
    member.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("photos/cat/0.png", b"a cat")
        archive.writestr(member, "/etc/passwd")
    assert_refused(tmp_path / "photos.zip", "'photos/cat/2.png' is a link, a device")


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz"])
@pytest.mark.parametrize(
    "names", [("cat/0.png", "cat/./0.png"), ("cat.png", "cat.png/0.png"), ("cat.png/0.png", "cat.png")], ids=str
)
def test_two_members_in_one_place_refuse_the_archive(tmp_path: Path, suffix: str, names: tuple[str, str]) -> None:
    archive = write_archive(tmp_path / f"photos{suffix}", dict.fromkeys(names, b"a cat"))
    assert_refused(archive, f"'{names[1]}' occurs twice")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_the_same_name_twice_refuses_the_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for data in (b"first", b"second"):
            archive.writestr("cat/0.png", data)
    assert_refused(tmp_path / "photos.zip", "'cat/0.png' occurs twice")


@pytest.mark.usefixtures("small_bombs")
@pytest.mark.parametrize("suffix", [".zip", ".tar.gz", ".tar.bz2", ".tar.xz"])
def test_a_bomb_is_refused(tmp_path: Path, suffix: str) -> None:
    archive = write_archive(tmp_path / f"photos{suffix}", PHOTOS | {"cat/2.png": bytes(4 << 20)})
    assert_refused(archive, r"more than 200 times its .*if you trust it")


def test_a_bomb_of_real_size_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("cat/2.png", bytes(101 << 20))
    assert_refused(tmp_path / "photos.zip", "more than 200 times its")


@pytest.mark.usefixtures("small_bombs")
def test_bombs_that_are_small_one_by_one_are_refused(tmp_path: Path) -> None:
    bombs = {f"cat/{number}.png": bytes(1 << 18) for number in range(6)}
    assert_refused(write_archive(tmp_path / "photos.zip", bombs), "more than 200 times its")


@pytest.mark.usefixtures("small_bombs")
@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.bz2", ".tar.xz"])
@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME], ids=["file", "pax", "name"])
def test_a_bomb_in_a_member_that_is_skipped_is_refused(tmp_path: Path, suffix: str, kind: bytes) -> None:
    with open_tar(tmp_path / f"photos{suffix}") as tar:
        add_to_tar(tar, "notes.txt", bytes(3 << 20), kind)
        add_to_tar(tar, "cat/0.png", b"a cat")
    assert_refused(tmp_path / f"photos{suffix}", "more than 200 times its|a header that declares 3,145,728 bytes")


@pytest.mark.usefixtures("small_bombs")
def test_a_bomb_behind_the_end_mark_is_refused(tmp_path: Path) -> None:
    tar = write_archive(tmp_path / "photos.tar", PHOTOS)
    (tmp_path / "photos.tar.gz").write_bytes(gzip.compress(tar.read_bytes() + bytes(4 << 20)))
    tar.unlink()
    assert_refused(tmp_path / "photos.tar.gz", "more than 200 times its")


@pytest.mark.parametrize("size", [MAX_BYTES + 1, 1 << 60])
@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
def test_a_tar_that_declares_too_much_is_refused_at_its_header(tmp_path: Path, suffix: str, size: int) -> None:
    member = tarfile.TarInfo("cat/0.png")
    member.size = size
    data = member.tobuf(tarfile.GNU_FORMAT) + bytes(1024)
    (tmp_path / f"photos{suffix}").write_bytes(data if suffix == ".tar" else gzip.compress(data))
    assert_refused(tmp_path / f"photos{suffix}", "unpacks to more than 68,719,476,736 bytes")


def test_a_sparse_file_refuses_the_archive(tmp_path: Path) -> None:
    with open_tar(tmp_path / "photos.tar") as tar:
        member = tarfile.TarInfo("cat/0.png")
        member.pax_headers = {"GNU.sparse.map": "0,5", "GNU.sparse.size": str(1 << 30)}
        member.size = 5
        tar.addfile(member, io.BytesIO(b"a cat"))
    assert_refused(tmp_path / "photos.tar", r"'cat/0\.png' is .*a sparse file")


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_too_many_members_are_refused(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeclf.train.data.archives.MAX_MEMBERS", 2)
    assert_refused(write_archive(tmp_path / f"photos{suffix}", PHOTOS), "more than 2 members")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_archive_that_is_cut_off_is_refused(tmp_path: Path, suffix: str) -> None:
    archive = write_archive(tmp_path / f"photos{suffix}", PHOTOS | {"photos/cat/9.png": os.urandom(20_000)})
    archive.write_bytes(archive.read_bytes()[:-15_000])
    assert_refused(archive, r"cannot be (unpacked|read)")


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz", ".tar.bz2", ".tar.xz"])
def test_an_archive_with_a_changed_byte_is_refused(tmp_path: Path, suffix: str) -> None:
    archive = write_archive(tmp_path / f"photos{suffix}", {"cat/0.png": os.urandom(5000)})
    data = bytearray(archive.read_bytes())
    data[2000] ^= 1
    archive.write_bytes(data)
    assert_refused(archive, r"cannot be (unpacked|read)")


def test_a_damaged_name_in_a_zip_is_refused(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "photos.zip", {"cat/0.png": b"a cat"})
    patch_zip(archive, 46, b"b", DIRECTORY)  # the directory now calls the image a bat
    assert_refused(archive, r"'bat/0\.png' cannot be read .*name")


def test_a_zip_entry_that_hides_later_ones_is_refused(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "photos.zip", PHOTOS)
    patch_zip(archive, 30, b"\xff\3", DIRECTORY)
    assert_refused(archive, "cannot be unpacked .*directory is damaged")


def test_a_damaged_header_inside_a_tar_is_not_its_end(tmp_path: Path) -> None:
    archive = write_archive(
        tmp_path / "photos.tar", {"cat/0.png": b"a cat", "cat/1.png": b"another", "cat/2.png": b"a third"}
    )
    data = bytearray(archive.read_bytes())
    data[1024] ^= 1
    archive.write_bytes(data)
    assert_refused(archive, "cannot be unpacked")


def test_a_tar_without_its_end_is_refused(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "photos.tar", {"cat/0.png": b"a cat", "cat/1.png": b"another"})
    archive.write_bytes(archive.read_bytes()[:1024])
    assert_refused(archive, "cannot be unpacked")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("content", [b"", b"no archive" * 200, bytes(20_000)], ids=["empty", "text", "zeros"])
def test_a_file_that_is_not_an_archive_is_refused(tmp_path: Path, suffix: str, content: bytes) -> None:
    (tmp_path / f"photos{suffix}").write_bytes(content)
    assert_refused(tmp_path / f"photos{suffix}", "cannot be unpacked|holds no images")


def test_a_pipe_is_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "photos.tar.gz")
    assert_refused(tmp_path / "photos.tar.gz", "not a regular file")


@pytest.mark.parametrize("size", [9, 3, 1 << 20], ids=["longer", "shorter", "much longer"])
def test_a_zip_that_declares_another_size_is_refused(tmp_path: Path, size: int) -> None:
    archive = write_archive(tmp_path / "photos.zip", {"cat/0.png": b"a cat"})
    patch_zip(archive, 24, struct.pack("<L", size))
    assert_refused(archive, r"'cat/0\.png' cannot be read .*size or checksum")


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "photos.zip", {"cat/0.png": b"a cat"})
    patch_zip(archive, 8, b"\1", DIRECTORY)
    patch_zip(archive, 6, b"\1", LOCAL)
    assert_refused(archive, r"'cat/0\.png' .*encrypted")


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=["bzip2", "lzma"])
def test_a_zip_method_that_can_fill_the_memory_is_refused(tmp_path: Path, compression: int) -> None:
    archive = write_archive(tmp_path / "photos.zip", {"cat/0.png": b"a cat"}, compression)
    assert_refused(archive, rf"'cat/0\.png' .*zip method {compression}")


def test_a_name_with_a_nul_refuses_the_archive(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "photos.zip", {"cat/0_png.png": b"a cat"})
    patch_zip(archive, 46, b"cat/0\0", DIRECTORY)
    patch_zip(archive, 30, b"cat/0\0", LOCAL)
    assert_refused(archive, "leads outside its folder")
