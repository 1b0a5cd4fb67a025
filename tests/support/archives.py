"""Writing zip and tar files of every kind, damaging them, and reading the images in them as sources."""

import io
import struct
import tarfile
import zipfile
import zlib
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
_MASK = 0xFFFFFFFF


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


def write_zip_without_zip64(
    path: Path, members: Mapping[str, bytes | int], compression: int = zipfile.ZIP_STORED, prefix: bytes = b""
) -> Path:
    """A zip as macOS writes it: sizes and offsets modulo 2^32, the number of members modulo 65,536.

    A number instead of data is a member of that many bytes, all of them a hole in the file, which takes no space on disk.
    """
    entries = []
    with open(path, "wb") as file:
        file.write(prefix)
        for name, data in members.items():
            place = (file.tell() - len(prefix)) & _MASK
            facts = _facts(data, compression, len(name.encode()))
            entries.append(DIRECTORY + b"\x14\0" + facts + struct.pack("<3H2L", 0, 0, 0, 0, place) + name.encode())
            file.write(LOCAL + facts + name.encode())
            if isinstance(data, bytes):
                file.write(_packed(data, compression))
            else:
                file.seek(data, 1)
        start, count, directory = (file.tell() - len(prefix)) & _MASK, len(members) & 0xFFFF, b"".join(entries)
        file.write(directory + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(directory), start, 0))
    return path


def _facts(data: bytes | int, compression: int, name_bytes: int) -> bytes:
    """What both records of a member have in common."""
    if isinstance(data, int):
        return struct.pack("<5H3L2H", 20, 0, zipfile.ZIP_STORED, 0, 33, 0, data & _MASK, data & _MASK, name_bytes, 0)
    sizes = (len(_packed(data, compression)), len(data))
    return struct.pack("<5H3L2H", 20, 0, compression, 0, 33, zlib.crc32(data), *sizes, name_bytes, 0)


def _packed(data: bytes, method: int) -> bytes:
    return data if method == zipfile.ZIP_STORED else zlib.compress(data, wbits=-zlib.MAX_WBITS)
