"""What a user named as a model from another tool (a file, a folder, an archive): the model file, and the files beside it."""

import os
import re
import shutil
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edgeclf.runtime.errors import EdgeclfError, ModelError
from edgeclf.runtime.images.decode import MAX_BYTES
from edgeclf.runtime.model.conventions.json_fields import read_fields
from edgeclf.runtime.model.formats import MODEL_SUFFIXES, SAVED_MODEL, model_format, what_to_export
from edgeclf.runtime.model.model_file import read_bytes
from edgeclf.runtime.sources.archives import has_directory, is_archive
from edgeclf.runtime.sources.folders import is_image, is_passed_over
from edgeclf.runtime.sources.guarded_archive import GuardedArchive, Limits
from edgeclf.runtime.spelling import near
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.plural import plural

LIMITS = Limits(members=10_000, total_bytes=8 << 30, file_bytes=MAX_BYTES)
_ARCHIVE_SUFFIXES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz")
_MAX_DEPTH = 3
_MAX_ENTRIES = 100_000
_FORMATS = ("ONNX", "TFLite", "Keras", "HDF5")
"""Of several files in a folder, the first of these is taken."""
_EDGE_TPU = re.compile(r"edgetpu")
_QUANTIZED = re.compile(r"(?<!un)quant|u?int8|int4|bnb4|(?<![a-z])[qu]?q[48](?![0-9])|dynamic")
_HALF = re.compile(r"fp16|float16|half|(?<![a-z])f16")
_DECLARED = {
    "signature.json": ("filename",),
    "cvexport.manifest": ("ModelFileName",),
    "config.json": ("model", "metadata", "path"),
}
"""Where Lobe, Custom Vision and Luxonis name their model file."""


@dataclass(frozen=True)
class ModelPackage:
    """A model file and the folders whose text files count as beside it, the nearest first.

    path: of the model file, or of a SavedModel folder. name: what to call it in messages, also when it is in an archive.
    others: the names of the model files that were not taken.
    """

    path: Path
    name: str
    folders: tuple[Path, ...]
    others: tuple[str, ...] = ()

    def read(self) -> bytes:
        """The bytes of the model file. Raises ModelError."""
        return read_bytes(self.path, self.name)

    def files(self, names: Iterable[str]) -> Iterator[Path]:
        """Those of the named text files that are beside the model: by folder, then in the order of the names."""
        wanted = list(names)
        for folder in self.folders:
            yield from (folder / name for name in wanted if (folder / name).is_file())


@contextmanager
def find_model(path: Path) -> Iterator[ModelPackage]:
    """The model that a user means by `path`: a model file, a folder with one, or an archive of such a folder.

    An archive is unpacked into a folder that is removed when the block ends. Of several models in a folder, the one that the
    tool's own description names is taken, else `.onnx` before `.tflite` before Keras files before a SavedModel, and float
    before float16 before quantised, by their names; a note says so. Raises ModelError or OutputError.
    """
    if path.is_file() and is_archive(path):
        with tempfile.TemporaryDirectory(prefix="edgeclf-") as folder, _named_as_in_archive(folder, path):
            _unpack(path, Path(folder))
            yield _in_folder(Path(folder), str(path))
        return
    yield _named(path)


@contextmanager
def _named_as_in_archive(folder: str, archive: Path) -> Iterator[None]:
    """Errors name a file as a member of the archive, not by the folder into which it was unpacked."""
    try:
        yield
    except EdgeclfError as error:
        error.args = (str(error).replace(f"{folder}{os.sep}", f"{archive}: ").replace(folder, str(archive)),)
        raise


def package_name(named: Path) -> str:
    """What files that are made of a model are called: its name without the suffixes of archives and models.

    >>> package_name(Path("net.onnx.tar.xz")), package_name(Path("model.int8.onnx"))
    ('net', 'model.int8')
    """
    name = named.resolve().name if named.is_dir() else named.name
    while not named.is_dir() and Path(name).suffix.lower() in (*_ARCHIVE_SUFFIXES, *MODEL_SUFFIXES):
        name = Path(name).stem
    return name


def _named(path: Path) -> ModelPackage:
    """The package of a path that is no archive."""
    if not path.exists():
        cure = near(path) or "name a model file, or a folder or an archive with one"
        raise ModelError(f"{path} does not exist; {cure}")
    if path.name == SAVED_MODEL and path.is_file():
        return _package(path.parent, str(path.parent))
    if path.is_dir() and path.suffix.lower() != ".mlpackage":
        return _in_folder(path, str(path))
    if foreign := what_to_export(path):
        raise ModelError(f"{path} is {foreign}")
    if model_format(path):
        return _package(path, str(path))
    known = ".onnx, .tflite, .keras or .h5 file, a SavedModel folder"
    raise ModelError(f"{path} is not a model file that can be read; name a {known}, or a folder or an archive with one")


def _in_folder(folder: Path, name: str) -> ModelPackage:
    """The package of the model in a folder. name: what to call the folder."""
    models, only_folder = _look(folder)
    for _ in range(_MAX_DEPTH):
        if models or only_folder is None:
            break
        folder, name = only_folder, os.path.join(name, only_folder.name)
        models, only_folder = _look(folder)
    if not models:
        raise ModelError(_no_model(folder, name))
    taken = _declared(folder, models) or min(models, key=_rank)
    names = [os.path.relpath(model, folder) for model in sorted(models, key=_rank) if model != taken]
    taken_name = os.path.relpath(taken, folder)
    if names:
        rest = f"{', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}"
        advice = "to take another one, name it itself"
        note(f"{name} holds {plural(len(models), 'model')}: {taken_name} is taken, not {rest}; {advice}")
    return _package(taken, name if taken == folder else os.path.join(name, taken_name), tuple(names))


def _package(path: Path, name: str, others: tuple[str, ...] = ()) -> ModelPackage:
    if path.is_dir():  # a SavedModel: files inside it, and beside it
        return ModelPackage(path, name, (path, path.absolute().parent), others)
    folder = path.absolute().parent
    # Optimum and Transformers.js keep config.json above the folder onnx/.
    folders = (folder, folder.parent) if folder.name == "onnx" else (folder,)
    return ModelPackage(path, name, folders, others)


def _look(folder: Path) -> tuple[list[Path], Path | None]:
    """The models in a folder, and its only sub-folder that may hold one instead."""
    files, folders = _list(folder)
    models = [file for file in files if model_format(file) in _FORMATS and not _EDGE_TPU.search(file.name.lower())]
    models += [inner for inner in [folder, *folders] if model_format(inner) == "SavedModel"]
    if folder / "onnx" in folders:
        models += [file for file in _list(folder / "onnx")[0] if model_format(file) == "ONNX"]
    return models, folders[0] if len(folders) == 1 and not what_to_export(folders[0]) else None


def _list(folder: Path) -> tuple[list[Path], list[Path]]:
    """The files and the folders in a folder, sorted, without hidden ones. Links count: Hugging Face's cache has them."""
    try:
        with os.scandir(folder) as entries:
            found = [entry for _, entry in zip(range(_MAX_ENTRIES), entries, strict=False)]
    except OSError as error:
        raise ModelError(f"cannot list {folder}: {error.strerror}; make it readable, or name the model itself") from None
    names = sorted(entry.name for entry in found if not is_passed_over(entry.name))
    paths = [folder / name for name in names]
    return [path for path in paths if path.is_file()], [path for path in paths if path.is_dir()]


def _declared(folder: Path, models: Sequence[Path]) -> Path | None:
    """The model that the description of the tool names."""
    for file_name, keys in _DECLARED.items():
        fields = read_fields(folder / file_name) if (folder / file_name).is_file() else None
        for key in keys[:-1]:
            fields = fields.inner(key) if fields else None
        name = fields.text(keys[-1]) if fields else None
        found = folder if name == SAVED_MODEL else folder / (name or "")
        if name and found in models:
            return found
    return None


def _rank(model: Path) -> tuple[int, int, int, str]:
    """Smaller is better: the format, the precision by the name, and the plainest name."""
    found = model_format(model)
    order = _FORMATS.index(found) if found in _FORMATS else len(_FORMATS)
    name = model.name.lower()
    precision = 2 if _QUANTIZED.search(name) else 1 if _HALF.search(name) else 0
    return order, precision, len(name), name


def _no_model(folder: Path, name: str) -> str:
    """The error for a folder without a model that can be read."""
    files, folders = _list(folder)
    foreign = next((path for path in [*files, *folders] if what_to_export(path)), None)
    if foreign:
        return f"{os.path.join(name, foreign.name)} is {what_to_export(foreign)}"
    return f"{name} holds no model (looked for .onnx, .tflite, .keras and .h5 files and a SavedModel); name the file itself"


def _unpack(archive: Path, folder: Path) -> None:
    free_bytes = shutil.disk_usage(folder).free
    guarded = GuardedArchive(archive, LIMITS, free_bytes, ModelError, _is_wanted)
    if has_directory(guarded.file):  # checked as a whole before anything is unpacked
        deque(GuardedArchive(archive, LIMITS, free_bytes, ModelError, _is_wanted).files(), maxlen=0)
    for member in guarded.files():
        guarded.write(member, folder)


def _is_wanted(name: str) -> bool:
    """Whether a member of an archive may belong to a model; images do not."""
    *folders, file_name = name.split("/")
    hidden = any(is_passed_over(folder) for folder in folders if folder not in (".", ".."))
    return not hidden and not file_name.startswith(".") and not is_image(file_name)
