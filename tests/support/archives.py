"""Writing zip and tar files of every kind, damaging them, and reading the images in them as sources."""

import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from edgeclf.runtime import open_source
from edgeclf.runtime.errors import ImageError, Reason
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.images.preprocess import read_bytes

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
DISTINCT_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tar.bz2", ".tar.xz")
"""One suffix per format."""
MTIME_S = 1_700_000_000
"""The time of every member that `write_archive` puts into a tar."""

DIRECTORY, LOCAL = b"PK\1\2", b"PK\3\4"
"""The signatures of the two records that a zip has for each member: in its directory, and in front of the data."""


def write_archive(path: Path, files: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    """A zip or tar file, as its suffix says. compression: for zip files."""
    if path.suffix.lower() == ".zip":
        with zipfile.ZipFile(path, "w", compression) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        return path
    with open_tar(path) as tar:
        for name, data in files.items():
            add_to_tar(tar, name, data)
    return path


def open_tar(path: Path, tar_format: int = tarfile.PAX_FORMAT) -> tarfile.TarFile:
    """A tar to write to, compressed as its suffix says. tar_format: such as tarfile.GNU_FORMAT."""
    compression = {".tar": "", ".tgz": "gz"}.get(path.suffix.lower(), path.suffix.lower()[1:])
    return tarfile.open(path, f"w:{compression}", format=tar_format)  # type: ignore[call-overload,no-any-return]


def add_to_tar(tar: tarfile.TarFile, name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "") -> None:
    member = tarfile.TarInfo(name)
    member.size, member.type, member.linkname, member.mtime = len(data), kind, link, MTIME_S
    tar.addfile(member, io.BytesIO(data))


def patch_zip(archive: Path, offset: int, value: bytes, signature: bytes = DIRECTORY) -> None:
    """Overwrite a field of a zip's first record with this signature. offset: from the start of the record."""
    data = bytearray(archive.read_bytes())
    start = data.index(signature) + offset
    data[start : start + len(value)] = value
    archive.write_bytes(data)


def frames(archive: Path) -> list[Frame]:
    return [frame for frame in open_source(str(archive)) if frame is not None]


def read(frame: Frame) -> bytes | Reason:
    """The frame's bytes, or the reason why it cannot be read."""
    try:
        return read_bytes(frame.image)  # type: ignore[arg-type]
    except ImageError as error:
        return error.reason


def images(archive: Path) -> dict[str, bytes | Reason]:
    """All frames of an archive by their paths."""
    return {frame.path: read(frame) for frame in frames(archive)}
