"""What the tests of sources share: file names that have broken programs."""

import os
from pathlib import Path

import pytest


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
