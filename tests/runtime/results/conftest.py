"""What the tests of results share: one file to copy, move or link, and where it goes."""

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.files import CONTENT, MTIME_NS


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in" / os.fsdecode(b"caf\xe9\n.jpg")
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    os.utime(path, ns=(MTIME_NS, MTIME_NS))
    return path


@pytest.fixture
def target(source: Path, tmp_path: Path) -> Path:
    return tmp_path / "out" / "cat" / source.name


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder on another file system."""
    if not os.path.isdir("/dev/shm") or os.stat("/dev/shm").st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system here")
    with TemporaryDirectory(prefix="edgeclf-test-", dir="/dev/shm") as folder:
        yield Path(folder)
