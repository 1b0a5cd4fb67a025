"""Archives: sound ones are unpacked, hostile and damaged ones are refused and leave nothing behind."""

import gzip
import io
import os
import shutil
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgeclf.runtime.errors import DatasetError, OutputError
from edgeclf.train.data.archives import MAX_BYTES, unpack
from tests.support.archives import (
    DIRECTORY,
    DISTINCT_SUFFIXES,
    LOCAL,
    SUFFIXES,
    add_to_tar,
    open_tar,
    patch_zip,
    write_archive,
)

FILES = {"photos/cat/0.png": b"a cat", "photos/cat/1.JPG": b"another cat" * 999, "photos/dog/0.png": b"a dog"}
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
    """From 1 MiB on, the ratio of an archive to its content is checked."""
    monkeypatch.setattr("edgeclf.runtime.sources.archive_member.RATIO_BYTES", 1 << 20)


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_refused(archive: Path, pattern: str) -> None:
    """Unpacking raises, and leaves only the archive in its folder."""
    with pytest.raises(DatasetError, match=pattern):
        unpack(archive, archive.with_name("out"))
    assert [path.name for path in archive.parent.iterdir()] == [archive.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_images_are_unpacked_unchanged(tmp_path: Path, suffix: str) -> None:
    folder = unpack(write_archive(tmp_path / f"photos{suffix}", FILES), tmp_path / "new" / "out")
    assert (folder, files_below(folder)) == (tmp_path / "new" / "out", FILES)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_suffix_may_be_in_capitals(tmp_path: Path, suffix: str) -> None:
    archive = write_archive(tmp_path / f"photos{suffix}", FILES).rename(tmp_path / f"PHOTOS{suffix.upper()}")
    assert files_below(unpack(archive, tmp_path / "out")) == FILES


@pytest.mark.parametrize("kind", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT], ids=["gnu", "pax", "ustar"])
def test_every_tar_format_is_read(tmp_path: Path, kind: int) -> None:
    files = {f"{'long' * 20}/{'name' * 20}.png": b"an image"}
    with open_tar(tmp_path / "photos.tar", kind) as tar:
        for name, data in files.items():
            add_to_tar(tar, name, data)
    assert files_below(unpack(tmp_path / "photos.tar", tmp_path / "out")) == files


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_redundant_parts_of_names_are_dropped(tmp_path: Path, suffix: str) -> None:
    archive = write_archive(tmp_path / f"photos{suffix}", {"./cat/0.png": b"a cat", "dog//./0.png": b"a dog"})
    assert files_below(unpack(archive, tmp_path / "out")) == {"cat/0.png": b"a cat", "dog/0.png": b"a dog"}


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz"])
def test_only_images_are_unpacked_and_other_files_are_counted(
    tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    others = dict.fromkeys(("photos/run.sh", "photos/.0.png", "__MACOSX/photos/cat/0.png", ".git/0.png"), b"no image")
    archive = write_archive(tmp_path / f"photos{suffix}", FILES | others)
    assert files_below(unpack(archive, tmp_path / "out")) == FILES
    assert f"photos{suffix}: 3 images unpacked into {tmp_path / 'out'}; 4 other files skipped" in capsys.readouterr().err


def test_one_image_is_reported_in_the_singular(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unpack(write_archive(tmp_path / "photos.zip", {"0.png": b"a cat", "notes.txt": b""}), tmp_path / "out")
    assert f"photos.zip: 1 image unpacked into {tmp_path / 'out'}; 1 other file skipped" in capsys.readouterr().err


def test_folders_in_an_archive_are_not_counted_as_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open_tar(tmp_path / "photos.tar") as tar:
        add_to_tar(tar, "photos.png", kind=tarfile.DIRTYPE)
        add_to_tar(tar, "photos.png/0.png", b"a cat")
    unpack(tmp_path / "photos.tar", tmp_path / "out")
    assert "skipped" not in capsys.readouterr().err


def test_a_folder_that_exists_is_used_unchanged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.png").write_bytes(b"mine")
    unpack(write_archive(tmp_path / "photos.zip", FILES), tmp_path / "out")
    assert files_below(tmp_path / "out") == {"mine.png": b"mine"}
    assert "out already exists" in capsys.readouterr().err


def test_the_folder_does_not_appear_before_it_is_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(source: str, target: str) -> None:
        seen.extend(path.name for path in tmp_path.iterdir() if path.is_dir())
        raise KeyboardInterrupt

    seen: list[str] = []
    monkeypatch.setattr(os, "rename", stop)
    with pytest.raises(KeyboardInterrupt):
        unpack(write_archive(tmp_path / "photos.zip", FILES), tmp_path / "out")
    assert [name.partition(".")[0] + name[-5:] for name in seen] == ["out.part"]
    assert [path.name for path in tmp_path.iterdir()] == ["photos.zip"]


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz"])
@pytest.mark.parametrize("name", NAMES_THAT_LEAD_OUTSIDE)
def test_a_member_that_leads_outside_refuses_the_archive(tmp_path: Path, suffix: str, name: str) -> None:
    archive = write_archive(tmp_path / f"photos{suffix}", FILES | {name: b"hostile"})
    assert_refused(archive, f"'{name}' leads outside its folder")


def test_a_folder_that_leads_outside_refuses_the_archive(tmp_path: Path) -> None:
    with open_tar(tmp_path / "photos.tar") as tar:
        add_to_tar(tar, "../cat", kind=tarfile.DIRTYPE)
        add_to_tar(tar, "cat/0.png", b"a cat")
    assert_refused(tmp_path / "photos.tar", r"'\.\./cat' leads outside its folder")


def test_a_backslash_in_a_zip_refuses_the_archive(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "photos.zip", FILES | {r"..\0.png": b"hostile"})
    assert_refused(archive, r"'\.\.\\\\0\.png' has a backslash")


@pytest.mark.skipif(os.sep == "\\", reason="a backslash separates folders there")
def test_a_backslash_in_a_tar_is_an_ordinary_character(tmp_path: Path) -> None:
    files = {r"cat/back\slash.png": b"a cat"}
    assert files_below(unpack(write_archive(tmp_path / "photos.tar", files), tmp_path / "out")) == files


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
    archive = write_archive(tmp_path / f"photos{suffix}", FILES | {"cat/2.png": bytes(4 << 20)})
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
    tar = write_archive(tmp_path / "photos.tar", FILES)
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


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz"])
def test_an_archive_larger_than_the_free_space_is_refused(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = write_archive(tmp_path / f"photos{suffix}", FILES)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=10_000))
    with pytest.raises(OutputError, match="10,000 bytes that are free"):
        unpack(archive, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == [archive.name]


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_a_disk_that_runs_full_is_reported_and_nothing_is_left(
    tmp_path: Path, suffix: str, full_disk: Callable[[int], AbstractContextManager[None]]
) -> None:
    archive = write_archive(tmp_path / f"photos{suffix}", FILES)
    with full_disk(1000), pytest.raises(OutputError, match=r"cannot write .*1\.JPG"):
        unpack(archive, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == [archive.name]


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_too_many_members_are_refused(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeclf.train.data.archives.MAX_MEMBERS", 2)
    assert_refused(write_archive(tmp_path / f"photos{suffix}", FILES), "more than 2 members")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_archive_that_is_cut_off_is_refused(tmp_path: Path, suffix: str) -> None:
    archive = write_archive(tmp_path / f"photos{suffix}", FILES | {"photos/cat/9.png": os.urandom(20_000)})
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
    patch_zip(archive, 46, b"b", DIRECTORY)  # from now on the image is a bat
    assert_refused(archive, r"'bat/0\.png' cannot be read .*name")


def test_a_zip_entry_that_hides_later_ones_is_refused(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "photos.zip", FILES)
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


@pytest.mark.parametrize("suffix", DISTINCT_SUFFIXES)
def test_a_missing_archive_is_an_error(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(DatasetError, match="does not exist"):
        unpack(tmp_path / f"photos{suffix}", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_is_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "photos.tar.gz")
    assert_refused(tmp_path / "photos.tar.gz", "not a regular file")


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_an_archive_without_images_is_refused(tmp_path: Path, suffix: str) -> None:
    archive = write_archive(tmp_path / f"photos{suffix}", {"notes.txt": b"no image"})
    assert_refused(archive, r"holds no images \(looked for \.bmp")


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


def test_a_stored_zip_is_read(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "photos.zip", FILES, zipfile.ZIP_STORED)
    assert files_below(unpack(archive, tmp_path / "out")) == FILES


@pytest.mark.parametrize(
    ("stored", "flag", "name"),
    [
        ("café/猫.png".encode(), b"\x08", "café/猫.png"),
        ("├⌐.png".encode(), b"\x08", "├⌐.png"),
        ("café/猫.png".encode(), b"\x00", "café/猫.png"),
        ("café/0.png".encode("cp437"), b"\x00", "café/0.png"),
    ],
    ids=["utf-8", "utf-8 that is also valid code page 437", "utf-8 without its flag", "code page 437"],
)
def test_names_in_a_zip_are_read_as_they_were_written(tmp_path: Path, stored: bytes, flag: bytes, name: str) -> None:
    archive = write_archive(tmp_path / "photos.zip", {"x" * (len(stored) - 4) + ".png": b"a cat"})
    for signature, flags, start in ((DIRECTORY, 9, 46), (LOCAL, 7, 30)):
        patch_zip(archive, flags, flag, signature)
        patch_zip(archive, start, stored, signature)
    assert files_below(unpack(archive, tmp_path / "out")) == {name: b"a cat"}


def test_a_name_in_a_tar_that_is_not_utf8_keeps_its_bytes(tmp_path: Path) -> None:
    files = {os.fsdecode(b"caf\xe9/\xff.png"): b"a cat"}
    write_archive(tmp_path / "photos.tar", files)
    assert files_below(unpack(tmp_path / "photos.tar", tmp_path / "out")) == files


def test_a_name_with_a_nul_refuses_the_archive(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "photos.zip", {"cat/0_png.png": b"a cat"})
    patch_zip(archive, 46, b"cat/0\0", DIRECTORY)
    patch_zip(archive, 30, b"cat/0\0", LOCAL)
    assert_refused(archive, "leads outside its folder")


def test_if_another_run_unpacks_the_archive_first_its_folder_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rename_too_late(source: Path, target: Path) -> None:
        target.mkdir()
        (target / "0.png").write_bytes(b"the other run's")
        rename(source, target)

    rename = os.rename
    monkeypatch.setattr(os, "rename", rename_too_late)
    folder = unpack(write_archive(tmp_path / "photos.zip", FILES), tmp_path / "out")
    assert files_below(folder) == {"0.png": b"the other run's"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "photos.zip"]
