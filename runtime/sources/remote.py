"""Images in object stores and elsewhere behind a URI: read where they are, one at a time."""

import errno
import glob
from collections.abc import Iterator
from dataclasses import dataclass

from edgeclf.runtime.errors import ImageError, Reason, SourceError
from edgeclf.runtime.images.decode import MAX_BYTES
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.sources.folders import NO_IMAGES, is_image
from edgeclf.runtime.sources.source_part import Part
from edgeclf.runtime.sources.unreadable import require_size
from edgeclf.runtime.storage.files import StoredFile, StoreError
from edgeclf.runtime.storage.object_store import Store


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """An image's file in a store. path: as in Store. size_bytes: when it was listed, -1 where it was not."""

    store: Store
    path: str = ""
    size_bytes: int = -1

    def read(self) -> bytes:
        """Raises ImageError; with EIO as its `errno` where not the file is to blame, but the store or the way to it."""
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
    """What is below a URI, searched in depth for images; other and hidden files are counted and passed over."""

    def __init__(self, store: Store) -> None:
        self.prefix = f"{store.uri}/"
        self.roots: tuple[str, ...] = ()
        self.folders: tuple[str, ...] = ()
        self.skipped = 0
        self.empty = f"{store.uri!r} holds no images {NO_IMAGES}"
        self._store = store

    def frames(self, source: int) -> Iterator[Frame]:
        hidden = None
        for file in self._store.files():
            folder = _hidden_folder(file.path)
            if folder is None and is_image(_name(file.path)):
                yield _frame(self._store, file, self.prefix, source)
            elif folder is None or folder != hidden:  # a hidden folder counts as one, whatever it holds
                self.skipped += 1
            hidden = folder

    def count(self) -> int:
        return sum(is_image(_name(file.path)) and _hidden_folder(file.path) is None for file in self._store.files())


class RemoteImage:
    """One file, which is a frame whatever it is called."""

    def __init__(self, store: Store, file: StoredFile) -> None:
        self.prefix = ""
        self.roots: tuple[str, ...] = ()
        self.folders: tuple[str, ...] = ()
        self.skipped = 0
        self.empty = ""
        self._store = store
        self._file = file

    def frames(self, source: int) -> Iterator[Frame]:
        yield _frame(self._store, self._file, "", source)

    def count(self) -> int:
        return 1


def open_remote(name: str) -> Part:
    """The images below a URI, or the one that it names. Raises SourceError or OptionError."""
    store = Store.open(name)
    if store.is_folder():
        return RemoteFolder(store)
    file = store.find()
    if file is not None:
        return RemoteImage(store, file)
    if glob.has_magic(store.uri):
        raise SourceError(
            f"{store.uri!r} does not exist, and patterns are for local folders; name the folder, it is searched in depth"
        )
    raise SourceError(f"{store.uri!r} does not exist, though its store can be read; name a folder in it, or an image")


def remote_frame(name: str, source: int) -> Frame:
    """The frame of a URI in a list; nothing is asked of its store yet. Raises OptionError where it holds credentials."""
    store = Store.open(name)
    return Frame(store.uri, RemoteFile(store), store.uri, source)


def _frame(store: Store, file: StoredFile, prefix: str, source: int) -> Frame:
    image = RemoteFile(store, file.path, file.size_bytes)
    place = file.path or store.uri
    return Frame(prefix + place, image, place, source, file.size_bytes, file.mtime_ns)


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _hidden_folder(path: str) -> str | None:
    """The first hidden folder that a path leads through."""
    folders = path.split("/")[:-1]
    number = next((number for number, folder in enumerate(folders) if folder.startswith(".")), None)
    return None if number is None else "/".join(folders[: number + 1])
