"""Reads the structure of a TFLite file with the flatbuffers schema that comes with LiteRT."""

import io
import math
import struct
from collections import Counter
from collections.abc import Iterator
from typing import Any

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.inspection.structure import Structure, Tensor
from edgeclf.runtime.model.card import read_zip_card

_IDENTIFIER = b"TFL3"
_MAX_ITEMS = 50_000  # in any list: damaged lengths can reach four billion
_MAX_NAMES = 500
_MAX_AXES = 16


def read_tflite(data: bytes) -> Structure:
    """Raises ModelError, without the file's name, if the data is not a TFLite model."""
    if data[4:8] != _IDENTIFIER:
        raise ModelError("not a TFLite file (bytes 5 to 8 are not TFL3)")
    card_text = read_zip_card(io.BytesIO(data))
    try:
        from ai_edge_litert import schema_py_generated as schema
    except ImportError:
        remark = "LiteRT is not installed, so only the card can be read: pip install 'edgeclf[litert]'"
        return Structure(card_text=card_text, remark=remark)
    try:
        return _structure(schema, data, card_text)
    except (struct.error, ValueError, TypeError, IndexError, KeyError, AttributeError, OverflowError) as error:
        raise ModelError(f"damaged ({type(error).__name__} in its tables)") from None


def _structure(schema: Any, data: bytes, card_text: str | None) -> Structure:
    model = schema.Model.GetRootAs(data, 0)
    graph = model.Subgraphs(0)
    if graph is None:
        raise ValueError("no subgraph")
    types = {number: name.lower() for name, number in vars(schema.TensorType).items() if isinstance(number, int)}
    tensors = list(_each(graph.Tensors, graph.TensorsLength()))
    names = _signature_names(model)
    return Structure(
        inputs=tuple(_tensor(tensors, index, types, names) for index in _each(graph.Inputs, graph.InputsLength())),
        outputs=tuple(_tensor(tensors, index, types, names) for index in _each(graph.Outputs, graph.OutputsLength())),
        operators=_operators(schema, model, graph),
        weights=_count_weights(model, tensors, types),
        provenance=_provenance(model),
        card_text=card_text,
    )


def _each(get: Any, length: int, limit: int = _MAX_ITEMS) -> Iterator[Any]:
    if length > limit:
        raise ValueError(f"a list has more than {limit} items")
    return (get(index) for index in range(length))


def _signature_names(model: Any) -> dict[int, str]:
    """Names from the signatures by tensor index. The tensor's own name is like `serving_default_image:0`."""
    names: dict[int, str] = {}
    for signature in _each(model.SignatureDefs, model.SignatureDefsLength(), _MAX_NAMES):
        for get, length in (
            (signature.Inputs, signature.InputsLength()),
            (signature.Outputs, signature.OutputsLength()),
        ):
            names |= {entry.TensorIndex(): _text(entry.Name()) for entry in _each(get, length, _MAX_NAMES)}
    return names


def _tensor(tensors: list[Any], index: int, types: dict[int, str], names: dict[int, str]) -> Tensor:
    tensor = tensors[index]
    length = tensor.ShapeSignatureLength()
    get = tensor.ShapeSignature if length else tensor.Shape
    shape = tuple(int(side) for side in _each(get, length or tensor.ShapeLength(), _MAX_AXES))
    return Tensor(names.get(index) or _text(tensor.Name()), _type_name(tensor, types), shape)


def _type_name(tensor: Any, types: dict[int, str]) -> str:
    name = types.get(tensor.Type(), f"type {tensor.Type()}")
    quantization = tensor.Quantization()
    if quantization is None or quantization.ScaleLength() != 1 or quantization.ZeroPointLength() != 1:
        return name
    return f"{name} (scale {quantization.Scale(0):.6g}, zero point {quantization.ZeroPoint(0)})"


def _operators(schema: Any, model: Any, graph: Any) -> dict[str, int]:
    builtin = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
    codes = []
    for code in _each(model.OperatorCodes, model.OperatorCodesLength()):
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())  # old files have only the second one, up to 127
        custom = _text(code.CustomCode())
        codes.append(custom or builtin.get(number, f"operator {number}"))
    counts = Counter(codes[node.OpcodeIndex()] for node in _each(graph.Operators, graph.OperatorsLength()))
    return dict(counts.most_common())


def _count_weights(model: Any, tensors: list[Any], types: dict[int, str]) -> dict[str, int]:
    """The number of stored values by type, from tensors whose buffer is not empty."""
    counts: Counter[str] = Counter()
    for tensor in tensors:
        if model.Buffers(tensor.Buffer()).DataLength():
            name = types.get(tensor.Type(), "unknown")
            counts[name] += math.prod(int(side) for side in _each(tensor.Shape, tensor.ShapeLength(), _MAX_AXES))
    return dict(counts.most_common())


def _provenance(model: Any) -> dict[str, str]:
    facts = {"description": _text(model.Description()), "schema version": str(model.Version())}
    for entry in _each(model.Metadata, model.MetadataLength()):
        if entry.Name() == b"min_runtime_version":
            buffer = model.Buffers(entry.Buffer())
            version = bytes(_each(buffer.Data, min(buffer.DataLength(), 32)))
            facts["needs runtime"] = version.rstrip(b"\0").decode("utf-8", "replace")
    return {name: value for name, value in facts.items() if value}


def _text(value: bytes | None) -> str:
    return (value or b"")[:200].decode("utf-8", "replace")
