"""Reads the structure of a `.keras` file without Keras: a zip archive with a JSON description inside."""

import io
import json
import lzma
import struct
import zipfile
import zlib
from collections import Counter
from typing import Any

from edgeclf.runtime.errors import ModelError, first_line
from edgeclf.runtime.inspection.structure import Structure, Tensor
from edgeclf.runtime.model.card import read_zip_card

MAX_CONFIG_BYTES = 16 << 20
REMARK = "clf-export sets its final input and output"
_MAX_UNPACKED_BYTES = 4 << 30
_CONFIG, _METADATA, _SAMPLES = "config.json", "metadata.json", "edgeclf/samples/"
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, OSError, ValueError, KeyError, EOFError, RuntimeError
)  # fmt: skip


def read_keras(data: bytes) -> Structure:
    """Raises ModelError, without the file's name, if the data is damaged or not a Keras 3 file."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_members(archive)
            config, metadata = _read_json(archive, _CONFIG), _read_json(archive, _METADATA)
            names = archive.namelist()
    except _DAMAGED as error:  # RecursionError is a RuntimeError
        raise ModelError(f"damaged or not a .keras file ({first_line(error)})") from None
    return Structure(
        inputs=tuple(list_inputs(config)),
        operators=count_layers(config),
        provenance={
            name: str(metadata[key])[:200]
            for name, key in (("keras", "keras_version"), ("saved", "date_saved"))
            if key in metadata
        },
        samples=dict(Counter(name.split("/")[2] for name in names if name.startswith(_SAMPLES) and name.count("/") == 3)),
        card_text=read_zip_card(io.BytesIO(data)),
        remark=REMARK,
    )


def _check_members(archive: zipfile.ZipFile) -> None:
    """Verify the checksum of every member by unpacking it in small pieces."""
    if sum(member.file_size for member in archive.infolist()) > _MAX_UNPACKED_BYTES:
        raise ValueError(f"it would unpack to more than {_MAX_UNPACKED_BYTES >> 30} GB")
    bad = archive.testzip()
    if bad is not None:
        raise ValueError(f"its member {bad} has a wrong checksum")


def _read_json(archive: zipfile.ZipFile, name: str) -> dict[str, Any]:
    size = archive.getinfo(name).file_size
    if size > MAX_CONFIG_BYTES:
        raise ValueError(f"{name} is larger than {MAX_CONFIG_BYTES >> 20} MB")
    value = json.loads(archive.read(name))
    if not isinstance(value, dict):
        raise ValueError(f"{name} is not a JSON object")
    return value


def count_layers(config: dict[str, Any]) -> dict[str, int]:
    """The number of layers by type, including those of models inside the model."""
    found, waiting = [], [config]
    while waiting:
        layer = waiting.pop()
        inner = _settings(layer).get("layers")
        if isinstance(inner, list):
            waiting += [child for child in reversed(inner) if isinstance(child, dict)]
        else:
            found.append(str(layer.get("class_name", "?"))[:200])
    return dict(Counter(found).most_common())


def list_inputs(config: dict[str, Any]) -> list[Tensor]:
    """The inputs of the model itself, not of models inside it."""
    found = []
    layers = _settings(config).get("layers")
    for layer in layers if isinstance(layers, list) else ():
        settings = _settings(layer)
        shape = settings.get("batch_shape", settings.get("batch_input_shape"))  # the second name before Keras 3
        if isinstance(shape, list) and layer.get("class_name") == "InputLayer":
            sides = tuple(side if isinstance(side, int) else -1 for side in shape[:64])
            found.append(Tensor(str(settings.get("name"))[:200], str(settings.get("dtype"))[:200], sides))
    return found


def _settings(layer: Any) -> dict[str, Any]:
    settings = layer.get("config") if isinstance(layer, dict) else None
    return settings if isinstance(settings, dict) else {}
