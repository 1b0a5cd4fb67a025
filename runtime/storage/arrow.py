"""Files in object stores and other places that pyarrow opens, or fsspec where pyarrow does not."""

import errno
import os
import posixpath
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from urllib.parse import urlsplit

import pyarrow as pa
from pyarrow import fs

from edgeclf.runtime.errors import OutputError, first_line
from edgeclf.runtime.storage.files import StoredFile, StoreError

_OF_ARROW = frozenset({"s3", "gs", "gcs", "abfs", "abfss", "hdfs", "viewfs"})
_PUTS_WHOLE_FILES = frozenset({"s3", "gcs", "abfs"})
"""Of these kinds of file system, an object is there when it is complete; elsewhere a new file is seen as it grows."""
_DENIED = re.compile(
    r"ACCESS_?DENIED|INVALID_?ACCESS_?KEY|SIGNATURE_?DOES_?NOT_?MATCH|EXPIRED|INVALID_?(CLIENT_?)?TOKEN|CREDENTIAL"
    r"|PERMISSION_DENIED|AUTHENTICAT|FORBIDDEN|UNAUTHORIZED|HTTP status 40[013]\b",
    re.IGNORECASE,
)
"""400 is what S3 answers for an expired token when it is asked for a header, which has no place for words."""
_UNREACHABLE = re.compile(r"NETWORK_CONNECTION|curlCode|connect to|resolve host|timed? ?out", re.IGNORECASE)
_NO_BUCKET = re.compile(r"NO_?SUCH_?BUCKET|Bucket '.*' not found", re.IGNORECASE)
_CODE = re.compile(r"AWS Error (?:UNKNOWN \()?(\w+(?: status \d+)?)")
_PATIENCE_S = 10
"""How long Google's library tries again; it would do so for a quarter of an hour. The others give up after some seconds."""
_AMAZON = "AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY, then ~/.aws with AWS_PROFILE, then the machine's role"
_GOOGLE = "GOOGLE_APPLICATION_CREDENTIALS, then `gcloud auth application-default login`, then the machine's role"
_AZURE = "AZURE_CLIENT_ID with AZURE_TENANT_ID and AZURE_CLIENT_SECRET, then the machine's identity, then `az login`"
_LOOKED_AT = {"s3": _AMAZON, "gs": _GOOGLE, "gcs": _GOOGLE, "abfs": _AZURE, "abfss": _AZURE}


class ArrowFiles:
    """See stores.Store. uri: for people. address: with options, which are never shown."""

    def __init__(self, uri: str, address: str) -> None:
        self._uri = uri
        with self._reading():
            self._filesystem, self._root = _open(uri, address)

    def is_folder(self) -> bool:
        return bool(self._info(self._root).type == fs.FileType.Directory)

    def find(self, path: str) -> StoredFile | None:
        info = self._info(self._at(path))
        if info.type == fs.FileType.NotFound:
            self._require_bucket()
        return _stored(info, path) if info.type == fs.FileType.File else None

    def files(self, in_depth: bool) -> Iterator[StoredFile]:
        top = self._listed(self._root, recursive=False)
        if not in_depth:
            yield from self._sorted(top)
            return
        if any(self._below(info.path) in ("", "/") for info in top):  # keys such as a//b, which only a whole listing gives
            yield from self._sorted(self._listed(self._root, recursive=True))
            return
        for info in sorted(top, key=lambda info: (info.path, info.type == fs.FileType.Directory)):
            is_folder = info.type == fs.FileType.Directory
            yield from self._sorted(self._listed(info.path, recursive=True) if is_folder else [info])

    def read(self, path: str, most_bytes: int | None) -> bytes:
        try:
            with self._reading(path), self._filesystem.open_input_file(self._at(path)) as file:
                size_bytes: int = file.size()
                wanted = size_bytes if most_bytes is None else min(size_bytes, most_bytes)
                data: bytes = file.read(wanted)
        except StoreError as error:
            if error.errno == errno.ENOENT:
                self._require_bucket()
            raise
        if len(data) < wanted:
            raise StoreError(self._place(path), f"it ended after {len(data):,} of {wanted:,} bytes")
        return data

    def write(self, path: str, data: bytes) -> None:
        target = self._at(path)
        folder, name = posixpath.split(target)
        with self._writing(path):
            if self._filesystem.type_name in _PUTS_WHOLE_FILES:
                self._put(target, data)
                return
            part = posixpath.join(folder, f".{name}.part")
            self._filesystem.create_dir(folder, recursive=True)
            self._put(part, data)
            self._filesystem.move(part, target)

    def remove(self, path: str) -> None:
        with self._writing(path):
            try:
                self._filesystem.delete_file(self._at(path))
            except FileNotFoundError:
                return

    def _at(self, path: str) -> str:
        if not (path and self._root):
            return path or self._root
        return f"{self._root.rstrip('/')}/{path}"

    def _below(self, path: str) -> str:
        return path[len(self._root) :].removeprefix("/")

    def _place(self, path: str) -> str:
        return "/".join(filter(None, (self._uri, path)))

    def _info(self, path: str) -> fs.FileInfo:
        with self._reading():
            return self._filesystem.get_file_info(path)

    def _listed(self, folder: str, *, recursive: bool) -> list[fs.FileInfo]:
        with self._reading():
            selector = fs.FileSelector(folder, allow_not_found=True, recursive=recursive)
            infos: list[fs.FileInfo] = self._filesystem.get_file_info(selector)
            return infos

    def _sorted(self, infos: list[fs.FileInfo]) -> list[StoredFile]:
        files = [_stored(info, self._below(info.path)) for info in infos if info.type == fs.FileType.File]
        return sorted(files, key=lambda file: file.path.split("/"))

    def _put(self, path: str, data: bytes) -> None:
        """In one go: a stream that is closed after a failure in between puts what it has as a whole file."""
        with self._filesystem.open_output_stream(path) as file:
            file.write(data)

    def _require_bucket(self) -> None:
        """Whoever asks for a file in a bucket that is not there is told of the file only. Raises StoreError."""
        bucket = self._root.partition("/")[0]
        if self._filesystem.type_name in _PUTS_WHOLE_FILES and self._info(bucket).type == fs.FileType.NotFound:
            raise StoreError(self._uri, _no_bucket(bucket))

    @contextmanager
    def _reading(self, path: str = "") -> Iterator[None]:
        try:
            yield
        except (StoreError, MemoryError):
            raise
        except Exception as error:  # what a file system of fsspec raises is up to the library behind it
            raise StoreError(self._place(path), *_what_failed(self._uri, error)) from None

    @contextmanager
    def _writing(self, path: str) -> Iterator[None]:
        try:
            with self._reading(path):
                yield
        except StoreError as error:
            raise OutputError(f"cannot write {self._place(path)}: {error.detail}") from None


def _open(uri: str, address: str) -> tuple[fs.FileSystem, str]:
    """A file system, and the path of the URI in it."""
    scheme, _, rest = uri.partition("://")
    if scheme.lower() not in _OF_ARROW:
        return _open_fsspec(address)
    host, _, path = rest.partition("/")
    if not host and scheme.lower() not in ("hdfs", "viewfs"):
        raise StoreError(uri, f"it names no bucket; write {scheme}://bucket/folder", errno.EINVAL)
    options = address[len(uri) :].lstrip("/")
    if scheme.lower() in ("gs", "gcs") and "retry_limit_seconds" not in options:
        options += f"{'&' if options else '?'}retry_limit_seconds={_PATIENCE_S}"
    try:
        filesystem, root = _open_arrow(f"{scheme.lower()}://{host}/{options}")
    except pa.ArrowNotImplementedError:  # pyarrow may have been built without it
        return _open_fsspec(address)
    return filesystem, f"{root.rstrip('/')}/{path}".rstrip("/") or "/"


@lru_cache(maxsize=64)
def _open_arrow(address: str) -> tuple[fs.FileSystem, str]:
    """Connections are kept for as long as the process lives. Paths are no part of the address: pyarrow would decode %20."""
    opened: tuple[fs.FileSystem, str] = fs.FileSystem.from_uri(address)
    return opened


def _open_fsspec(address: str) -> tuple[fs.FileSystem, str]:
    from fsspec.core import url_to_fs

    filesystem, path = url_to_fs(address, use_listings_cache=False)  # other processes write, too
    return fs.PyFileSystem(fs.FSSpecHandler(filesystem)), path.rstrip("/") or path[:1]


def _stored(info: fs.FileInfo, path: str) -> StoredFile:
    size_bytes, mtime_ns = info.size, info.mtime_ns
    return StoredFile(path, -1 if size_bytes is None else size_bytes, -1 if mtime_ns is None else mtime_ns)


def _what_failed(uri: str, error: Exception) -> tuple[str, int]:
    """The second half of a sentence, with what to do next, and the error's number."""
    text = str(error)
    scheme = uri.partition("://")[0].lower()
    if isinstance(error, ModuleNotFoundError) and error.name == "fsspec":
        raise error
    if isinstance(error, ImportError):
        package = (getattr(error.__cause__ or error, "name", None) or "").partition(".")[0]
        return f"{scheme}:// needs a package that is not installed: pip install {package or first_line(error)}", errno.EIO
    if _NO_BUCKET.search(text):
        return _no_bucket(urlsplit(uri).netloc), errno.EIO
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return "there is no such file; check the spelling", errno.ENOENT
    if isinstance(error, PermissionError) or _DENIED.search(text):
        code = _CODE.search(text)
        settings = f"; looked at are {_LOOKED_AT[scheme]}" if scheme in _LOOKED_AT else ""
        why = f" ({code[1]})" if code else ""
        return (
            f"access is denied{why}; check the credentials, whether they have expired and what they allow{settings}",
            errno.EIO,
        )
    if isinstance(error, ConnectionError | TimeoutError) or _UNREACHABLE.search(text):
        return f"{_endpoint(scheme)} cannot be reached; check the network and the address", errno.EIO
    number = errno.EINVAL if isinstance(error, ValueError) else errno.EIO
    return f"{_without_queries(first_line(error))}; check the spelling, and the store's settings", number


def _no_bucket(bucket: str) -> str:
    return f"there is no bucket {bucket!r}; check the spelling, the endpoint and the region"


def _endpoint(scheme: str) -> str:
    endpoint = scheme == "s3" and (os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"))
    return f"{urlsplit(endpoint).netloc.rpartition('@')[2]} (AWS_ENDPOINT_URL)" if endpoint else "the store"


def _without_queries(text: str) -> str:
    return re.sub(r"\?\S+", "?...", text)
