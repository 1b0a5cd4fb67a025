"""Files in object stores and other places that pyarrow can open, or else fsspec."""

import errno
import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import pyarrow as pa
from pyarrow import fs

from edgeclf.runtime.errors import OutputError
from edgeclf.runtime.storage.files import StoredFile, StoreError
from edgeclf.runtime.storage.store_failures import failure_of, missing_bucket

_ARROW_SCHEMES = frozenset({"s3", "gs", "gcs", "abfs", "abfss", "hdfs", "viewfs"})
_OBJECT_STORES = frozenset({"s3", "gcs", "abfs"})
"""File systems of pyarrow in which an object appears only when it is complete; elsewhere, readers see a new file grow."""
_RETRY_S = 10
"""How long Google's library retries; its own default is a quarter of an hour. The other libraries stop after seconds."""


class ArrowFileSystem:
    """See object_store.Store. uri: for messages. address: the same with options, which are never shown."""

    def __init__(self, uri: str, address: str) -> None:
        self._uri = uri
        with self._store_errors():
            self._filesystem, self._root = _open(uri, address)

    def is_folder(self) -> bool:
        return bool(self._info(self._root).type == fs.FileType.Directory)

    def find(self, path: str) -> StoredFile | None:
        info = self._info(self._full_path(path))
        if info.type == fs.FileType.NotFound:
            self._require_bucket()
        return _stored(info, path) if info.type == fs.FileType.File else None

    def files(self, recursive: bool) -> Iterator[StoredFile]:
        top = self._listed(self._root, recursive=False)
        if not recursive:
            yield from self._sorted(top)
            return
        has_empty_names = any(self._relative(info.path) in ("", "/") for info in top)
        if has_empty_names:  # keys such as a//b, which only a complete listing shows
            yield from self._sorted(self._listed(self._root, recursive=True))
            return
        for info in sorted(top, key=lambda info: (info.path, info.type == fs.FileType.Directory)):
            is_folder = info.type == fs.FileType.Directory
            yield from self._sorted(self._listed(info.path, recursive=True) if is_folder else [info])

    def read(self, path: str, max_bytes: int | None) -> bytes:
        try:
            with self._store_errors(path), self._filesystem.open_input_file(self._full_path(path)) as file:
                size_bytes: int = file.size()
                wanted_bytes = size_bytes if max_bytes is None else min(size_bytes, max_bytes)
                data: bytes = file.read(wanted_bytes)
        except StoreError as error:
            if error.errno == errno.ENOENT:
                self._require_bucket()
            raise
        if len(data) < wanted_bytes:
            raise StoreError(self._display_name(path), f"it ended after {len(data):,} of {wanted_bytes:,} bytes")
        return data

    def write(self, path: str, data: bytes) -> None:
        target = self._full_path(path)
        folder, name = posixpath.split(target)
        with self._output_errors(path):
            if self._filesystem.type_name in _OBJECT_STORES:
                self._put(target, data)
                return
            temporary = posixpath.join(folder, f".{name}.part")
            self._filesystem.create_dir(folder, recursive=True)
            self._put(temporary, data)
            self._filesystem.move(temporary, target)

    def remove(self, path: str) -> None:
        with self._output_errors(path):
            try:
                self._filesystem.delete_file(self._full_path(path))
            except FileNotFoundError:
                return

    def _full_path(self, path: str) -> str:
        if not (path and self._root):
            return path or self._root
        return f"{self._root.rstrip('/')}/{path}"

    def _relative(self, path: str) -> str:
        return path[len(self._root) :].removeprefix("/")

    def _display_name(self, path: str) -> str:
        return "/".join(filter(None, (self._uri, path)))

    def _info(self, path: str) -> fs.FileInfo:
        with self._store_errors():
            return self._filesystem.get_file_info(path)

    def _listed(self, folder: str, *, recursive: bool) -> list[fs.FileInfo]:
        with self._store_errors():
            selector = fs.FileSelector(folder, allow_not_found=True, recursive=recursive)
            infos: list[fs.FileInfo] = self._filesystem.get_file_info(selector)
            return infos

    def _sorted(self, infos: list[fs.FileInfo]) -> list[StoredFile]:
        files = [_stored(info, self._relative(info.path)) for info in infos if info.type == fs.FileType.File]
        return sorted(files, key=lambda file: file.path.split("/"))

    def _put(self, path: str, data: bytes) -> None:
        """Write all bytes at once: after a failure between two writes, closing the stream would store a partial file."""
        with self._filesystem.open_output_stream(path) as file:
            file.write(data)

    def _require_bucket(self) -> None:
        """Raise StoreError if the bucket does not exist; the stores themselves report only that the file is missing."""
        bucket = self._root.partition("/")[0]
        if self._filesystem.type_name in _OBJECT_STORES and self._info(bucket).type == fs.FileType.NotFound:
            raise StoreError(self._uri, missing_bucket(bucket))

    @contextmanager
    def _store_errors(self, path: str = "") -> Iterator[None]:
        try:
            yield
        except (StoreError, MemoryError):
            raise
        except Exception as error:  # file systems of fsspec raise whatever the library behind them raises
            raise StoreError(self._display_name(path), *failure_of(error, self._uri)) from None

    @contextmanager
    def _output_errors(self, path: str) -> Iterator[None]:
        try:
            with self._store_errors(path):
                yield
        except StoreError as error:
            raise OutputError(f"cannot write {self._display_name(path)}: {error.detail}") from None


def _open(uri: str, address: str) -> tuple[fs.FileSystem, str]:
    """A file system, and the URI's path in it."""
    scheme, _, rest = uri.partition("://")
    if scheme.lower() not in _ARROW_SCHEMES:
        return _open_fsspec(address)
    host, _, path = rest.partition("/")
    if not host and scheme.lower() not in ("hdfs", "viewfs"):
        raise StoreError(uri, f"it names no bucket; write {scheme}://bucket/folder", errno.EINVAL)
    options = address[len(uri) :].lstrip("/")
    if scheme.lower() in ("gs", "gcs") and "retry_limit_seconds" not in options:
        options += f"{'&' if options else '?'}retry_limit_seconds={_RETRY_S}"
    try:
        filesystem, root = _open_arrow(f"{scheme.lower()}://{host}/{options}")
    except pa.ArrowNotImplementedError:  # this pyarrow may be built without it
        return _open_fsspec(address)
    return filesystem, f"{root.rstrip('/')}/{path}".rstrip("/") or "/"


@lru_cache(maxsize=64)
def _open_arrow(address: str) -> tuple[fs.FileSystem, str]:
    """Connections stay open until the process ends. The address contains no path, because pyarrow would decode %20."""
    opened: tuple[fs.FileSystem, str] = fs.FileSystem.from_uri(address)
    return opened


def _open_fsspec(address: str) -> tuple[fs.FileSystem, str]:
    from fsspec.core import url_to_fs

    filesystem, path = url_to_fs(address, use_listings_cache=False)  # other processes write at the same time
    return fs.PyFileSystem(fs.FSSpecHandler(filesystem)), path.rstrip("/") or path[:1]


def _stored(info: fs.FileInfo, path: str) -> StoredFile:
    size_bytes, mtime_ns = info.size, info.mtime_ns
    return StoredFile(path, -1 if size_bytes is None else size_bytes, -1 if mtime_ns is None else mtime_ns)
