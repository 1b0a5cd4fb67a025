"""Files below a URI such as s3://bucket/photos, or below a local folder: the one place that knows what a URI is."""

import errno
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote

from edgeclf.runtime.errors import OptionError, OutputError
from edgeclf.runtime.storage.atomic_write import make_folder, publish_bytes
from edgeclf.runtime.storage.files import Files, StoredFile, StoreError

_URI = re.compile(r"(?:[a-z][a-z0-9+.-]*::)*([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
_OF_ARROW = "file s3 gs gcs abfs abfss hdfs viewfs"
_OF_FSSPEC = (
    "s3a az adl webhdfs sftp ssh ftp smb webdav oss oci ocilake tos dbfs lakefs box dropbox gdrive hf github zip tar "
    "libarchive local memory"
)
_SCHEMES = frozenset(f"{_OF_ARROW} {_OF_FSSPEC}".split())
"""Not all that fsspec knows: http:// is a camera here, and a slip of the keyboard should not ask for a package."""
_OPTIONS = re.compile(r"\?([\w.-]+=[^?]*)$")  # any other ? is part of a name
_PASSWORD = re.compile(r"://[^/:@]*:(?!\d+(?:/|$))[^@]*@")  # a port is none
_SECRET_OPTION = re.compile(r"(?:^|&)[^=&]*(?:secret|token|key|pass|pwd|sig|cred)[^=&]*=", re.IGNORECASE)


def is_uri(name: str) -> bool:
    """Whether it begins as `s3://`, `file://` or `zip://...::s3://` do; the addresses of network cameras are none.

    >>> is_uri("s3://bucket/a.jpg"), is_uri("rtsp://10.0.0.7/live"), is_uri("C:/a.jpg")
    (True, False, False)
    """
    match = _URI.match(name)
    return match is not None and (match[1].lower() in _SCHEMES or "::" in match[0])


def local_name(name: str) -> str:
    """The path that a `file://` URI means; any other name as it is.

    >>> local_name("file:///data/a%20b.jpg"), local_name("s3://bucket/a%20b.jpg")
    ('/data/a b.jpg', 's3://bucket/a%20b.jpg')
    """
    if name[:7].lower() != "file://":
        return name
    return unquote(name[7:].removeprefix("localhost"), errors="surrogateescape")


@dataclass(frozen=True, slots=True)
class Store:
    """A folder, or one file, where a URI or a local name says; may be pickled, and used from any thread.

    uri: as it was named, without options and without a slash at the end: what goes before `/path` in a row. address: the
    same with options, or an absolute local path. Paths are those below it; the empty one means the store itself. All
    methods raise StoreError, or OutputError where they write; ModuleNotFoundError without pyarrow.
    """

    uri: str
    address: str

    @classmethod
    def open(cls, name: str) -> "Store":
        """Nothing is connected to before it is used. Raises OptionError for a URI that holds credentials."""
        local = local_name(name)
        if not is_uri(local):
            _refuse_other_schemes(local)
            return cls(name.rstrip("/") or name, os.path.abspath(local))
        options = _OPTIONS.search(name)
        if _PASSWORD.search(name) or (options and _SECRET_OPTION.search(options[1])):
            scheme = name.partition("://")[0]
            raise OptionError(
                f"credentials in a URI such as {scheme}://... would be in every row and log; leave them out, and set them "
                "in the environment, or in the settings of the store's own tools"
            )
        return cls(_OPTIONS.sub("", name).rstrip("/"), name)

    def is_folder(self) -> bool:
        """Whether there is something below it."""
        return self._files().is_folder()

    def find(self, path: str = "") -> StoredFile | None:
        """A file's size and time; None where there is no such file, though the store is there."""
        return self._files().find(path)

    def files(self, *, in_depth: bool = True) -> Iterator[StoredFile]:
        """All files, in the order in which a local folder is walked; none where there is no such folder yet.

        in_depth: not only those that are in no folder below it. One folder at the top is held in memory at a time.
        """
        return self._files().files(in_depth)

    def read(self, path: str = "", most_bytes: int | None = None) -> bytes:
        """A file's content, or so many bytes from its beginning."""
        return self._files().read(path, most_bytes)

    def read_if_there(self, path: str = "") -> bytes | None:
        """A file's content; None where there is no such file."""
        try:
            return self.read(path)
        except StoreError as error:
            if error.errno != errno.ENOENT:
                raise
            return None

    def write(self, path: str, data: bytes) -> None:
        """A whole file, in the place of one that is there; whatever happens, it is never seen in part."""
        self._files().write(path, data)

    def remove(self, path: str) -> None:
        """Remove a file, if it is there."""
        self._files().remove(path)

    def _files(self) -> Files:
        return _open_files(self.uri, self.address)


def _refuse_other_schemes(name: str) -> None:
    match = _URI.match(name)
    if match is not None:
        raise StoreError(f"{match[1]}://...", "nobody knows this scheme; name a folder, or a URI such as s3://bucket/photos")


@lru_cache(maxsize=256)
def _open_files(uri: str, address: str) -> Files:
    if not is_uri(address):
        return _LocalFiles(address)
    from edgeclf.runtime.storage.arrow import ArrowFiles

    return ArrowFiles(uri, address)


class _LocalFiles:
    """A folder on this machine, without any library."""

    def __init__(self, root: str) -> None:
        self._root = root

    def is_folder(self) -> bool:
        return os.path.isdir(self._root)

    def find(self, path: str) -> StoredFile | None:
        place = self._at(path)
        try:
            status = os.stat(place)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _cannot_read(place, error) from None
        return StoredFile(path, status.st_size, status.st_mtime_ns) if os.path.isfile(place) else None

    def files(self, in_depth: bool) -> Iterator[StoredFile]:
        return self._files("", in_depth) if self.is_folder() else iter(())

    def read(self, path: str, most_bytes: int | None) -> bytes:
        try:
            with open(self._at(path), "rb") as file:
                return file.read(-1 if most_bytes is None else most_bytes)
        except OSError as error:
            raise _cannot_read(self._at(path), error) from None

    def write(self, path: str, data: bytes) -> None:
        target = Path(self._at(path))
        make_folder(target.parent)
        publish_bytes(target, data, hidden=True)  # readers of a whole folder pass over hidden files

    def remove(self, path: str) -> None:
        try:
            Path(self._at(path)).unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"cannot remove {self._at(path)}: {error.strerror or error}; check its rights") from None

    def _at(self, path: str) -> str:
        return os.path.join(self._root, path) if path else self._root

    def _files(self, folder: str, in_depth: bool) -> Iterator[StoredFile]:
        try:
            with os.scandir(self._at(folder)) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            raise _cannot_read(self._at(folder), error) from None
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from self._files(f"{folder}{entry.name}/", in_depth) if in_depth else ()
            elif entry.is_file() and (file := self.find(folder + entry.name)):
                yield file


def _cannot_read(place: str, error: OSError) -> StoreError:
    is_missing = isinstance(error, FileNotFoundError | NotADirectoryError)
    return StoreError(place, error.strerror or str(error), errno.ENOENT if is_missing else errno.EIO)
