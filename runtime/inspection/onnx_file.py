"""Reads the structure of an ONNX file without loading it into an engine."""

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.inspection.structure import Structure, Tensor
from edgeclf.runtime.model.card import CARD_KEY
from edgeclf.runtime.model.onnx_schema import EXTERNAL, TYPE_NAMES, parse_model

_MAX_CARD_BYTES = 4 << 20
_MAX_NODES = 1_000_000
"""Ten times as many as the largest networks have. A file of 2 MB can hold more, and an engine takes gigabytes for it."""
_MAX_TENSORS = 1_000
_MAX_OPSETS = 20
_MAX_PROPERTIES = 40
_OWN = b"edgeclf."
_MAX_AXES = 64


def read_onnx(data: bytes) -> Structure:
    """Raises ModelError, without the file's name, if the data is not an ONNX model."""
    try:
        return _structure(parse_model(data))
    except ImportError:
        return Structure(remark="protobuf is not installed, so the file cannot be read: pip install 'edgeclf[cpu]'")
    except ValueError as error:
        raise ModelError(f"damaged or not an ONNX file ({error})") from None


def _structure(model: Any) -> Structure:
    if not model.HasField("graph"):
        raise ValueError("it holds no graph")
    graph = model.graph
    if len(graph.node) + len(graph.initializer) > _MAX_NODES:
        raise ValueError("it has more nodes than any network needs")
    weights = {bytes(tensor.name) for tensor in graph.initializer}
    external = sum(tensor.data_location == EXTERNAL for tensor in graph.initializer)
    return Structure(
        # Before IR version 4, every weight also had to be listed among the inputs.
        inputs=tuple(_tensor(value) for value in graph.input[:_MAX_TENSORS] if value.name not in weights),
        outputs=tuple(_tensor(value) for value in graph.output[:_MAX_TENSORS]),
        operators=dict(Counter(_text(node.op_type) for node in graph.node).most_common()),
        weights=_count_weights(graph.initializer),
        provenance=_provenance(model),
        metadata=_metadata(model.metadata_props),
        card_text=_card_text(model.metadata_props),
        remark=f"{external:,} of its weights are in files beside it; clf-export makes one file of them" if external else "",
    )


def _provenance(model: Any) -> dict[str, str]:
    opsets = (f"{_text(opset.domain)} {opset.version}".strip() for opset in model.opset_import[:_MAX_OPSETS])
    facts = {
        "producer": f"{_text(model.producer_name)} {_text(model.producer_version)}".strip(),
        "opset": ", ".join(opsets),
        "IR version": str(model.ir_version) if model.HasField("ir_version") else "",
    }
    return {name: value for name, value in facts.items() if value}


def _card_text(metadata: Iterable[Any]) -> str | None:
    cards = [entry.value for entry in metadata if entry.key == CARD_KEY.encode()]
    return _text(cards[-1], _MAX_CARD_BYTES) if cards else None


def _metadata(properties: Iterable[Any]) -> dict[str, str]:
    """What other tools write into a file, each cut to 200 bytes."""
    others = (entry for entry in properties if not entry.key.startswith(_OWN))
    return {_text(entry.key): _text(entry.value) for entry, _ in zip(others, range(_MAX_PROPERTIES), strict=False)}


def _count_weights(tensors: Iterable[Any]) -> dict[str, int]:
    """The number of stored values by type."""
    counts: Counter[str] = Counter()
    for tensor in tensors:
        if len(tensor.dims) > _MAX_AXES:
            raise ValueError(f"a weight has more than {_MAX_AXES} axes")
        counts[_type_name(tensor.data_type)] += math.prod(tensor.dims)
    return dict(counts.most_common())


def _tensor(value: Any) -> Tensor:
    kind = value.type.tensor_type
    return Tensor(_text(value.name), _type_name(kind.elem_type), tuple(_side(axis) for axis in kind.shape.dim[:_MAX_AXES]))


def _side(axis: Any) -> int | str:
    return int(axis.dim_value) if axis.HasField("dim_value") else _text(axis.dim_param) or -1


def _type_name(number: int) -> str:
    return TYPE_NAMES.get(number, f"type {number}")


def _text(value: bytes, max_bytes: int = 200) -> str:
    return value[:max_bytes].decode("utf-8", "replace")
