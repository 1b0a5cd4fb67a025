"""Whether what a user names is a model or something to classify."""

import os
from contextlib import suppress
from itertools import islice
from pathlib import Path

from edgeclf.runtime.errors import EdgeclfError
from edgeclf.runtime.model.formats import MODEL_SUFFIXES, SAVED_MODEL, what_to_export
from edgeclf.runtime.model.run_folder import MEMORY_NAME
from edgeclf.runtime.sources.archive_member import ArchiveFile, is_image_member
from edgeclf.runtime.sources.archives import archive_members, has_directory, is_archive
from edgeclf.runtime.sources.folders import is_passed_over
from edgeclf.runtime.sources.unreadable import DAMAGE_ERRORS

_MAX_ENTRIES = 100_000
_MAX_DEPTH = 3
_HEAD_BYTES = 8
_TFLITE, _HDF5, _ONNX = b"TFL3", b"\x89HDF\r\n\x1a\n", (b"\x08", b"\x12\x3a\x42")
"""In an ONNX file, ir_version comes first, a number below 128, and a producer, a graph or a model version next."""


def names_model(word: str) -> bool:
    """Whether `word` names a model file, present or not, or a folder or an archive that holds one."""
    path = Path(word)
    if "://" in word:
        return False
    if has_model_suffix(word) or path.name == SAVED_MODEL or what_to_export(path):
        return True
    if path.is_dir():
        return _holds_model(path, _MAX_DEPTH)
    if not path.is_file():
        return False
    return _packs_model(path) if is_archive(path) else _begins_like_model(path)


def has_model_suffix(name: str) -> bool:
    """Whether this is the name of a file that edgeclf can read as a model."""
    return name.lower().endswith(MODEL_SUFFIXES)


def _holds_model(folder: Path, depth: int) -> bool:
    """Looks where `conventions.package` finds a model, and asks for nothing but the names in a folder."""
    try:
        with os.scandir(folder) as entries:
            found = [entry for entry in islice(entries, _MAX_ENTRIES) if not is_passed_over(entry.name)]
        inner = [Path(entry.path) for entry in found if entry.is_dir()]
    except OSError:
        return False
    if any(entry.name in (MEMORY_NAME, SAVED_MODEL) or has_model_suffix(entry.name) for entry in found):
        return True
    if any((one / SAVED_MODEL).is_file() for one in inner):
        return True
    nested = [one for one in inner if one.name == "onnx"] or (inner if len(inner) == 1 else [])
    return depth > 0 and any(_holds_model(one, depth - 1) for one in nested)


def _packs_model(path: Path) -> bool:
    """Of a compressed tar, which is read from its start, the first image or model decides."""
    with suppress(EdgeclfError), suppress(*DAMAGE_ERRORS):
        archive = ArchiveFile.of(str(path))
        for member in archive_members(archive, 0, lambda _: False):
            if has_model_suffix(member.name) or member.name.rpartition("/")[2] == SAVED_MODEL:
                return True
            if is_image_member(member.name) and not has_directory(archive):
                return False
    return False


def _begins_like_model(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return False
    is_onnx = head[:1] == _ONNX[0] and len(head) > 2 and head[1] < 0x80 and head[2] in _ONNX[1]
    return is_onnx or head == _HDF5 or head[4:] == _TFLITE
