"""The interface of every kind of store, the files that it lists, and the error if it cannot be read."""

import errno
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from edgeclf.runtime.errors import SourceError


class StoreError(SourceError):
    """A file or a store that cannot be read.

    errno: ENOENT if there is no such file, EINVAL if no file can have that name, EIO if the store or the network is the
    cause. detail: the second half of the error message.
    """

    def __init__(self, place: str, detail: str, number: int = errno.EIO) -> None:
        super().__init__(place, detail, number)  # all of them, so that it can be pickled
        self.detail = detail
        self.errno = number

    def __str__(self) -> str:
        return f"{self.args[0]} cannot be read: {self.detail}"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """path: below the store's folder, with `/` as separator. mtime_ns: nanoseconds since 1970. -1 means unknown."""

    path: str
    size_bytes: int = -1
    mtime_ns: int = -1


class FileSystem(Protocol):
    """The operations that each kind of store implements; see Store. All paths are below the store's folder."""

    def is_folder(self) -> bool: ...

    def find(self, path: str) -> StoredFile | None: ...

    def files(self, recursive: bool) -> Iterator[StoredFile]: ...

    def read(self, path: str, max_bytes: int | None) -> bytes: ...

    def write(self, path: str, data: bytes) -> None: ...

    def remove(self, path: str) -> None: ...
