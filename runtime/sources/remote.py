"""Images behind a URI, such as those in object stores: read in place, one at a time."""

import errno
import glob
from collections.abc import Iterator
from dataclasses import dataclass

from edgeclf.runtime.errors import ImageError, Reason, SourceError
from edgeclf.runtime.images.decode import MAX_BYTES
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.sources.folders import NO_IMAGES, is_image, is_passed_over
from edgeclf.runtime.sources.source_part import SourcePart
from edgeclf.runtime.sources.unreadable import require_size
from edgeclf.runtime.storage.files import StoredFile, StoreError
from edgeclf.runtime.storage.object_store import Store


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """The file of an image in a store. path: see Store. size_bytes: from the listing; -1 if it was not listed."""

    store: Store
    path: str = ""
    size_bytes: int = -1

    def read(self) -> bytes:
        """Raises ImageError. Its `errno` is EIO if the cause is the store or the network, and not the file."""
        require_size(self.size_bytes)
        try:
            data = self.store.read(self.path, MAX_BYTES + 1)
        except StoreError as error:
            failure = ImageError(Reason.NOT_FOUND if error.errno == errno.ENOENT else Reason.UNREADABLE, error.detail)
            failure.errno = error.errno
            raise failure from None
        require_size(len(data))
        return data


class RemoteFolder:
    """The images below a URI, searched recursively. Other files, and hidden ones, are skipped and counted."""

    def __init__(self, store: Store) -> None:
        self.prefix = f"{store.uri}/"
        self.roots: tuple[str, ...] = ()
        self.folders: tuple[str, ...] = ()
        self.skipped = 0
        self.empty_message = f"{store.uri!r} holds no images {NO_IMAGES}"
        self._store = store

    def frames(self, source: int) -> Iterator[Frame]:
        last = None
        for file in self._store.files():
            folder = _passed_over(file.path)
            if folder is None and is_image(_name(file.path)):
                yield _frame(self._store, file, self.prefix, source)
            elif folder is None or folder != last:  # a folder that is passed over counts once, whatever it holds
                self.skipped += 1
            last = folder

    def count(self) -> int:
        return sum(is_image(_name(file.path)) and _passed_over(file.path) is None for file in self._store.files())


class RemoteImage:
    """A single file, which is a frame whatever its extension."""

    def __init__(self, store: Store, file: StoredFile) -> None:
        self.prefix = ""
        self.roots: tuple[str, ...] = ()
        self.folders: tuple[str, ...] = ()
        self.skipped = 0
        self.empty_message = ""
        self._store = store
        self._file = file

    def frames(self, source: int) -> Iterator[Frame]:
        yield _frame(self._store, self._file, "", source)

    def count(self) -> int:
        return 1


def open_remote(name: str) -> SourcePart:
    """The images below a URI, or the single image that it names. Raises SourceError or OptionError."""
    store = Store.open(name)
    if store.is_folder():
        return RemoteFolder(store)
    file = store.find()
    if file is not None:
        return RemoteImage(store, file)
    if glob.has_magic(store.uri):
        raise SourceError(
            f"{store.uri!r} does not exist, and patterns work for local files only; name the folder, which is searched "
            "recursively"
        )
    raise SourceError(f"{store.uri!r} does not exist, although its store can be read; name a folder in it, or an image")


def remote_frame(name: str, source: int) -> Frame:
    """The frame of a URI in a list, without a request to its store. Raises OptionError if the URI holds credentials."""
    store = Store.open(name)
    return Frame(store.uri, RemoteFile(store), store.uri, source)


def _frame(store: Store, file: StoredFile, prefix: str, source: int) -> Frame:
    image = RemoteFile(store, file.path, file.size_bytes)
    path = file.path or store.uri
    return Frame(prefix + path, image, path, source, size_bytes=file.size_bytes, mtime_ns=file.mtime_ns)


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _passed_over(path: str) -> str | None:
    """The first folder on the path that is not searched: a hidden one, or a system's own."""
    folders = path.split("/")[:-1]
    number = next((number for number, folder in enumerate(folders) if is_passed_over(folder)), None)
    return None if number is None else "/".join(folders[: number + 1])
