"""Archives are unpacked completely, or not at all."""

import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgeclf.runtime.errors import DatasetError, OutputError
from edgeclf.train.data.archives import unpack
from tests.support.archives import (
    DIRECTORY,
    DISTINCT_SUFFIXES,
    LOCAL,
    SUFFIXES,
    add_to_tar,
    open_tar,
    patch_zip,
    write_archive,
    write_zip_without_zip64,
)
from tests.support.unpacking import PHOTOS, assert_refused, files_below


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_images_are_unpacked_unchanged(tmp_path: Path, suffix: str) -> None:
    folder = unpack(write_archive(tmp_path / f"photos{suffix}", PHOTOS), tmp_path / "new" / "out")
    assert (folder, files_below(folder)) == (tmp_path / "new" / "out", PHOTOS)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_suffix_may_be_in_capitals(tmp_path: Path, suffix: str) -> None:
    archive = write_archive(tmp_path / f"photos{suffix}", PHOTOS).rename(tmp_path / f"PHOTOS{suffix.upper()}")
    assert files_below(unpack(archive, tmp_path / "out")) == PHOTOS


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
    others = dict.fromkeys(
        ("photos/run.sh", "photos/.0.png", "__MACOSX/photos/cat/0.png", "photos/@eaDir/0.png/x.png", ".git/0.png"),
        b"no image",
    )
    archive = write_archive(tmp_path / f"photos{suffix}", PHOTOS | others)
    assert files_below(unpack(archive, tmp_path / "out")) == PHOTOS
    assert f"photos{suffix}: 3 images unpacked into {tmp_path / 'out'}; 5 other files skipped" in capsys.readouterr().err


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
    unpack(write_archive(tmp_path / "photos.zip", PHOTOS), tmp_path / "out")
    assert files_below(tmp_path / "out") == {"mine.png": b"mine"}
    assert "out already exists" in capsys.readouterr().err


def test_the_folder_does_not_appear_before_it_is_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(source: str, target: str) -> None:
        seen.extend(path.name for path in tmp_path.iterdir() if path.is_dir())
        raise KeyboardInterrupt

    seen: list[str] = []
    monkeypatch.setattr(os, "rename", stop)
    with pytest.raises(KeyboardInterrupt):
        unpack(write_archive(tmp_path / "photos.zip", PHOTOS), tmp_path / "out")
    assert [name.partition(".")[0] + name[-5:] for name in seen] == ["out.part"]
    assert [path.name for path in tmp_path.iterdir()] == ["photos.zip"]


@pytest.mark.skipif(os.sep == "\\", reason="a backslash separates folders there")
def test_a_backslash_in_a_tar_is_an_ordinary_character(tmp_path: Path) -> None:
    files = {r"cat/back\slash.png": b"a cat"}
    assert files_below(unpack(write_archive(tmp_path / "photos.tar", files), tmp_path / "out")) == files


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz"])
def test_an_archive_larger_than_the_free_space_is_refused(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = write_archive(tmp_path / f"photos{suffix}", PHOTOS)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=10_000))
    with pytest.raises(OutputError, match="10,000 bytes that are free"):
        unpack(archive, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == [archive.name]


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_a_disk_that_runs_full_is_reported_and_nothing_is_left(
    tmp_path: Path, suffix: str, full_disk: Callable[[int], AbstractContextManager[None]]
) -> None:
    archive = write_archive(tmp_path / f"photos{suffix}", PHOTOS)
    with full_disk(1000), pytest.raises(OutputError, match=r"cannot write .*1\.JPG"):
        unpack(archive, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == [archive.name]


@pytest.mark.parametrize("suffix", DISTINCT_SUFFIXES)
def test_a_missing_archive_is_an_error(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(DatasetError, match="does not exist"):
        unpack(tmp_path / f"photos{suffix}", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_an_archive_without_images_is_refused(tmp_path: Path, suffix: str) -> None:
    archive = write_archive(tmp_path / f"photos{suffix}", {"notes.txt": b"no image"})
    assert_refused(archive, r"holds no images \(looked for \.bmp")


def test_a_stored_zip_is_read(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "photos.zip", PHOTOS, zipfile.ZIP_STORED)
    assert files_below(unpack(archive, tmp_path / "out")) == PHOTOS


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


def test_if_another_run_unpacks_the_archive_first_its_folder_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rename_too_late(source: Path, target: Path) -> None:
        target.mkdir()
        (target / "0.png").write_bytes(b"the other run's")
        rename(source, target)

    rename = os.rename
    monkeypatch.setattr(os, "rename", rename_too_late)
    folder = unpack(write_archive(tmp_path / "photos.zip", PHOTOS), tmp_path / "out")
    assert files_below(folder) == {"0.png": b"the other run's"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "photos.zip"]


def test_zip_of_macos_above_4_gib_is_unpacked_whole(tmp_path: Path) -> None:
    members: dict[str, bytes | int] = {
        "cat/0.png": b"a cat",
        "film.mov": (1 << 32) + 1000,
        "cat/1.png": b"a cat",
        "dog/0.png": b"a dog",
    }
    folder = unpack(write_zip_without_zip64(tmp_path / "photos.zip", members), tmp_path / "out")
    assert files_below(folder) == {name: data for name, data in members.items() if isinstance(data, bytes)}
