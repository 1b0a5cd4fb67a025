"""The metadata properties of an ONNX file, where several tools write what their models take and return."""

from edgeclf.runtime.model.onnx_schema import parse_model

_MAX_PROPERTIES = 1_000
_MAX_BYTES = 16 << 20


def read_onnx_properties(data: bytes) -> dict[str, str]:
    """By key, at most 1,000 and 16 MB in all; further ones are left out. Raises ValueError if the data is no ONNX file."""
    properties: dict[str, str] = {}
    room = _MAX_BYTES
    for entry in parse_model(data).metadata_props[:_MAX_PROPERTIES]:
        room -= len(entry.key) + len(entry.value)
        if room >= 0:
            properties.setdefault(entry.key.decode("utf-8", "replace"), entry.value.decode("utf-8", "replace"))
    return properties
