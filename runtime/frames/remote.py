"""Pictures in object stores and elsewhere behind a URI: read where they are, one at a time."""

import errno
import glob
from collections.abc import Iterator
from dataclasses import dataclass

from edgeclf.runtime.errors import PictureError, Reason, SourceError
from edgeclf.runtime.frames.decode import MAX_BYTES
from edgeclf.runtime.frames.folders import NO_PICTURES, is_picture
from edgeclf.runtime.frames.frame import Frame
from edgeclf.runtime.frames.part import Part
from edgeclf.runtime.frames.stored import require_size
from edgeclf.runtime.stores import Store, StoredFile, StoreError


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A picture's file in a store. path: as in Store. size_bytes: when it was listed, -1 where it was not."""

    store: Store
    path: str = ""
    size_bytes: int = -1

    def read(self) -> bytes:
        """Raises PictureError; with EIO as its `errno` where not the file is to blame, but the store or the way to it."""
        require_size(self.size_bytes)
        try:
            data = self.store.read(self.path, MAX_BYTES + 1)
        except StoreError as error:
            failure = PictureError(Reason.NOT_FOUND if error.errno == errno.ENOENT else Reason.UNREADABLE, error.detail)
            failure.errno = error.errno
            raise failure from None
        require_size(len(data))
        return data


class RemoteFolder:
    """What is below a URI, searched in depth for pictures; other and hidden files are counted and passed over."""

    def __init__(self, store: Store) -> None:
        self.prefix = f"{store.uri}/"
        self.roots: tuple[str, ...] = ()
        self.folders: tuple[str, ...] = ()
        self.skipped = 0
        self.empty = f"{store.uri!r} holds no pictures {NO_PICTURES}"
        self._store = store

    def frames(self, source: int) -> Iterator[Frame]:
        hidden = None
        for file in self._store.files():
            folder = _hidden_folder(file.path)
            if folder is None and is_picture(_name(file.path)):
                yield _frame(self._store, file, self.prefix, source)
            elif folder is None or folder != hidden:  # a hidden folder counts as one, whatever it holds
                self.skipped += 1
            hidden = folder

    def count(self) -> int:
        return sum(is_picture(_name(file.path)) and _hidden_folder(file.path) is None for file in self._store.files())


class RemotePicture:
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
    """The pictures below a URI, or the one that it names. Raises SourceError or OptionError."""
    store = Store.open(name)
    if store.is_folder():
        return RemoteFolder(store)
    file = store.find()
    if file is not None:
        return RemotePicture(store, file)
    if glob.has_magic(store.uri):
        raise SourceError(
            f"{store.uri!r} does not exist, and patterns are for local folders; name the folder, it is searched in depth"
        )
    raise SourceError(f"{store.uri!r} does not exist, though its store can be read; name a folder in it, or a picture")


def remote_frame(name: str, source: int) -> Frame:
    """The frame of a URI in a list; nothing is asked of its store yet. Raises OptionError where it holds credentials."""
    store = Store.open(name)
    return Frame(store.uri, RemoteFile(store), store.uri, source)


def _frame(store: Store, file: StoredFile, prefix: str, source: int) -> Frame:
    picture = RemoteFile(store, file.path, file.size_bytes)
    place = file.path or store.uri
    return Frame(prefix + place, picture, place, source, file.size_bytes, file.mtime_ns)


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _hidden_folder(path: str) -> str | None:
    """The first hidden folder that a path leads through."""
    folders = path.split("/")[:-1]
    number = next((number for number, folder in enumerate(folders) if folder.startswith(".")), None)
    return None if number is None else "/".join(folders[: number + 1])
