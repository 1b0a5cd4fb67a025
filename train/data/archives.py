"""Unpacks the images of an untrusted archive into a folder that appears only when it is complete."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgeclf.runtime.errors import DatasetError
from edgeclf.runtime.images.decode import MAX_BYTES as MAX_IMAGE_BYTES
from edgeclf.runtime.sources.archives import has_directory, is_archive
from edgeclf.runtime.sources.folders import READ_EXTENSIONS
from edgeclf.runtime.sources.guarded_archive import GuardedArchive, Limits
from edgeclf.runtime.storage.atomic_write import cannot_write, make_folder
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.plural import plural
from edgeclf.runtime.terminal.progress import Progress

MAX_BYTES = 64 << 30
"""Maximum size of all images of an archive together, unpacked."""
MAX_MEMBERS = 10_000_000


@contextmanager
def unpacked(data: Path) -> Iterator[Path]:
    """`data` itself, or the images of an archive in a folder of the same name, which is removed when the block ends."""
    if not is_archive(data):
        yield data
        return
    with tempfile.TemporaryDirectory(prefix="edgeclf-") as folder:
        yield unpack(data, Path(folder) / data.name)


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack the images in `archive` into `folder`, which appears under its name only when it is complete.

    A folder that already exists is used unchanged. Hidden files, and files that are not images by their extension, are
    skipped. The whole archive is refused if one member is damaged, leads outside the folder, is a link, a device or a sparse
    file, or is larger than an image may be (1 GiB). Raises DatasetError or OutputError, and then leaves nothing behind.
    """
    if folder.is_dir():
        note(f"{folder} already exists and is used as it is; to unpack {archive} again, remove it")
        return folder
    if not archive.exists():
        raise DatasetError(f"{archive} does not exist; name an archive or a folder of labelled images")
    temporary = folder.with_name(f"{folder.name}.{secrets.token_hex(4)}.part")
    make_folder(temporary)
    try:
        guarded = _guarded(archive, temporary)
        written = _write_images(guarded, temporary)
        if not written:
            extensions = " ".join(sorted(READ_EXTENSIONS))
            raise DatasetError(f"{archive} holds no images (looked for {extensions}); choose another archive")
        skipped = f"; {plural(guarded.skipped, 'other file')} skipped" if guarded.skipped else ""
        note(f"{archive}: {plural(written, 'image')} unpacked into {folder}{skipped}")
        _publish(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _guarded(archive: Path, folder: Path) -> GuardedArchive:
    limits = Limits(MAX_MEMBERS, MAX_BYTES, MAX_IMAGE_BYTES)
    return GuardedArchive(archive, limits, shutil.disk_usage(folder).free, DatasetError)


def _write_images(guarded: GuardedArchive, folder: Path) -> int:
    """The number of images written below `folder`."""
    written = 0
    with Progress("unpacking") as progress:
        if has_directory(guarded.file):  # checked as a whole before anything is unpacked
            progress.total = sum(1 for _ in _guarded(guarded.path, folder).files())
        for member in guarded.files():
            guarded.write(member, folder)
            written += 1
            progress.advance(detail=guarded.path.name)
    return written


def _publish(temporary: Path, folder: Path) -> None:
    try:
        os.rename(temporary, folder)
    except OSError as error:
        if not folder.is_dir():  # otherwise another process has just unpacked the same images
            raise cannot_write(folder, error) from None
