"""The tables of a TFLite file, read with the schema that comes with LiteRT, so that damaged ones end soon."""

import struct
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

IDENTIFIER = b"TFL3"
"""Bytes 5 to 8 of every TFLite file."""
DAMAGE = (struct.error, ValueError, TypeError, IndexError, KeyError, AttributeError, OverflowError, MemoryError)
"""What reading the tables of a damaged file raises."""
_MAX_ITEMS = 50_000  # in any list: damaged lengths can reach four billion
_Item = TypeVar("_Item")


def open_tables(data: bytes) -> Any:
    """The root table `Model`. Raises ImportError without LiteRT; this and all that is read from it can raise `DAMAGE`."""
    from ai_edge_litert import schema_py_generated as schema

    return schema.Model.GetRootAs(data, 0)


def each(get: Callable[[int], _Item], length: int, limit: int = _MAX_ITEMS) -> Iterator[_Item]:
    """The items of a list. Raises ValueError if it has more than `limit`."""
    if length > limit:
        raise ValueError(f"a list has more than {limit} items")
    return (get(index) for index in range(length))


def operator_names(model: Any) -> list[str]:
    """The name of each operator code, such as `CONV_2D`; a custom operator has the name that it gave itself."""
    from ai_edge_litert import schema_py_generated as schema

    builtin = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
    names = []
    for code in each(model.OperatorCodes, model.OperatorCodesLength()):
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())  # old files have only the second one, up to 127
        names.append(text(code.CustomCode()) or builtin.get(number, f"operator {number}"))
    return names


def type_names() -> dict[int, str]:
    """The names of the types of tensors, such as `float32`."""
    from ai_edge_litert import schema_py_generated as schema

    return {number: name.lower() for name, number in vars(schema.TensorType).items() if isinstance(number, int)}


def shape_of(tensor: Any) -> tuple[int, ...]:
    """The sides of a tensor; -1 for one that is open."""
    length = tensor.ShapeSignatureLength()
    get = tensor.ShapeSignature if length else tensor.Shape
    return tuple(int(side) for side in each(get, length or tensor.ShapeLength(), 16))


def steps_of(tensor: Any) -> tuple[float, int] | None:
    """Scale and zero point of a tensor that has one of each."""
    steps = tensor.Quantization()
    if steps is None or steps.ScaleLength() != 1 or steps.ZeroPointLength() != 1:
        return None
    return float(steps.Scale(0)), int(steps.ZeroPoint(0))


def text(value: bytes | None) -> str:
    """The beginning of a name or a note in the file."""
    return (value or b"")[:200].decode("utf-8", "replace")
