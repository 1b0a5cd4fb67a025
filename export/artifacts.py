"""Publishes exported files: they are made and checked in a hidden folder, and moved only if all of them pass."""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edgeclf.runtime.errors import OutputError
from edgeclf.runtime.model.digest import SUMS_NAME, format_sums, is_exported, read_sums
from edgeclf.runtime.storage.atomic_write import cannot_write, make_folder, publish_text
from edgeclf.runtime.storage.own_files import is_json_object, refuse_foreign

_SUMS_LINE = re.compile(rb"\\?[0-9a-fA-F]{64} [ *].+")


@contextmanager
def staging_folder(folder: Path) -> Iterator[Path]:
    """A hidden folder inside `folder`, on the same disk so that a rename is atomic. It is removed at the end."""
    make_folder(folder)
    try:
        hidden = Path(tempfile.mkdtemp(prefix=".clf-export-", dir=folder))
    except OSError as error:
        raise cannot_write(folder, error) from None
    try:
        yield hidden
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def check_free(folder: Path, names: Iterable[str]) -> None:
    """Raise OutputError if a file that would be replaced in `folder` is no earlier export. names: models and reports."""
    for name in names:
        refuse_foreign(folder / name, _is_export, "choose another folder with -o")
    refuse_foreign(folder / SUMS_NAME, _lists_digests, "choose another folder with -o")


def publish_all(files: list[Path], folder: Path) -> None:
    """Move checked files to `folder` and write their digests to `SHA256SUMS` there.

    Digests of files from earlier exports are kept while the files exist.
    """
    sums = folder / SUMS_NAME
    for path in files:
        if (folder / path.name).is_dir():
            raise OutputError(f"cannot publish {folder / path.name}: a folder has that name; rename or remove it")
    names = {path.name for path in files}
    digests = {name: digest for name, digest in _existing(sums).items() if (folder / name).is_file()}
    # The old digests are removed first: after a crash between the renames, none may describe another file.
    publish_text(sums, format_sums({name: digest for name, digest in digests.items() if name not in names}))
    digests |= {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    for path in files:
        try:
            os.replace(path, folder / path.name)
        except OSError as error:
            raise cannot_write(folder / path.name, error) from None
    publish_text(sums, format_sums(digests))


def _existing(sums: Path) -> dict[str, str]:
    try:
        return read_sums(sums)
    except OSError:
        return {}


def _is_export(path: Path) -> bool:
    return is_json_object(path, "verified_on", "artifacts") if path.suffix == ".json" else is_exported(path.read_bytes())


def _lists_digests(path: Path) -> bool:
    """Whether each line is as `sha256sum` writes it, so that none is lost when the file is written again."""
    return all(map(_SUMS_LINE.fullmatch, filter(None, path.read_bytes().splitlines())))
