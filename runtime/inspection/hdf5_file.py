"""Reads the structure of a Keras model in an `.h5` file without Keras: an HDF5 file with a JSON description inside."""

import io
import json

from edgeclf.runtime.errors import ModelError, first_line
from edgeclf.runtime.inspection.keras_file import MAX_CONFIG_BYTES, REMARK, count_layers, list_inputs
from edgeclf.runtime.inspection.structure import Structure

_IDENTIFIER = b"\x89HDF\r\n\x1a\n"
_DAMAGED = (OSError, ValueError, KeyError, TypeError, RuntimeError)  # RecursionError is a RuntimeError


def read_hdf5(data: bytes) -> Structure:
    """Raises ModelError, without the file's name, if the data is damaged or holds no Keras model."""
    if not data.startswith(_IDENTIFIER):
        raise ModelError("damaged or not an .h5 file (it does not start as HDF5)")
    try:
        import h5py
    except ImportError:
        return Structure(remark="h5py is not installed, so the file cannot be read: pip install 'edgeclf[train]'")
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            text, version = file.attrs.get("model_config"), file.attrs.get("keras_version", "")
        if not isinstance(text, str | bytes):
            raise ValueError("it holds weights without a network")
        if len(text) > MAX_CONFIG_BYTES:
            raise ValueError(f"its description is larger than {MAX_CONFIG_BYTES >> 20} MB")
        config = json.loads(text)
        if not isinstance(config, dict):
            raise ValueError("its description is not a JSON object")
    except _DAMAGED as error:
        raise ModelError(f"damaged or not a Keras model ({first_line(error)})") from None
    return Structure(
        inputs=tuple(list_inputs(config)),
        operators=count_layers(config),
        provenance={"keras": _text(version)} if version else {},
        remark=REMARK,
    )


def _text(value: object) -> str:
    return (value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value))[:200]
