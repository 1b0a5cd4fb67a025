"""What the tests of unpacking share: a good set of images, and what it means that an archive is refused."""

from pathlib import Path

import pytest

from edgeclf.runtime.errors import DatasetError
from edgeclf.train.data.archives import unpack

PHOTOS = {"photos/cat/0.png": b"a cat", "photos/cat/1.JPG": b"another cat" * 999, "photos/dog/0.png": b"a dog"}


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_refused(archive: Path, pattern: str) -> None:
    """Unpacking raises, and leaves only the archive in its folder."""
    with pytest.raises(DatasetError, match=pattern):
        unpack(archive, archive.with_name("out"))
    assert [path.name for path in archive.parent.iterdir()] == [archive.name]
