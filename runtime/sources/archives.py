"""Images in zip and tar files, read in place. Nothing is unpacked to disk, so hostile member names do no harm."""

import os
from collections.abc import Callable, Iterator

from edgeclf.runtime.errors import SourceError
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.sources.archive_member import ArchiveFile, Member, MemberKind, is_image_member
from edgeclf.runtime.sources.folders import NO_IMAGES
from edgeclf.runtime.sources.tar_reader import packed_tar_members, tar_members
from edgeclf.runtime.sources.unreadable import DAMAGE_ERRORS, UnreadableImage, image_error
from edgeclf.runtime.sources.zip_reader import zip_members

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
MAX_PACKED_BYTES = 64 << 20
"""The largest image read from a compressed tar: it stays in memory from when the tar is read until it is classified."""


def is_archive(name: str | os.PathLike[str]) -> bool:
    """Whether a file of this name is read as an archive."""
    return os.path.basename(name).lower().endswith(SUFFIXES)


def has_directory(archive: ArchiveFile) -> bool:
    """Whether members can be listed without unpacking: not in compressed tar files, which are read from start to end."""
    return archive.path.lower().endswith((".zip", ".tar"))


def archive_members(
    archive: ArchiveFile, max_packed_bytes: int, wanted: Callable[[str], bool] = is_image_member
) -> Iterator[Member]:
    """All members in the archive's order. Raises one of DAMAGE_ERRORS where the archive is damaged.

    max_packed_bytes: the largest file to read from a compressed tar, which passes through memory. wanted: whether a file of
        this name is given with its content.
    """
    if not has_directory(archive):
        return packed_tar_members(archive, max_packed_bytes, wanted)
    is_zip = archive.path.lower().endswith(".zip")
    return zip_members(archive, wanted) if is_zip else tar_members(archive, wanted)


class ArchiveImages:
    """The images of one archive in its order. Other files, links, sparse and hidden files are skipped and counted.

    If a name occurs again, the second member is called `NAME#2`, and so on; no image file ends like that. Where the
    archive is damaged, the last frame stands for the archive itself and carries the error. One copy of each name is kept.
    """

    def __init__(self, name: str) -> None:
        self.prefix = f"{name}/"
        self.roots: tuple[str, ...] = (name,)
        self.folders: tuple[str, ...] = ()
        self.skipped = 0
        self.empty_message = f"{name!r} holds no images {NO_IMAGES}"
        self._archive = ArchiveFile.of(name)
        try:
            next(self._files(), None)
        except DAMAGE_ERRORS as error:
            detail = image_error(error).detail
            raise SourceError(f"{name!r} cannot be read as an archive ({detail}); download or pack it again") from None

    def frames(self, source: int) -> Iterator[Frame]:
        seen: dict[str, int] = {}
        try:
            for member in self._files():
                if member.image is None:
                    self.skipped += 1
                    continue
                seen[member.name] = number = seen.get(member.name, 0) + 1
                path = member.name if number == 1 else f"{member.name}#{number}"
                name, version = self.prefix + path, member.version
                yield Frame(name, member.image, path, source, size_bytes=member.size_bytes, mtime_ns=version)
        except DAMAGE_ERRORS as error:
            yield Frame(self.prefix, UnreadableImage(image_error(error)), "", source)

    def count(self) -> int | None:
        if not has_directory(self._archive):
            return None
        try:
            return sum(member.image is not None for member in self._files())
        except DAMAGE_ERRORS:
            return None

    def _files(self) -> Iterator[Member]:
        members = archive_members(self._archive, MAX_PACKED_BYTES)
        return (member for member in members if member.kind is not MemberKind.FOLDER)
