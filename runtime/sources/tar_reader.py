"""The members of a tar file, one by one: read in place if it is uncompressed, in a single pass if it is compressed."""

import bz2
import gzip
import io
import lzma
import os
import tarfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from edgeclf.runtime.errors import Reason
from edgeclf.runtime.images.preprocess import ImageLike
from edgeclf.runtime.sources.archive_member import ArchiveFile, Member, MemberKind, TarMember, is_image_member
from edgeclf.runtime.sources.unreadable import DAMAGE_ERRORS, UnreadableImage, image_error, require_size

_CHUNK_BYTES = 1 << 20
_MAX_NAME_BYTES = 1 << 20
_MAX_TIME_S = 1 << 33  # the year 2242; nanoseconds of a nonsensical time would not fit into 64 bits
_META_TYPES = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


_DECOMPRESSORS: dict[str, Callable[[str], AbstractContextManager[_Readable]]] = {
    ".gz": gzip.GzipFile,
    ".tgz": gzip.GzipFile,
    ".bz2": bz2.BZ2File,
    ".xz": lzma.LZMAFile,
}
"""By the last suffix of a compressed tar, in lower case."""


def tar_members(archive: ArchiveFile, wanted: Callable[[str], bool] = is_image_member) -> Iterator[Member]:
    """The members of an uncompressed tar. Raises one of DAMAGE_ERRORS where it is damaged."""
    with archive.open() as file, tarfile.open(fileobj=file, mode="r:", tarinfo=_StrictHeader, encoding="utf-8") as tar:
        for header in _headers(tar):
            yield _member(header, TarMember(archive, header.offset_data, header.size), wanted)


def packed_tar_members(
    archive: ArchiveFile, max_image_bytes: int, wanted: Callable[[str], bool] = is_image_member
) -> Iterator[Member]:
    """The members of a compressed tar, which can only be read from start to end. Each wanted file is bytes.

    Raises one of DAMAGE_ERRORS where it is damaged, or unpacks to far more than images do.
    """
    with _DECOMPRESSORS[os.path.splitext(archive.path)[1].lower()](archive.path) as unpacked:
        stream = _LimitedStream(unpacked, archive)
        with tarfile.open(fileobj=stream, mode="r|", tarinfo=_StrictHeader, encoding="utf-8") as tar:
            for header in _headers(tar):
                image = _read_image(tar, header, max_image_bytes) if _is_wanted(header, wanted) else b""
                yield _member(header, image, wanted)
                if isinstance(image, UnreadableImage) and image.error.reason != Reason.TOO_LARGE:
                    raise image.error  # no member after it can be found
        while stream.read(_CHUNK_BYTES):  # up to the end, where the checksum is
            pass


class _StrictHeader(tarfile.TarInfo):
    """Raises for a damaged or missing header. `tarfile` takes it for the end of the archive and drops all later members."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_StrictHeader":
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if len(buf) < tarfile.BLOCKSIZE:
                raise EOFError("it ends without its end mark") from None
            if not any(buf):
                raise  # the regular end mark
            raise tarfile.ReadError(str(error)) from None
        if header.size < 0 or (header.type in _META_TYPES and header.size > _MAX_NAME_BYTES):
            raise tarfile.ReadError(f"a header that declares {header.size:,} bytes")  # tarfile would read on forever
        return header


class _LimitedStream(io.BufferedIOBase):
    """A decompressed stream that raises ImageError `too_large` if it yields far too much, whatever its headers declare."""

    def __init__(self, unpacked: _Readable, archive: ArchiveFile) -> None:
        self._unpacked = unpacked
        self._archive = archive
        self._done_bytes = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = self._unpacked.read(-1 if size is None else size)
        self._done_bytes += len(data)
        self._archive.require_ratio(self._done_bytes)
        return data


def _headers(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """All headers in order."""
    last = -1
    while (header := tar.next()) is not None:
        tar.members = []  # type: ignore[attr-defined]  # tarfile would keep millions of them
        if header.offset <= last or header.size < 0:  # a later header may have changed the size that was checked
            raise tarfile.ReadError("a header that leads back to an earlier one")
        last = header.offset
        yield header


def _is_wanted(header: tarfile.TarInfo, wanted: Callable[[str], bool]) -> bool:
    return _kind(header) is MemberKind.FILE and wanted(header.name)


def _kind(header: tarfile.TarInfo) -> MemberKind:
    if header.isdir():
        return MemberKind.FOLDER
    return MemberKind.FILE if header.isreg() and not header.issparse() else MemberKind.SPECIAL


def _member(header: tarfile.TarInfo, image: ImageLike, wanted: Callable[[str], bool]) -> Member:
    if not _is_wanted(header, wanted):
        return Member(header.name, kind=_kind(header))
    time_ns = int(header.mtime * 1_000_000_000) if 0 <= header.mtime < _MAX_TIME_S else -1
    return Member(header.name, image, header.size, time_ns)


def _read_image(tar: tarfile.TarFile, header: tarfile.TarInfo, max_bytes: int) -> ImageLike:
    try:
        require_size(header.size, max_bytes)
        file = tar.extractfile(header)
        assert file is not None  # it is None only for links and devices
        return file.read()
    except DAMAGE_ERRORS as error:
        return UnreadableImage(image_error(error))
