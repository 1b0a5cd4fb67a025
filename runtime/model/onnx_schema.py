"""The part of ONNX's protobuf schema that the runtime reads and writes, for machines without the onnx package.

Both engines depend on the protobuf package. Fields that are not declared here are kept as they are. Text is declared as
bytes, because protobuf would refuse a name that is not valid UTF-8. Numbers and names are those of onnx.proto:
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from functools import cache
from typing import Any, NamedTuple

from edgeclf.runtime.model.protobuf_parts import check_parts


class _Field(NamedTuple):
    """type: one of `_SCALARS` or the name of another message. packed: how repeated numbers are written."""

    number: int
    name: str
    type: str
    repeated: bool = False
    packed: bool = False


EXTERNAL = 1
"""The `data_location` of a weight that is in another file."""
FLOAT, UINT8, INT8, INT32, INT64, STRING, BOOL, FLOAT16, DOUBLE = 1, 2, 3, 6, 7, 8, 9, 10, 11
TYPE_NAMES = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 8: "string", 9: "bool",
    10: "float16", 11: "float64", 12: "uint32", 13: "uint64", 16: "bfloat16", 21: "uint4", 22: "int4",
}  # fmt: skip
ATTRIBUTE_FLOAT, ATTRIBUTE_INT, ATTRIBUTE_INTS = 1, 2, 7
"""Types of attributes."""
_MAX_PARTS = 2_000_000
"""Several times as many as the largest networks have. Without a limit, a file of 10 MB can take gigabytes of memory."""
_MESSAGES: dict[str, tuple[_Field, ...]] = {
    "ModelProto": (
        _Field(1, "ir_version", "int64"),
        _Field(2, "producer_name", "bytes"),
        _Field(3, "producer_version", "bytes"),
        _Field(7, "graph", "GraphProto"),
        _Field(8, "opset_import", "OperatorSetIdProto", repeated=True),
        _Field(14, "metadata_props", "StringStringEntryProto", repeated=True),
        _Field(25, "functions", "FunctionProto", repeated=True),
    ),
    "FunctionProto": (
        _Field(1, "name", "bytes"),
        _Field(7, "node", "NodeProto", repeated=True),
        _Field(10, "domain", "bytes"),
    ),
    "GraphProto": (
        _Field(1, "node", "NodeProto", repeated=True),
        _Field(5, "initializer", "TensorProto", repeated=True),
        _Field(11, "input", "ValueInfoProto", repeated=True),
        _Field(12, "output", "ValueInfoProto", repeated=True),
        _Field(13, "value_info", "ValueInfoProto", repeated=True),
        _Field(14, "quantization_annotation", "bytes", repeated=True),
        _Field(15, "sparse_initializer", "SparseTensorProto", repeated=True),
    ),
    "NodeProto": (
        _Field(1, "input", "bytes", repeated=True),
        _Field(2, "output", "bytes", repeated=True),
        _Field(3, "name", "bytes"),
        _Field(4, "op_type", "bytes"),
        _Field(5, "attribute", "AttributeProto", repeated=True),
        _Field(7, "domain", "bytes"),
    ),
    "AttributeProto": (
        _Field(1, "name", "bytes"),
        _Field(2, "f", "float"),
        _Field(3, "i", "int64"),
        _Field(5, "t", "TensorProto"),
        _Field(6, "g", "GraphProto"),
        _Field(8, "ints", "int64", repeated=True),
        _Field(10, "tensors", "TensorProto", repeated=True),
        _Field(11, "graphs", "GraphProto", repeated=True),
        _Field(20, "type", "int32"),
        _Field(22, "sparse_tensor", "SparseTensorProto"),
        _Field(23, "sparse_tensors", "SparseTensorProto", repeated=True),
    ),
    "SparseTensorProto": (
        _Field(1, "values", "TensorProto"),
        _Field(2, "indices", "TensorProto"),
        _Field(3, "dims", "int64", repeated=True),
    ),
    "TensorProto": (
        _Field(1, "dims", "int64", repeated=True),
        _Field(2, "data_type", "int32"),
        _Field(4, "float_data", "float", repeated=True, packed=True),
        _Field(5, "int32_data", "int32", repeated=True, packed=True),
        _Field(7, "int64_data", "int64", repeated=True, packed=True),
        _Field(8, "name", "bytes"),
        _Field(9, "raw_data", "bytes"),
        _Field(10, "double_data", "double", repeated=True, packed=True),
        _Field(13, "external_data", "StringStringEntryProto", repeated=True),
        _Field(14, "data_location", "int32"),
    ),
    "ValueInfoProto": (_Field(1, "name", "bytes"), _Field(2, "type", "TypeProto")),
    "TypeProto": (_Field(1, "tensor_type", "TensorTypeProto"),),
    "TensorTypeProto": (_Field(1, "elem_type", "int32"), _Field(2, "shape", "TensorShapeProto")),
    "TensorShapeProto": (_Field(1, "dim", "DimensionProto", repeated=True),),
    "DimensionProto": (_Field(1, "dim_value", "int64"), _Field(2, "dim_param", "bytes")),
    "OperatorSetIdProto": (_Field(1, "domain", "bytes"), _Field(2, "version", "int64")),
    "StringStringEntryProto": (_Field(1, "key", "bytes"), _Field(2, "value", "bytes")),
}
_INNER: dict[str, dict[int, Any]] = {name: {} for name in _MESSAGES}
"""For each message, those of its fields that are messages, by number."""
for _name, _fields in _MESSAGES.items():
    _INNER[_name] |= {field.number: _INNER[field.type] for field in _fields if field.type in _MESSAGES}
_SCALARS = ("int64", "int32", "float", "double", "bytes")


def parse_model(data: bytes) -> Any:
    """The file as a ModelProto. Raises ValueError if it is not one, and ImportError without the protobuf package."""
    check_parts(data, _INNER["ModelProto"], _MAX_PARTS)
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        return _model_class().FromString(data)
    except DecodeError as error:
        raise ValueError(str(error)) from None


@cache
def _model_class() -> Any:
    from google.protobuf import (  # type: ignore[import-untyped]
        descriptor_pb2,
        descriptor_pool,
        message_factory,
    )

    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="edgeclf/onnx.proto", package="edgeclf.onnx", syntax="proto2")
    for message_name, fields in _MESSAGES.items():
        message = file.message_type.add(name=message_name)
        for field in fields:
            label = kinds.LABEL_REPEATED if field.repeated else kinds.LABEL_OPTIONAL
            declared = message.field.add(name=field.name, number=field.number, label=label)
            declared.options.packed = field.packed
            if field.type in _SCALARS:
                declared.type = getattr(kinds, f"TYPE_{field.type.upper()}")
            else:
                declared.type, declared.type_name = kinds.TYPE_MESSAGE, f".{file.package}.{field.type}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{file.package}.ModelProto"))
