"""Checks an untrusted model file before Keras opens it.

A `.keras` file of 1.4 KB can ask for gigabytes. This module imports neither Keras nor TensorFlow, so a refusal is cheap.
"""

import stat
import zipfile
import zlib
from pathlib import Path
from typing import Any

from edgeclf.runtime.errors import ModelError, first_line
from edgeclf.runtime.model.formats import check_content, model_format
from edgeclf.runtime.spelling import near
from edgeclf.train.keras_file.config_check import check_config
from edgeclf.train.keras_file.saved_model_folder import check_saved_model, is_saved_model

MAX_BYTES = 4 << 30
"""Maximum size of all members. The largest network of keras.applications takes 1.2 GB."""
MAX_TEXT_BYTES = 16 << 20
"""Maximum size of config.json. For the largest network of keras.applications it takes 2 MB."""
_MAX_MEMBERS = 10_000
_MAX_RATIO = 100  # Keras does not compress weights; compression would save a tenth
_RATIO_BYTES = 64 << 20  # smaller members may have any ratio
_CONFIG = "config.json"
_TEXTS = (_CONFIG, "metadata.json")
_WEIGHTS = ("model.weights.h5", "model.weights.npz")
_DAMAGED = "is damaged or not a .keras file; train again, or copy it again"
_BEGINNING = 256  # longer than a pointer of Git LFS
_HDF5 = b"\x89HDF\r\n\x1a\n"


def check_keras_file(path: Path) -> None:
    """Raises ModelError unless `path` is a file that Keras can load without harm, or a SavedModel folder in good order."""
    if is_saved_model(path):
        check_saved_model(path)
        return
    _check_kind(path)
    found = model_format(path)
    if found == "HDF5":
        _check_h5(path)
    elif found == "Keras":
        _check_zip(path)
    elif found is not None:
        raise ModelError(f"{path} is an exported file, not a Keras model; name the .keras file that it was made from")
    else:
        raise ModelError(f"{path} is not a .keras file; save the model as one with Keras: model.save('model.keras')")


def _check_kind(path: Path) -> None:
    """Check the kind of file before opening it: a FIFO would block forever."""
    try:
        mode, size = path.stat().st_mode, path.stat().st_size
    except (OSError, ValueError):  # a ValueError for a name with a zero byte
        mode = size = 0
    if stat.S_ISDIR(mode):
        raise ModelError(f"{path} is a folder, not a file; clf-export takes the model.keras of a training run")
    if not mode:
        cure = near(path) or "clf-export takes the model.keras of a training run"
        raise ModelError(f"{path} does not exist; {cure}")
    if not stat.S_ISREG(mode):
        raise ModelError(f"{path} is a pipe or a device; copy the model to a regular file")
    if not size:
        raise ModelError(f"{path} is empty, so it {_DAMAGED}")
    try:
        with path.open("rb") as file:
            check_content(path, file.read(_BEGINNING))
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}); make it readable") from None


def _check_zip(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = _checked_members(archive.infolist(), path)
            weights = sum(members[name].file_size for name in _WEIGHTS if name in members)
            text = archive.read(_CONFIG)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, NotImplementedError):
        raise ModelError(f"{path} {_DAMAGED}") from None
    check_config(text, str(path), weights)


def _checked_members(infos: list[zipfile.ZipInfo], path: Path) -> dict[str, zipfile.ZipInfo]:
    """The members by name. Checks that the archive's directory promises members that are safe to unpack."""
    members = {info.filename: info for info in infos}
    if len(infos) > _MAX_MEMBERS or sum(info.file_size for info in infos) > MAX_BYTES:
        total = sum(info.file_size for info in infos)
        cause = f"{path} unpacks to {len(infos):,} members of {total / 1e9:.1f} GB together"
        raise ModelError(f"{cause}, more than any network here needs; do not trust this file")
    if len(members) < len(infos):
        raise ModelError(f"{path} holds two members of one name; save the model again")
    for info in infos:
        _check_member(info, path)
    if _CONFIG not in members or not any(name in members for name in _WEIGHTS):
        raise ModelError(f"{path} lacks {_CONFIG} or {_WEIGHTS[0]}, so it is not a model that Keras saved; save it again")
    return members


def _check_member(info: zipfile.ZipInfo, path: Path) -> None:
    name, size = info.filename, info.file_size
    fault = None
    if info.flag_bits & 1:
        fault = "is encrypted"
    elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        fault = f"is compressed by method {info.compress_type}"
    elif ".." in name.split("/") or name.startswith("/") or "\\" in name:
        fault = "leads outside the archive"
    elif name in _TEXTS and size > MAX_TEXT_BYTES:
        fault = f"takes {size / 1e6:,.0f} MB, more than the config of any network needs"
    elif size > _RATIO_BYTES and size > _MAX_RATIO * info.compress_size:
        fault = f"unpacks from {info.compress_size / 1e6:.1f} to {size / 1e6:,.0f} MB"
    if fault:
        raise ModelError(f"{path}: its member {name[:80]} {fault}; do not trust this file, or save the model again")


def _check_h5(path: Path) -> None:
    import h5py

    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(len(_HDF5)) != _HDF5:
            raise ModelError(f"{path} is damaged or not an .h5 file; copy it again, or save the model as .keras")
    if size > MAX_BYTES:
        raise ModelError(f"{path} takes {size / 1e9:.1f} GB, more than any network needs; do not trust this file")
    try:
        with h5py.File(path, "r") as file:
            text = file.attrs.get("model_config")
            promised = _promised_bytes(file)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} is damaged or not an .h5 file ({first_line(error)}); copy it again") from None
    if promised > max(_RATIO_BYTES, _MAX_RATIO * size):
        raise ModelError(f"{path} unpacks from {size / 1e6:.1f} to {promised / 1e6:,.0f} MB; do not trust this file")
    if not isinstance(text, str | bytes):
        raise ModelError(f"{path} holds weights without a network; save the whole model with model.save as .keras")
    check_config(text if isinstance(text, bytes) else text.encode("utf-8", "replace"), str(path), size)


def _promised_bytes(file: Any) -> int:
    """The size of all numbers in an HDF5 file. Raises ValueError for a link, which could lead to any other file."""
    import h5py

    total, waiting = 0, [file]
    while waiting:
        group = waiting.pop()
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ValueError(f"its {name[:80]!r} is a link")
            found = group[name]
            if isinstance(found, h5py.Group):
                waiting.append(found)
            elif isinstance(found, h5py.Dataset):
                if found.external or found.is_virtual:
                    raise ValueError(f"the numbers of its {name[:80]!r} are in another file")
                total += found.nbytes
    return total
