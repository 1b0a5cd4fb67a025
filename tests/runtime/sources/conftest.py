"""What the tests of sources share: file names that have broken programs, videos, and folders to watch."""

import os
from functools import cache
from pathlib import Path

import pytest

from edgeclf.runtime import open_source
from edgeclf.runtime.sources import new_files, watched_folders
from tests.support.video_files import Video, noise, write_video
from tests.support.watching import Clock, Watch


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
def video(tmp_path_factory: pytest.TempPathFactory) -> Video:
    """`video(name, fps)` is a video of 40 frames, which is encoded once. Read only."""
    folder = tmp_path_factory.mktemp("videos")

    @cache
    def write(name: str, fps: float) -> Path:
        path = folder / str(fps) / name
        path.parent.mkdir(exist_ok=True)
        return write_video(path, noise(40), fps)

    return write


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The watched folders' time is a Clock."""
    clock = Clock()
    monkeypatch.setattr(new_files, "time", clock)
    monkeypatch.setattr(watched_folders, "time", clock)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder `in` with an image a.png in it."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(b"a")
    return tmp_path / "in"


@pytest.fixture
def watch(folder: Path, clock: None) -> Watch:
    """Starts to watch the folder `in`."""
    return lambda **options: iter(open_source(str(folder), watch=True, **options))
