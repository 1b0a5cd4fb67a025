"""What tests of sources share: names that no program likes, and writers of archives."""

import io
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

WriteArchive = Callable[[Path, dict[str, bytes]], Path]


@pytest.fixture(scope="session")
def hostile_names() -> frozenset[bytes]:
    """File names of images, of every kind that has ever broken a program."""
    return frozenset(
        [
            b"new\nline.png",
            b"tab\tand\rreturn.png",
            b"\x1b[31mred.png",
            b"-rf.png",
            b"=1+1.png",
            b"+1.png",
            b'"quoted".png',
            b"it's.png",
            b"a, b.png",
            b"back\\nslash.png",
            b"caf\xe9.png",
            "\u202egpj.exe.png".encode(),
            "ไม้ 🐱.png".encode(),
            b"n" * 251 + b".png",
            b"   .png",
            b" a .png",
            b"*?[a-z].png",
            b"@x.png",
            b"-.png",
            b"a:b.png",
            b"x.csv:path.png",
            b"%s%n{0}.png",
            b"$(ls)`ls`.png",
            b"a.png#2.png",
            b"~.png",
            b"a..png",
        ]
    )


@pytest.fixture
def hostile_folder(tmp_path: Path, hostile_names: frozenset[bytes]) -> Path:
    """The folder `odd` with an empty file of each hostile name."""
    folder = tmp_path / "odd"
    folder.mkdir()
    for name in hostile_names:
        (folder / os.fsdecode(name)).touch()
    return folder


@pytest.fixture(scope="session")
def write_zip() -> WriteArchive:
    """`write_zip(path, {name: data})`, packed by deflate."""

    def write(path: Path, files: dict[str, bytes]) -> Path:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        return path

    return write


@pytest.fixture(scope="session")
def write_tar() -> WriteArchive:
    """`write_tar(path, {name: data})`, packed as the suffix says."""

    def write(path: Path, files: dict[str, bytes]) -> Path:
        mode = {".tar": "w", ".gz": "w:gz", ".tgz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz"}[path.suffix.lower()]
        with tarfile.open(path, mode) as archive:
            for name, data in files.items():
                member = tarfile.TarInfo(name)
                member.size, member.mtime = len(data), 1_700_000_000
                archive.addfile(member, io.BytesIO(data))
        return path

    return write


@pytest.fixture(scope="session")
def write_archive(write_zip: WriteArchive, write_tar: WriteArchive) -> WriteArchive:
    """Either of them, as the suffix says."""
    return lambda path, files: (write_zip if path.suffix.lower() == ".zip" else write_tar)(path, files)
