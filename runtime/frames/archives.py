"""Pictures in zip and tar files, read where they are: nothing is ever unpacked, so a member's name is only a name."""

import os
from collections.abc import Callable, Iterator

from edgeclf.runtime.errors import SourceError
from edgeclf.runtime.frames.folders import NO_PICTURES
from edgeclf.runtime.frames.frame import Frame
from edgeclf.runtime.frames.stored import DAMAGE, ArchiveFile, Broken, Member, picture_error
from edgeclf.runtime.frames.tar_members import packed_tar_members, tar_members
from edgeclf.runtime.frames.zip_members import zip_members

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


def is_archive(name: str | os.PathLike[str]) -> bool:
    """Whether a file of this name is taken for an archive."""
    return os.path.basename(name).lower().endswith(SUFFIXES)


class ArchivePart:
    """An archive's pictures, in its order; other files, links, sparse files and hidden ones are counted and passed over.

    A second member of the same name is `NAME#2`, and so on: no picture's name ends so. An archive that turns out to be
    damaged ends with a frame for itself, which says how. Of all names one copy is kept.
    """

    def __init__(self, name: str) -> None:
        self.prefix = f"{name}/"
        self.roots: tuple[str, ...] = (name,)
        self.folders: tuple[str, ...] = ()
        self.skipped = 0
        self.empty = f"{name!r} holds no pictures {NO_PICTURES}"
        self._archive = ArchiveFile.of(name)
        self._members = _reader(name)
        first = self._members(self._archive)
        try:
            next(first, None)
        except DAMAGE as error:
            detail = picture_error(error).detail
            raise SourceError(f"{name!r} is no archive that can be read ({detail}); download or pack it again") from None

    def frames(self, source: int) -> Iterator[Frame]:
        times: dict[str, int] = {}
        try:
            for member in self._members(self._archive):
                if member.picture is None:
                    self.skipped += 1
                    continue
                times[member.name] = number = times.get(member.name, 0) + 1
                path = member.name if number == 1 else f"{member.name}#{number}"
                yield Frame(self.prefix + path, member.picture, path, source, member.size_bytes, member.version)
        except DAMAGE as error:
            yield Frame(self.prefix, Broken(picture_error(error)), "", source)

    def count(self) -> int | None:
        if self._members is packed_tar_members:  # that would unpack all of it
            return None
        try:
            return sum(member.picture is not None for member in self._members(self._archive))
        except DAMAGE:
            return None


def _reader(name: str) -> Callable[[ArchiveFile], Iterator[Member]]:
    suffix = os.path.splitext(name)[1].lower()
    return {".zip": zip_members, ".tar": tar_members}.get(suffix, packed_tar_members)
