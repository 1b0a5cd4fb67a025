"""Images in zip and tar files, read where they are: nothing is ever unpacked, so a member's name is only a name."""

import os
from collections.abc import Callable, Iterator

from edgeclf.runtime.errors import SourceError
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.sources.archive_member import ArchiveFile, Member
from edgeclf.runtime.sources.folders import NO_IMAGES
from edgeclf.runtime.sources.tar_reader import packed_tar_members, tar_members
from edgeclf.runtime.sources.unreadable import DAMAGE, Broken, image_error
from edgeclf.runtime.sources.zip_reader import zip_members

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


def is_archive(name: str | os.PathLike[str]) -> bool:
    """Whether a file of this name is taken for an archive."""
    return os.path.basename(name).lower().endswith(SUFFIXES)


class ArchivePart:
    """An archive's images, in its order; other files, links, sparse files and hidden ones are counted and passed over.

    A second member of the same name is `NAME#2`, and so on: no image's name ends so. An archive that turns out to be
    damaged ends with a frame for itself, which says how. Of all names one copy is kept.
    """

    def __init__(self, name: str) -> None:
        self.prefix = f"{name}/"
        self.roots: tuple[str, ...] = (name,)
        self.folders: tuple[str, ...] = ()
        self.skipped = 0
        self.empty = f"{name!r} holds no images {NO_IMAGES}"
        self._archive = ArchiveFile.of(name)
        self._members = _reader(name)
        first = self._members(self._archive)
        try:
            next(first, None)
        except DAMAGE as error:
            detail = image_error(error).detail
            raise SourceError(f"{name!r} is no archive that can be read ({detail}); download or pack it again") from None

    def frames(self, source: int) -> Iterator[Frame]:
        times: dict[str, int] = {}
        try:
            for member in self._members(self._archive):
                if member.image is None:
                    self.skipped += 1
                    continue
                times[member.name] = number = times.get(member.name, 0) + 1
                path = member.name if number == 1 else f"{member.name}#{number}"
                yield Frame(self.prefix + path, member.image, path, source, member.size_bytes, member.version)
        except DAMAGE as error:
            yield Frame(self.prefix, Broken(image_error(error)), "", source)

    def count(self) -> int | None:
        if self._members is packed_tar_members:  # that would unpack all of it
            return None
        try:
            return sum(member.image is not None for member in self._members(self._archive))
        except DAMAGE:
            return None


def _reader(name: str) -> Callable[[ArchiveFile], Iterator[Member]]:
    suffix = os.path.splitext(name)[1].lower()
    return {".zip": zip_members, ".tar": tar_members}.get(suffix, packed_tar_members)
