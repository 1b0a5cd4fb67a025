"""What every kind of store offers, the files that it lists, and the error of one that cannot be reached."""

import errno
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from edgeclf.runtime.errors import SourceError


class StoreError(SourceError):
    """Files that cannot be reached.

    errno: ENOENT where there is no such file, EINVAL for a name that no file can have, EIO where the store is to blame, or
    the way to it. detail: the second half of the sentence.
    """

    def __init__(self, place: str, detail: str, number: int = errno.EIO) -> None:
        super().__init__(place, detail, number)  # all of them, so that it can be pickled
        self.detail = detail
        self.errno = number

    def __str__(self) -> str:
        return f"{self.args[0]} cannot be read: {self.detail}"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """path: below the store's folder, parted by `/`. mtime_ns: nanoseconds since 1970. -1 where the store does not say."""

    path: str
    size_bytes: int = -1
    mtime_ns: int = -1


class Files(Protocol):
    """What a kind of store has to offer; see Store."""

    def is_folder(self) -> bool: ...

    def find(self, path: str) -> StoredFile | None: ...

    def files(self, in_depth: bool) -> Iterator[StoredFile]: ...

    def read(self, path: str, most_bytes: int | None) -> bytes: ...

    def write(self, path: str, data: bytes) -> None: ...

    def remove(self, path: str) -> None: ...
