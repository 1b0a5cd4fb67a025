"""Archives: what comes out of honest ones, and that hostile and damaged ones leave nothing behind."""

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

FILES = {"photos/cat/0.png": b"a cat", "photos/cat/1.JPG": b"another cat" * 999, "photos/dog/0.png": b"a dog"}
SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
HOSTILE_NAMES = (
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


def write_zip(path: Path, files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def write_tar(path: Path, files: dict[str, bytes]) -> Path:
    mode = {".tar": "w", ".gz": "w:gz", ".tgz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz"}[path.suffix]
    with tarfile.open(path, mode) as archive:
        for name, data in files.items():
            add(archive, name, data)
    return path


def add(archive: tarfile.TarFile, name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "") -> None:
    member = tarfile.TarInfo(name)
    member.size, member.type, member.linkname = len(data), kind, link
    archive.addfile(member, io.BytesIO(data))


def write(path: Path, files: dict[str, bytes]) -> Path:
    return (write_zip if path.suffix == ".zip" else write_tar)(path, files)


def patch(archive: Path, signature: bytes, offset: int, value: bytes) -> None:
    """Overwrite a field of a zip's first record of one kind."""
    data = bytearray(archive.read_bytes())
    start = data.index(signature) + offset
    data[start : start + len(value)] = value
    archive.write_bytes(data)


def unpacked(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refuse(archive: Path, sentence: str) -> None:
    """Unpacking raises, and leaves the archive alone in its folder."""
    with pytest.raises(DatasetError, match=sentence):
        unpack(archive, archive.with_name("out"))
    assert [path.name for path in archive.parent.iterdir()] == [archive.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_images_come_out_as_they_went_in(tmp_path: Path, suffix: str) -> None:
    folder = unpack(write(tmp_path / f"photos{suffix}", FILES), tmp_path / "new" / "out")
    assert (folder, unpacked(folder)) == (tmp_path / "new" / "out", FILES)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_capitals_in_a_suffix_do_not_matter(tmp_path: Path, suffix: str) -> None:
    archive = write(tmp_path / f"photos{suffix}", FILES).rename(tmp_path / f"PHOTOS{suffix.upper()}")
    assert unpacked(unpack(archive, tmp_path / "out")) == FILES


@pytest.mark.parametrize("kind", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT], ids=["gnu", "pax", "ustar"])
def test_every_kind_of_tar_is_read(tmp_path: Path, kind: int) -> None:
    files = {f"{'long' * 20}/{'name' * 20}.png": b"an image"}
    with tarfile.open(tmp_path / "photos.tar", "w", format=kind) as archive:
        for name, data in files.items():
            add(archive, name, data)
    assert unpacked(unpack(tmp_path / "photos.tar", tmp_path / "out")) == files


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_names_lose_what_means_nothing(tmp_path: Path, suffix: str) -> None:
    archive = write(tmp_path / f"photos{suffix}", {"./cat/0.png": b"a cat", "dog//./0.png": b"a dog"})
    assert unpacked(unpack(archive, tmp_path / "out")) == {"cat/0.png": b"a cat", "dog/0.png": b"a dog"}


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_only_images_come_out_and_the_others_are_counted(
    tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    others = dict.fromkeys(("photos/run.sh", "photos/.0.png", "__MACOSX/photos/cat/0.png", ".git/0.png"), b"no image")
    archive = write(tmp_path / f"photos{suffix}", FILES | others)
    assert unpacked(unpack(archive, tmp_path / "out")) == FILES
    assert f"photos{suffix}: 3 images unpacked into {tmp_path / 'out'}; 4 other files skipped" in capsys.readouterr().err


def test_folders_in_an_archive_are_no_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with tarfile.open(tmp_path / "photos.tar", "w") as archive:
        add(archive, "photos.png", kind=tarfile.DIRTYPE)
        add(archive, "photos.png/0.png", b"a cat")
    unpack(tmp_path / "photos.tar", tmp_path / "out")
    assert "skipped" not in capsys.readouterr().err


def test_what_was_unpacked_before_is_used_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.png").write_bytes(b"mine")
    unpack(write_zip(tmp_path / "photos.zip", FILES), tmp_path / "out")
    assert unpacked(tmp_path / "out") == {"mine.png": b"mine"}
    assert "out is there already and is used as it is" in capsys.readouterr().err


def test_the_folder_does_not_appear_before_it_is_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(source: str, target: str) -> None:
        seen.extend(path.name for path in tmp_path.iterdir() if path.is_dir())
        raise KeyboardInterrupt

    seen: list[str] = []
    monkeypatch.setattr(os, "rename", stop)
    with pytest.raises(KeyboardInterrupt):
        unpack(write_zip(tmp_path / "photos.zip", FILES), tmp_path / "out")
    assert [name.partition(".")[0] + name[-5:] for name in seen] == ["out.part"]
    assert [path.name for path in tmp_path.iterdir()] == ["photos.zip"]


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_member_that_leads_outside_refuses_the_archive(tmp_path: Path, suffix: str, name: str) -> None:
    refuse(write(tmp_path / f"photos{suffix}", FILES | {name: b"hostile"}), f"the member '{name}' leads outside its folder")


def test_a_backslash_in_a_zip_refuses_the_archive(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "photos.zip", FILES | {r"..\0.png": b"hostile"})
    refuse(archive, r"the member '\.\.\\\\0\.png' has a backslash in its name")


@pytest.mark.skipif(os.sep == "\\", reason="a backslash parts folders there")
def test_a_backslash_in_a_tar_is_a_letter(tmp_path: Path) -> None:
    files = {r"cat/back\slash.png": b"a cat"}
    assert unpacked(unpack(write_tar(tmp_path / "photos.tar", files), tmp_path / "out")) == files


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
    with tarfile.open(tmp_path / "photos.tar", "w") as archive:
        add(archive, "photos/cat/0.png", b"a cat")
        add(archive, name, kind=kind, link=link)
    refuse(tmp_path / "photos.tar", f"the member '{name}' is a link or a device")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR], ids=["link", "fifo", "device"])
def test_a_link_or_device_in_a_zip_refuses_the_archive(tmp_path: Path, kind: int) -> None:
    member = zipfile.ZipInfo("photos/cat/2.png")
    member.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("photos/cat/0.png", b"a cat")
        archive.writestr(member, "/etc/passwd")
    refuse(tmp_path / "photos.zip", "the member 'photos/cat/2.png' is a link or a device")


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
@pytest.mark.parametrize(
    "names", [("cat/0.png", "cat/./0.png"), ("cat.png", "cat.png/0.png"), ("cat.png/0.png", "cat.png")], ids=str
)
def test_two_members_in_one_place_refuse_the_archive(tmp_path: Path, suffix: str, names: tuple[str, str]) -> None:
    archive = write(tmp_path / f"photos{suffix}", dict.fromkeys(names, b"a cat"))
    refuse(archive, f"the member '{names[1]}' is there twice, or as a file and as a folder")


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz", ".tar.bz2", ".tar.xz"])
def test_a_bomb_is_refused(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeclf.train.data.archives.RATIO_BYTES", 1 << 20)
    refuse(write(tmp_path / f"photos{suffix}", FILES | {"cat/2.png": bytes(4 << 20)}), "more than 200 times its")


def test_a_real_bomb_is_refused(tmp_path: Path) -> None:
    refuse(write_zip(tmp_path / "photos.zip", {"cat/2.png": bytes(101 << 20)}), "more than 200 times its")


def test_bombs_that_are_small_together_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeclf.train.data.archives.RATIO_BYTES", 1 << 20)
    bombs = {f"cat/{number}.png": bytes(1 << 18) for number in range(6)}
    refuse(write_zip(tmp_path / "photos.zip", bombs), "more than 200 times its")


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.bz2", ".tar.xz"])
@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME], ids=["file", "pax", "name"])
def test_a_bomb_that_would_be_skipped_is_refused(
    tmp_path: Path, suffix: str, kind: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeclf.train.data.archives.RATIO_BYTES", 1 << 20)
    with tarfile.open(tmp_path / f"photos{suffix}", f"w:{suffix[5:]}") as archive:
        add(archive, "notes.txt", bytes(4 << 20), kind)
        add(archive, "cat/0.png", b"a cat")
    refuse(tmp_path / f"photos{suffix}", "more than 200 times its|a header that declares 4,194,304 bytes")


def test_a_bomb_behind_the_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeclf.train.data.archives.RATIO_BYTES", 1 << 20)
    write_tar(tmp_path / "photos.tar", FILES)
    (tmp_path / "photos.tar.gz").write_bytes(gzip.compress((tmp_path / "photos.tar").read_bytes() + bytes(4 << 20)))
    (tmp_path / "photos.tar").unlink()
    refuse(tmp_path / "photos.tar.gz", "more than 200 times its")


@pytest.mark.parametrize("size", [MAX_BYTES + 1, 1 << 60])
def test_a_tar_that_declares_too_much_is_refused_at_its_header(tmp_path: Path, size: int) -> None:
    member = tarfile.TarInfo("cat/0.png")
    member.size = size
    (tmp_path / "photos.tar").write_bytes(member.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    refuse(tmp_path / "photos.tar", "unpacks to more than 68,719,476,736 bytes")


def test_a_sparse_tar_is_counted_by_what_it_unpacks_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeclf.train.data.archives.RATIO_BYTES", 1 << 20)
    with tarfile.open(tmp_path / "photos.tar", "w") as archive:
        member = tarfile.TarInfo("cat/0.png")
        member.pax_headers = {"GNU.sparse.map": "0,5", "GNU.sparse.size": str(1 << 30)}
        member.size = 5
        archive.addfile(member, io.BytesIO(b"a cat"))
    refuse(tmp_path / "photos.tar", "more than 200 times its")


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_more_than_the_free_space_is_refused(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = write(tmp_path / f"photos{suffix}", FILES)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=10_000))
    with pytest.raises(OutputError, match="unpacks to more than the 10,000 bytes that are free"):
        unpack(archive, tmp_path / "out")


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_a_disk_that_runs_full_is_named_and_nothing_stays(
    tmp_path: Path, suffix: str, full_disk: Callable[[int], AbstractContextManager[None]]
) -> None:
    archive = write(tmp_path / f"photos{suffix}", FILES)
    with full_disk(1000), pytest.raises(OutputError, match=r"cannot write .*1\.JPG"):
        unpack(archive, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == [archive.name]


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_too_many_members_are_refused(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeclf.train.data.archives.MAX_MEMBERS", 2)
    refuse(write(tmp_path / f"photos{suffix}", FILES), "has more than 2 members")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_archive_that_ends_too_soon_is_refused(tmp_path: Path, suffix: str) -> None:
    archive = write(tmp_path / f"photos{suffix}", FILES | {"photos/cat/9.png": os.urandom(20_000)})
    archive.write_bytes(archive.read_bytes()[:-15_000])
    refuse(archive, "cannot be unpacked .*; download or pack it again")


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz", ".tar.bz2", ".tar.xz"])
def test_an_archive_with_a_changed_byte_is_refused(tmp_path: Path, suffix: str) -> None:
    archive = write(tmp_path / f"photos{suffix}", {"cat/0.png": os.urandom(5000)})
    data = bytearray(archive.read_bytes())
    data[2000] ^= 1
    archive.write_bytes(data)
    refuse(archive, "cannot be unpacked")


def test_a_damaged_header_inside_a_tar_is_not_its_end(tmp_path: Path) -> None:
    archive = write_tar(tmp_path / "photos.tar", {"cat/0.png": b"a cat", "cat/1.png": b"another", "cat/2.png": b"a third"})
    data = bytearray(archive.read_bytes())
    data[1024] ^= 1
    archive.write_bytes(data)
    refuse(archive, "cannot be unpacked")


def test_a_tar_without_its_end_is_refused(tmp_path: Path) -> None:
    archive = write_tar(tmp_path / "photos.tar", {"cat/0.png": b"a cat", "cat/1.png": b"another"})
    archive.write_bytes(archive.read_bytes()[:1024])
    refuse(archive, "cannot be unpacked")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("content", [b"", b"no archive" * 200, bytes(20_000)], ids=["empty", "text", "zeros"])
def test_what_is_no_archive_is_refused(tmp_path: Path, suffix: str, content: bytes) -> None:
    (tmp_path / f"photos{suffix}").write_bytes(content)
    refuse(tmp_path / f"photos{suffix}", "cannot be unpacked|holds no images")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_archive_that_is_missing_is_refused(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(DatasetError, match=r"cannot be unpacked .*No such file"):
        unpack(tmp_path / f"photos{suffix}", tmp_path / "out")


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_an_archive_without_images_is_refused(tmp_path: Path, suffix: str) -> None:
    refuse(write(tmp_path / f"photos{suffix}", {"notes.txt": b"no image"}), r"holds no images \(looked for \.bmp")


@pytest.mark.parametrize(
    ("size", "sentence"),
    [(9, "the member 'cat/0.png' is not as long as it says"), (3, "cannot be unpacked .*CRC"), (1 << 20, "not as long")],
    ids=["longer", "shorter", "much longer"],
)
def test_a_zip_that_declares_another_size_is_refused(tmp_path: Path, size: int, sentence: str) -> None:
    archive = write_zip(tmp_path / "photos.zip", {"cat/0.png": b"a cat"})
    patch(archive, b"PK\1\2", 24, struct.pack("<L", size))
    refuse(archive, sentence)


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "photos.zip", {"cat/0.png": b"a cat"})
    patch(archive, b"PK\1\2", 8, b"\1")
    patch(archive, b"PK\3\4", 6, b"\1")
    refuse(archive, "the member 'cat/0.png' is encrypted")


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=["bzip2", "lzma"])
def test_a_zip_method_that_can_fill_the_memory_is_refused(tmp_path: Path, compression: int) -> None:
    archive = write_zip(tmp_path / "photos.zip", {"cat/0.png": b"a cat"}, compression)
    refuse(archive, "the member 'cat/0.png' is packed by another method than deflate")


def test_a_stored_zip_is_read(tmp_path: Path) -> None:
    assert unpacked(unpack(write_zip(tmp_path / "photos.zip", FILES, zipfile.ZIP_STORED), tmp_path / "out")) == FILES


@pytest.mark.parametrize(
    ("stored", "flag", "name"),
    [
        ("café/猫.png".encode(), b"\x08", "café/猫.png"),
        ("├⌐.png".encode(), b"\x08", "├⌐.png"),
        ("café/猫.png".encode(), b"\x00", "café/猫.png"),
        ("café/0.png".encode("cp437"), b"\x00", "café/0.png"),
    ],
    ids=["utf-8", "utf-8 that could be read twice", "utf-8 without its flag", "code page 437"],
)
def test_names_in_a_zip_are_read_as_they_were_written(tmp_path: Path, stored: bytes, flag: bytes, name: str) -> None:
    archive = write_zip(tmp_path / "photos.zip", {"x" * (len(stored) - 4) + ".png": b"a cat"})
    for signature, flags, start in ((b"PK\1\2", 9, 46), (b"PK\3\4", 7, 30)):
        patch(archive, signature, flags, flag)
        patch(archive, signature, start, stored)
    assert unpacked(unpack(archive, tmp_path / "out")) == {name: b"a cat"}


def test_a_name_in_a_tar_that_is_not_utf8_keeps_its_bytes(tmp_path: Path) -> None:
    write_tar(tmp_path / "photos.tar", {os.fsdecode(b"caf\xe9/\xff.png"): b"a cat"})
    assert unpacked(unpack(tmp_path / "photos.tar", tmp_path / "out")) == {os.fsdecode(b"caf\xe9/\xff.png"): b"a cat"}


def test_a_name_with_a_nul_refuses_the_archive(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "photos.zip", {"cat/0_png.png": b"a cat"})
    patch(archive, b"PK\1\2", 46, b"cat/0\0")
    patch(archive, b"PK\3\4", 30, b"cat/0\0")
    refuse(archive, "leads outside its folder")


def test_a_run_that_unpacks_the_same_archive_faster_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(source: Path, target: Path) -> None:
        target.mkdir()
        (target / "0.png").write_bytes(b"the other run's")
        rename(source, target)

    rename = os.rename
    monkeypatch.setattr(os, "rename", late)
    folder = unpack(write_zip(tmp_path / "photos.zip", FILES), tmp_path / "out")
    assert unpacked(folder) == {"0.png": b"the other run's"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "photos.zip"]
