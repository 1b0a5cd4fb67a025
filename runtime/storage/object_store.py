"""Files below a URI such as s3://bucket/photos, or below a local folder. Only this file knows what a URI looks like."""

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
from edgeclf.runtime.storage.files import FileSystem, StoredFile, StoreError

_URI = re.compile(r"(?:[a-z][a-z0-9+.-]*::)*([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
_ARROW_SCHEMES = "file s3 gs gcs abfs abfss hdfs viewfs"
_FSSPEC_SCHEMES = (
    "s3a az adl webhdfs sftp ssh ftp smb webdav oss oci ocilake tos dbfs lakefs box dropbox gdrive hf github zip tar "
    "libarchive local memory"
)
_SCHEMES = frozenset(f"{_ARROW_SCHEMES} {_FSSPEC_SCHEMES}".split())
"""Not every scheme of fsspec: http:// is a camera here, and a typing error should not ask the user to install a package."""
_OPTIONS = re.compile(r"\?([\w.-]+=[^?]*)$")  # any other ? belongs to the name
_PASSWORD = re.compile(r"://[^/:@]*:(?!\d+(?:/|$))[^@]*@")  # a port is not a password
_SECRET_OPTION = re.compile(r"(?:^|&)[^=&]*(?:secret|token|key|pass|pwd|sig|cred)[^=&]*=", re.IGNORECASE)


def is_uri(name: str) -> bool:
    """Whether a name starts like `s3://`, `file://` or `zip://...::s3://`. Addresses of network cameras are not URIs here.

    >>> is_uri("s3://bucket/a.jpg"), is_uri("rtsp://10.0.0.7/live"), is_uri("C:/a.jpg")
    (True, False, False)
    """
    match = _URI.match(name)
    return match is not None and (match[1].lower() in _SCHEMES or "::" in match[0])


def local_name(name: str) -> str:
    """The local path of a `file://` URI; any other name unchanged.

    >>> local_name("file:///data/a%20b.jpg"), local_name("s3://bucket/a%20b.jpg")
    ('/data/a b.jpg', 's3://bucket/a%20b.jpg')
    """
    if name[:7].lower() != "file://":
        return name
    return unquote(name[7:].removeprefix("localhost"), errors="surrogateescape")


@dataclass(frozen=True, slots=True)
class Store:
    """A folder, or a single file, at a URI or a local path. It can be pickled, and used from any thread.

    uri: as it was named, without options and without a trailing slash; in rows, `/path` follows it. address: the same with
    options, or an absolute local path. Paths are relative to the store; the empty path is the store itself. All methods
    raise StoreError, or OutputError if they write; for URIs, ModuleNotFoundError if pyarrow is missing.
    """

    uri: str
    address: str

    @classmethod
    def open(cls, name: str) -> "Store":
        """Does not connect yet. Raises OptionError if the URI holds credentials."""
        local = local_name(name)
        if not is_uri(local):
            _refuse_other_schemes(local)
            return cls(name.rstrip("/") or name, os.path.abspath(local))
        options = _OPTIONS.search(name)
        if _PASSWORD.search(name) or (options and _SECRET_OPTION.search(options[1])):
            scheme = name.partition("://")[0]
            raise OptionError(
                f"credentials in a URI such as {scheme}://... would appear in every row and log; leave them out, and set "
                "them in the environment, or in the settings of the store's own tools"
            )
        return cls(_OPTIONS.sub("", name).rstrip("/"), name)

    def is_folder(self) -> bool:
        """Whether there is anything below it."""
        return self._file_system().is_folder()

    def find(self, path: str = "") -> StoredFile | None:
        """A file with its size and time; None if the store exists but the file does not."""
        return self._file_system().find(path)

    def files(self, *, recursive: bool = True) -> Iterator[StoredFile]:
        """All files, in the order in which a local folder is walked. A folder that does not exist yet has none.

        recursive: include the files in folders below it. The listing of one top-level folder is in memory at a time.
        """
        return self._file_system().files(recursive)

    def read(self, path: str = "", max_bytes: int | None = None) -> bytes:
        """A file's content, or its first `max_bytes` bytes."""
        return self._file_system().read(path, max_bytes)

    def read_if_exists(self, path: str = "") -> bytes | None:
        """A file's content; None if there is no such file."""
        try:
            return self.read(path)
        except StoreError as error:
            if error.errno != errno.ENOENT:
                raise
            return None

    def write(self, path: str, data: bytes) -> None:
        """Write a whole file, replacing an existing one. Readers never see a partial file, whatever happens."""
        self._file_system().write(path, data)

    def remove(self, path: str) -> None:
        """Remove a file if it exists."""
        self._file_system().remove(path)

    def _file_system(self) -> FileSystem:
        return _open_file_system(self.uri, self.address)


def _refuse_other_schemes(name: str) -> None:
    match = _URI.match(name)
    if match is not None:
        raise StoreError(f"{match[1]}://...", "unknown scheme; name a folder, or a URI such as s3://bucket/photos")


@lru_cache(maxsize=256)
def _open_file_system(uri: str, address: str) -> FileSystem:
    if not is_uri(address):
        return _LocalFileSystem(address)
    from edgeclf.runtime.storage.arrow import ArrowFileSystem

    return ArrowFileSystem(uri, address)


class _LocalFileSystem:
    """A folder on this machine; needs no library."""

    def __init__(self, root: str) -> None:
        self._root = root

    def is_folder(self) -> bool:
        return os.path.isdir(self._root)

    def find(self, path: str) -> StoredFile | None:
        full_path = self._full_path(path)
        try:
            status = os.stat(full_path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _cannot_read(full_path, error) from None
        return StoredFile(path, status.st_size, status.st_mtime_ns) if os.path.isfile(full_path) else None

    def files(self, recursive: bool) -> Iterator[StoredFile]:
        return self._files("", recursive) if self.is_folder() else iter(())

    def read(self, path: str, max_bytes: int | None) -> bytes:
        try:
            with open(self._full_path(path), "rb") as file:
                return file.read(-1 if max_bytes is None else max_bytes)
        except OSError as error:
            raise _cannot_read(self._full_path(path), error) from None

    def write(self, path: str, data: bytes) -> None:
        target = Path(self._full_path(path))
        make_folder(target.parent)
        publish_bytes(target, data, hidden=True)  # programs that read whole folders skip hidden files

    def remove(self, path: str) -> None:
        try:
            Path(self._full_path(path)).unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(
                f"cannot remove {self._full_path(path)}: {error.strerror or error}; check its permissions"
            ) from None

    def _full_path(self, path: str) -> str:
        return os.path.join(self._root, path) if path else self._root

    def _files(self, folder: str, recursive: bool) -> Iterator[StoredFile]:
        try:
            with os.scandir(self._full_path(folder)) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            raise _cannot_read(self._full_path(folder), error) from None
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from self._files(f"{folder}{entry.name}/", recursive) if recursive else ()
            elif entry.is_file() and (file := self.find(folder + entry.name)):
                yield file


def _cannot_read(place: str, error: OSError) -> StoreError:
    is_missing = isinstance(error, FileNotFoundError | NotADirectoryError)
    return StoreError(place, error.strerror or str(error), errno.ENOENT if is_missing else errno.EIO)
