"""The part of ONNX's protobuf schema that the runtime reads, for machines without the onnx package.

Both engines depend on the protobuf package. Fields that are not declared here are skipped. Text is declared as bytes,
because protobuf would refuse a name that is not valid UTF-8. Numbers and names are those of onnx.proto:
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from functools import cache
from typing import Any, NamedTuple


class _Field(NamedTuple):
    """type: `int64`, `int32`, `bytes` or the name of another message."""

    number: int
    name: str
    type: str
    repeated: bool = False


EXTERNAL = 1
"""The `data_location` of a weight that is in another file."""
_MESSAGES: dict[str, tuple[_Field, ...]] = {
    "ModelProto": (
        _Field(1, "ir_version", "int64"),
        _Field(2, "producer_name", "bytes"),
        _Field(3, "producer_version", "bytes"),
        _Field(7, "graph", "GraphProto"),
        _Field(8, "opset_import", "OperatorSetIdProto", repeated=True),
        _Field(14, "metadata_props", "StringStringEntryProto", repeated=True),
    ),
    "GraphProto": (
        _Field(1, "node", "NodeProto", repeated=True),
        _Field(5, "initializer", "TensorProto", repeated=True),
        _Field(11, "input", "ValueInfoProto", repeated=True),
        _Field(12, "output", "ValueInfoProto", repeated=True),
    ),
    "NodeProto": (
        _Field(1, "input", "bytes", repeated=True),
        _Field(2, "output", "bytes", repeated=True),
        _Field(4, "op_type", "bytes"),
    ),
    "TensorProto": (
        _Field(1, "dims", "int64", repeated=True),
        _Field(2, "data_type", "int32"),
        _Field(8, "name", "bytes"),
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


def parse_model(data: bytes) -> Any:
    """The file as a ModelProto. Raises ValueError if it is not one, and ImportError without the protobuf package."""
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
    scalars = {"int64": kinds.TYPE_INT64, "int32": kinds.TYPE_INT32, "bytes": kinds.TYPE_BYTES}
    file = descriptor_pb2.FileDescriptorProto(name="edgeclf/onnx.proto", package="edgeclf.onnx", syntax="proto2")
    for message_name, fields in _MESSAGES.items():
        message = file.message_type.add(name=message_name)
        for field in fields:
            label = kinds.LABEL_REPEATED if field.repeated else kinds.LABEL_OPTIONAL
            declared = message.field.add(name=field.name, number=field.number, label=label)
            if field.type in scalars:
                declared.type = scalars[field.type]
            else:
                declared.type, declared.type_name = kinds.TYPE_MESSAGE, f".{file.package}.{field.type}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{file.package}.ModelProto"))
