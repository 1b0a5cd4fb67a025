"""Where images come from: folders, patterns, files, lists, archives, videos and URIs, as one stream of named frames."""

import glob
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from edgeclf.runtime.errors import OptionError, SourceError
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.images.limits import MAX_PIXELS
from edgeclf.runtime.sources.archives import ArchiveImages, is_archive
from edgeclf.runtime.sources.folders import FolderImages
from edgeclf.runtime.sources.joined_source import JoinedSource
from edgeclf.runtime.sources.lists import ListedImages, StdinImages, is_column, open_column, open_list
from edgeclf.runtime.sources.patterns import PatternImages
from edgeclf.runtime.sources.remote import open_remote
from edgeclf.runtime.sources.sampling import EVERY_FRAME, Sampling
from edgeclf.runtime.sources.sequences import NumberedImages, is_sequence
from edgeclf.runtime.sources.source_part import SourcePart
from edgeclf.runtime.sources.videos import VideoFrames, is_video
from edgeclf.runtime.sources.watched_folders import WatchedFolders
from edgeclf.runtime.spelling import near
from edgeclf.runtime.storage.object_store import is_uri, local_name
from edgeclf.runtime.terminal.masking import mask

STDIN = "-"


class Source(Protocol):
    """Frames in a fixed order. While nothing more is available yet, it yields None at least every 0.2 s.

    names: as they were given. prefixes: one per name, such that `frame.name == prefixes[frame.source] + frame.path`.
    """

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def prefixes(self) -> tuple[str, ...]: ...

    @property
    def skipped(self) -> int:
        """The number of files skipped so far because they are not images."""
        ...

    def __iter__(self) -> Iterator[Frame | None]: ...

    def count(self) -> int:
        """The number of frames to expect; 0 if it is unknown. Lists folders, reads no image; may be called from any thread.

        For a video, it is the number in its header.
        """
        ...

    def roots(self) -> tuple[str, ...]:
        """Folders and archives that must stay reachable during the run; if one is not, its storage has gone."""
        ...

    def folders(self) -> tuple[str, ...]:
        """Folders that are searched recursively."""
        ...


def open_source(
    *names: str,
    follow_links: bool = False,
    watch: bool = False,
    nul: bool = False,
    resumed: bool = False,
    sampling: Sampling = EVERY_FRAME,
    max_pixels: int = MAX_PIXELS,
) -> Source:
    """One source for all names, in their order. If a file or folder of a name exists, the name is never read another way.

    A name is a folder, a file, an archive (`.zip`, `.tar`, `.tar.gz`, `.tgz`, `.tar.bz2`, `.tar.xz`), a pattern such as
    `'a/**/*.jpg'`, a video (see `videos.SUFFIXES`), numbered images such as `a/f_%03d.png`, `@list.txt` with one path per
    line, `list.csv:column`, or `-` for paths from stdin. It may also be the URI of a folder or an image, such as
    `s3://bucket/photos`; lists may hold URIs, too. `file:///photos` is the local folder.

    follow_links: enter linked folders. watch: folders only; never ends, and yields images as they are completed. nul: paths
    on stdin are separated by NUL characters. resumed: a missing file or pattern is no error, because an earlier run may
    have moved all of its images. sampling: which frames of videos and numbered images to take. max_pixels: the largest
    video frame. Raises SourceError or OptionError.
    """
    if not names:
        raise OptionError("no source is named; give a folder, an image, or a quoted pattern like 'a/*.jpg'")
    if nul and STDIN not in names:
        raise OptionError("-0 is for paths on stdin, but no source is -; add it, or leave -0 out")
    if names.count(STDIN) > 1:
        raise OptionError("stdin can be read only once; name - once")
    names = tuple(map(local_name, names))
    if watch:
        _check_sampling(sampling, ())
        _check_watched(names)
        return WatchedFolders(names, follow_links)
    options = _Options(follow_links, nul, resumed, sampling, max_pixels)
    parts = [_open_part(name, options) for name in names]
    _check_sampling(sampling, names)
    return JoinedSource(names, parts, sampling, max_pixels)


@dataclass(frozen=True, slots=True)
class _Options:
    """See open_source."""

    follow_links: bool
    nul: bool
    resumed: bool
    sampling: Sampling
    max_pixels: int


def _open_part(name: str, options: _Options) -> SourcePart:
    if is_uri(name.removeprefix("@")):
        return _open_uri(name)
    if os.path.isdir(name):
        return FolderImages(name, options.follow_links)
    if os.path.lexists(name):
        return _open_file(name, options)
    if name == STDIN:
        return StdinImages(options.nul)
    if name.startswith("@"):
        return open_list(name)
    if is_column(name):
        return open_column(name)
    if glob.has_magic(name):
        return PatternImages(name, options.follow_links, may_be_empty=options.resumed)
    if is_sequence(name):
        return NumberedImages(name, options.sampling, may_be_empty=options.resumed)
    if options.resumed:
        return _open_file(name, options)
    usual = "name a folder, an image, a quoted pattern like 'a/*.jpg', or a URI like s3://bucket/photos"
    raise SourceError(f"{mask(name)!r} does not exist; {near(name) or usual}")


def _open_uri(name: str) -> SourcePart:
    is_archived = is_archive(name) and "::" not in name  # fsspec reads zip://::s3://bucket/photos.zip
    if is_archived or is_video(name) or is_column(name) or name.startswith("@"):
        raise SourceError(
            f"{mask(name)!r}: videos, archives and lists are read from local disks only; download it, and name the copy"
        )
    return open_remote(name)


def _open_file(name: str, options: _Options) -> SourcePart:
    if is_video(name):
        return VideoFrames(name, options.sampling, options.max_pixels)
    if is_archive(name) and os.path.lexists(name):
        return ArchiveImages(name)
    return ListedImages(name, lambda: iter((name,)))


def _check_watched(names: tuple[str, ...]) -> None:
    uri = next(filter(is_uri, names), None)
    if uri is not None:
        raise OptionError(
            f"--watch waits for images in local folders, and {mask(uri)!r} is not one; leave --watch out, and repeat the "
            "command later: it continues with the new images"
        )


def _check_sampling(sampling: Sampling, names: tuple[str, ...]) -> None:
    if sampling.every_s is not None and not any(map(_may_be_videos, names)):
        raise OptionError("--every is for videos, and no source is one; leave it out, or name a video file")
    if sampling.stride != 1 and not any(_may_be_videos(name) or is_sequence(name) for name in names):
        raise OptionError("--vid-stride is for videos and numbered images, and no source is one; leave it out")


def _may_be_videos(name: str) -> bool:
    if os.path.lexists(name):
        return is_video(name) and not os.path.isdir(name)
    return is_video(name) or name == STDIN or name.startswith("@") or is_column(name) or glob.has_magic(name)
