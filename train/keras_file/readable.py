"""A model file as Keras can load it: the file itself, or a temporary copy with a rewritten config."""

import copy
import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgeclf.train.keras_file.rewriting import rewrite

CONFIG = "config.json"
_ATTRIBUTE = "model_config"


@contextmanager
def readable(path: Path) -> Iterator[Path]:
    """A path to give to Keras instead of `path`, a file that `check_keras_file` has accepted. Raises ModelError."""
    is_zip = path.suffix.lower() == ".keras"
    config = json.loads(_read_zip(path) if is_zip else _read_h5(path))
    changed = copy.deepcopy(config)
    rewrite(changed, str(path))
    if changed == config and path.suffix in (".keras", ".h5"):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        readable_path = Path(folder) / f"model{path.suffix.lower()}"
        if is_zip:
            _copy_zip(path, readable_path, changed)
        else:
            _copy_h5(path, readable_path, changed)
        yield readable_path


def _read_zip(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read(CONFIG)


def _copy_zip(path: Path, target: Path, config: dict[str, Any]) -> None:
    """Without the members of `edgeclf/`, which Keras does not need."""
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w") as archive:
        archive.writestr(CONFIG, json.dumps(config))
        for info in source.infolist():
            if info.filename == CONFIG or info.filename.startswith("edgeclf/"):
                continue
            with source.open(info) as member, archive.open(info.filename, "w", force_zip64=True) as copied:
                shutil.copyfileobj(member, copied, 1 << 20)


def _read_h5(path: Path) -> bytes:
    import h5py

    with h5py.File(path, "r") as file:
        text: str | bytes = file.attrs[_ATTRIBUTE]
    return text.encode() if isinstance(text, str) else text


def _copy_h5(path: Path, target: Path, config: dict[str, Any]) -> None:
    import h5py

    shutil.copyfile(path, target)
    with h5py.File(target, "r+") as file:
        file.attrs[_ATTRIBUTE] = json.dumps(config)
