"""The members of a tar file, one by one: looked up where it is plain, read on the way where it is packed."""

import bz2
import gzip
import io
import lzma
import os
import tarfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from edgeclf.runtime.errors import ImageError, Reason
from edgeclf.runtime.images.preprocess import ImageLike
from edgeclf.runtime.sources.archive_member import ArchiveFile, Member, Slice, is_wanted
from edgeclf.runtime.sources.unreadable import DAMAGE, Broken, image_error, require_size

MAX_PACKED_BYTES = 64 << 20
"""The largest image from a packed tar: it is in memory from the moment when the tar is read past it."""
MAX_RATIO = 200
"""What a packed tar may unpack to for each of its own bytes, once that is more than RATIO_BYTES; images are close to 1."""
RATIO_BYTES = 100 << 20

_CHUNK_BYTES = 1 << 20
_MAX_NAME_BYTES = 1 << 20
_LAST_SECOND = 1 << 33  # the year 2242: a time that is no time would not fit into 64 bits of nanoseconds
_META_TYPES = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


UNPACKERS: dict[str, Callable[[str | os.PathLike[str]], AbstractContextManager[Readable]]] = {
    ".tar": io.FileIO,
    ".gz": gzip.GzipFile,
    ".tgz": gzip.GzipFile,
    ".bz2": bz2.BZ2File,
    ".xz": lzma.LZMAFile,
}
"""By the last suffix of a tar file, in small letters."""


def tar_members(archive: ArchiveFile) -> Iterator[Member]:
    """The files of a plain tar. Raises one of DAMAGE where it is damaged."""
    with archive.opened() as file, tarfile.open(fileobj=file, mode="r:", tarinfo=StrictHeader, encoding="utf-8") as tar:
        for header in _headers(tar):
            yield _member(header, Slice(archive, header.offset_data, header.size))


def packed_tar_members(archive: ArchiveFile) -> Iterator[Member]:
    """As `tar_members` for a packed tar, which can only be read from its start to its end: each image is bytes."""
    limit = max(RATIO_BYTES, archive.size_bytes * MAX_RATIO)
    with UNPACKERS[os.path.splitext(archive.path)[1].lower()](archive.path) as stream:
        metered = Metered(stream, lambda done_bytes: _require_ratio(done_bytes, limit))
        with tarfile.open(fileobj=metered, mode="r|", tarinfo=StrictHeader, encoding="utf-8") as tar:
            for header in _headers(tar):
                image = _read_now(tar, header) if _is_wanted(header) else b""
                yield _member(header, image)
                if isinstance(image, Broken) and image.error.reason != Reason.TOO_LARGE:
                    raise image.error  # nothing behind it can be found
        while metered.read(_CHUNK_BYTES):  # to the end, where the check sum stands
            pass


class StrictHeader(tarfile.TarInfo):
    """A damaged or missing header raises; `tarfile` takes it for the end, and half of the images would be missing."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "StrictHeader":
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if len(buf) < tarfile.BLOCKSIZE:
                raise EOFError("it ends without its end mark") from None
            if not any(buf):
                raise  # the end, as it should be
            raise tarfile.ReadError(str(error)) from None
        if header.size < 0 or (header.type in _META_TYPES and header.size > _MAX_NAME_BYTES):
            raise tarfile.ReadError(f"a header that declares {header.size:,} bytes")  # tarfile would read on for ever
        return header


class Metered(io.BufferedIOBase):
    """A stream that does not unpack without end, whatever its headers say: `check` gets the bytes so far, and raises."""

    def __init__(self, stream: Readable, check: Callable[[int], None]) -> None:
        self._stream = stream
        self._check = check
        self._done_bytes = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = self._stream.read(-1 if size is None else size)
        self._done_bytes += len(data)
        self._check(self._done_bytes)
        return data


def _headers(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Files and links, in order."""
    last = -1
    while (header := tar.next()) is not None:
        tar.members = []  # type: ignore[attr-defined]  # it would keep millions
        if header.offset <= last or header.size < 0:  # a later header may have changed the size that was checked
            raise tarfile.ReadError("a header that leads back to an earlier one")
        last = header.offset
        if not header.isdir():
            yield header


def _is_wanted(header: tarfile.TarInfo) -> bool:
    return header.isreg() and not header.issparse() and is_wanted(header.name)


def _member(header: tarfile.TarInfo, image: ImageLike) -> Member:
    if not _is_wanted(header):
        return Member(header.name)
    time_ns = int(header.mtime * 1_000_000_000) if 0 <= header.mtime < _LAST_SECOND else -1
    return Member(header.name, image, header.size, time_ns)


def _read_now(tar: tarfile.TarFile, header: tarfile.TarInfo) -> ImageLike:
    try:
        require_size(header.size, MAX_PACKED_BYTES)
        file = tar.extractfile(header)
        assert file is not None  # only so for links and the like
        return file.read()
    except DAMAGE as error:
        return Broken(image_error(error))


def _require_ratio(done_bytes: int, limit: int) -> None:
    if done_bytes > limit:
        raise ImageError(Reason.TOO_LARGE, f"it unpacks to more than {limit:,} bytes, as images do not")
