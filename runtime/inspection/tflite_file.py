"""Reads the structure of a TFLite file with the flatbuffers schema that comes with LiteRT."""

import math
from collections import Counter
from typing import Any

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.inspection.structure import Structure, Tensor
from edgeclf.runtime.model.conventions.tflite_metadata import read_descriptions
from edgeclf.runtime.model.tflite_card import read_card
from edgeclf.runtime.model.tflite_schema import (
    DAMAGE,
    IDENTIFIER,
    each,
    open_tables,
    operator_names,
    shape_of,
    steps_of,
    text,
    type_names,
)

_MAX_NAMES = 500
_MAX_AXES = 16


def read_tflite(data: bytes) -> Structure:
    """Raises ModelError, without the file's name, if the data is not a TFLite model."""
    if data[4:8] != IDENTIFIER:
        raise ModelError("not a TFLite file (bytes 5 to 8 are not TFL3)")
    card_text = read_card(data)
    try:
        return _structure(data, open_tables(data), card_text)
    except ImportError:
        remark = "LiteRT is not installed, so only the card can be read: pip install 'edgeclf[litert]'"
        return Structure(card_text=card_text, remark=remark)
    except DAMAGE as error:
        raise ModelError(f"damaged ({type(error).__name__} in its tables)") from None


def _structure(data: bytes, model: Any, card_text: str | None) -> Structure:
    graph = model.Subgraphs(0)
    if graph is None:
        raise ValueError("no subgraph")
    types = type_names()
    tensors = list(each(graph.Tensors, graph.TensorsLength()))
    names = _signature_names(model)
    return Structure(
        inputs=tuple(_tensor(tensors, index, types, names) for index in each(graph.Inputs, graph.InputsLength())),
        outputs=tuple(_tensor(tensors, index, types, names) for index in each(graph.Outputs, graph.OutputsLength())),
        operators=_operators(model, graph),
        weights=_count_weights(model, tensors, types),
        provenance=_provenance(model),
        metadata=read_descriptions(data),
        card_text=card_text,
    )


def _signature_names(model: Any) -> dict[int, str]:
    """Names from the signatures by tensor index. The tensor's own name is like `serving_default_image:0`."""
    names: dict[int, str] = {}
    for signature in each(model.SignatureDefs, model.SignatureDefsLength(), _MAX_NAMES):
        for get, length in (
            (signature.Inputs, signature.InputsLength()),
            (signature.Outputs, signature.OutputsLength()),
        ):
            names |= {entry.TensorIndex(): text(entry.Name()) for entry in each(get, length, _MAX_NAMES)}
    return names


def _tensor(tensors: list[Any], index: int, types: dict[int, str], names: dict[int, str]) -> Tensor:
    tensor = tensors[index]
    return Tensor(names.get(index) or text(tensor.Name()), _type_name(tensor, types), shape_of(tensor))


def _type_name(tensor: Any, types: dict[int, str]) -> str:
    name, steps = types.get(tensor.Type(), f"type {tensor.Type()}"), steps_of(tensor)
    return f"{name} (scale {steps[0]:.6g}, zero point {steps[1]})" if steps else name


def _operators(model: Any, graph: Any) -> dict[str, int]:
    codes = operator_names(model)
    counts = Counter(codes[node.OpcodeIndex()] for node in each(graph.Operators, graph.OperatorsLength()))
    return dict(counts.most_common())


def _count_weights(model: Any, tensors: list[Any], types: dict[int, str]) -> dict[str, int]:
    """The number of stored values by type, from tensors whose buffer is not empty."""
    counts: Counter[str] = Counter()
    for tensor in tensors:
        if model.Buffers(tensor.Buffer()).DataLength():
            name = types.get(tensor.Type(), "unknown")
            counts[name] += math.prod(int(side) for side in each(tensor.Shape, tensor.ShapeLength(), _MAX_AXES))
    return dict(counts.most_common())


def _provenance(model: Any) -> dict[str, str]:
    facts = {"description": text(model.Description()), "schema version": str(model.Version())}
    for entry in each(model.Metadata, model.MetadataLength()):
        if entry.Name() == b"min_runtime_version":
            buffer = model.Buffers(entry.Buffer())
            version = bytes(each(buffer.Data, min(buffer.DataLength(), 32)))
            facts["needs runtime"] = version.rstrip(b"\0").decode("utf-8", "replace")
    return {name: value for name, value in facts.items() if value}
