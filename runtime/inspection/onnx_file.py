"""What an ONNX file says of itself, read without the onnx package. Field numbers are those of onnx.proto."""

import math
from collections import Counter

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.inspection.protobuf import Value, WireError, WireReader, messages, numbers, text
from edgeclf.runtime.inspection.structure import Structure, Tensor
from edgeclf.runtime.model.card import CARD_KEY

_IR_VERSION, _PRODUCER, _PRODUCER_VERSION, _GRAPH, _OPSET, _METADATA = 1, 2, 3, 7, 8, 14  # ModelProto
_NODE, _INITIALIZER, _INPUT, _OUTPUT = 1, 5, 11, 12  # GraphProto
_OP_TYPE = 4  # NodeProto
_DIMS, _DATA_TYPE, _TENSOR_NAME, _DATA_LOCATION = 1, 2, 8, 14  # TensorProto
_EXTERNAL = 1
_TYPES = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 8: "string", 9: "bool",
    10: "float16", 11: "float64", 12: "uint32", 13: "uint64", 16: "bfloat16", 21: "uint4", 22: "int4",
}  # fmt: skip
_MAX_CARD_BYTES = 4 << 20
_MAX_AXES = 64


def read_onnx(data: bytes) -> Structure:
    """Raises ModelError, without the file's name, for bytes that are no ONNX model."""
    try:
        return _read(data)
    except WireError as error:
        raise ModelError(f"damaged or no ONNX file ({error})") from None


def _read(data: bytes) -> Structure:
    reader = WireReader()
    model = reader.collect(memoryview(data), _IR_VERSION, _PRODUCER, _PRODUCER_VERSION, _GRAPH, _OPSET, _METADATA)
    graphs = messages(model[_GRAPH])
    if not graphs:
        raise WireError("it holds no graph")
    graph = reader.collect(graphs[-1], _NODE, _INITIALIZER, _INPUT, _OUTPUT)
    weights, external, names = _weights(reader, graph[_INITIALIZER])
    operators = Counter(text(reader.collect(node, _OP_TYPE)[_OP_TYPE]) for node in messages(graph[_NODE]))
    return Structure(
        # Before IR version 4, every weight had to be listed among the inputs.
        inputs=tuple(tensor for tensor in _tensors(reader, graph[_INPUT]) if tensor.name not in names),
        outputs=tuple(_tensors(reader, graph[_OUTPUT])),
        operators=dict(operators.most_common()),
        weights=weights,
        provenance=_provenance(reader, model),
        card_text=_card_text(reader, model[_METADATA]),
        remark=f"{external:,} of its weights lie in other files; runtimes of edgeclf take one file only" if external else "",
    )


def _provenance(reader: WireReader, model: dict[int, list[Value]]) -> dict[str, str]:
    opsets = [reader.collect(opset, 1, 2) for opset in messages(model[_OPSET])[:20]]
    facts = {
        "producer": f"{text(model[_PRODUCER])} {text(model[_PRODUCER_VERSION])}".strip(),
        "opset": ", ".join(f"{text(opset[1])} {(numbers(opset[2]) or [0])[-1]}".strip() for opset in opsets),
        "IR version": ", ".join(map(str, numbers(model[_IR_VERSION])[-1:])),
    }
    return {name: value for name, value in facts.items() if value}


def _card_text(reader: WireReader, metadata: list[Value]) -> str | None:
    card = None
    for entry in messages(metadata):
        pair = reader.collect(entry, 1, 2)
        if text(pair[1]) == CARD_KEY:
            card = text(pair[2], _MAX_CARD_BYTES)
    return card


def _weights(reader: WireReader, tensors: list[Value]) -> tuple[dict[str, int], int, set[str]]:
    """Stored values by type, how many tensors lie in other files, and the names of all."""
    counts: Counter[str] = Counter()
    external = 0
    names = set()
    for message in messages(tensors):
        tensor = reader.collect(message, _DIMS, _DATA_TYPE, _TENSOR_NAME, _DATA_LOCATION)
        counts[_type_name(tensor[_DATA_TYPE])] += math.prod(numbers(tensor[_DIMS], _MAX_AXES))
        external += _EXTERNAL in numbers(tensor[_DATA_LOCATION])
        names.add(text(tensor[_TENSOR_NAME]))
    return dict(counts.most_common()), external, names


def _tensors(reader: WireReader, values: list[Value]) -> list[Tensor]:
    """ValueInfoProto: name = 1, type = 2; TypeProto: tensor_type = 1; its elem_type = 1, shape = 2; its dim = 1."""
    found = []
    for message in messages(values)[:1_000]:
        value = reader.collect(message, 1, 2)
        tensor_type = [inner for kind in messages(value[2]) for inner in messages(reader.collect(kind, 1)[1])]
        fields = [reader.collect(inner, 1, 2) for inner in tensor_type]
        axes = [axis for field in fields for shape in messages(field[2]) for axis in messages(reader.collect(shape, 1)[1])]
        shape = tuple(_axis(reader, axis) for axis in axes[:_MAX_AXES])
        found.append(Tensor(text(value[1]), _type_name([n for field in fields for n in field[1]]), shape))
    return found


def _axis(reader: WireReader, message: memoryview) -> int | str:
    """Dimension: dim_value = 1, or dim_param = 2."""
    axis = reader.collect(message, 1, 2)
    return (numbers(axis[1]) or [-1])[-1] if axis[1] else text(axis[2]) or -1


def _type_name(values: list[Value]) -> str:
    number = (numbers(values) or [0])[-1]
    return _TYPES.get(number, f"type {number}")
