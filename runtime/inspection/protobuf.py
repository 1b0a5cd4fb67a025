"""Reads the protobuf wire format: numbered fields, and no schema. Damaged bytes end in a WireError, and soon.

https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Iterator

Value = int | memoryview

_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5
_FIXED = {_EIGHT_BYTES: 8, _FOUR_BYTES: 4}
_MAX_FIELDS = 5_000_000  # a few seconds; a network with 100,000 nodes has a tenth of it


class WireError(ValueError):
    """Bytes that are no protobuf message."""


class WireReader:
    """Reads the messages of one file, inner ones included, up to a number of fields that no honest file has."""

    def __init__(self, max_fields: int = _MAX_FIELDS) -> None:
        self._fields_left = max_fields

    def fields(self, message: memoryview) -> Iterator[tuple[int, Value]]:
        """Number and value of each field, in the file's order: whole numbers, or the bytes of anything else."""
        position = 0
        while position < len(message):
            self._fields_left -= 1
            if self._fields_left < 0:
                raise WireError("it has more fields than any network needs")
            tag, position = _varint(message, position)
            number, kind = tag >> 3, tag & 7
            if number == 0:
                raise WireError(f"no field begins at byte {position}")
            if kind == _VARINT:
                value, position = _varint(message, position)
                yield number, value
                continue
            if kind == _LENGTH:
                size, position = _varint(message, position)
            elif kind in _FIXED:
                size = _FIXED[kind]
            else:
                raise WireError(f"field {number} has the unknown kind {kind}")
            if size > len(message) - position:
                raise WireError(f"field {number} ends behind the end of the file")
            yield number, message[position : position + size]
            position += size

    def collect(self, message: memoryview, *numbers: int) -> dict[int, list[Value]]:
        """The values of these fields, a list each."""
        found: dict[int, list[Value]] = {number: [] for number in numbers}
        for number, value in self.fields(message):
            if number in found:
                found[number].append(value)
        return found


def messages(values: list[Value]) -> list[memoryview]:
    """Those values that are bytes: a field of the wrong kind says nothing."""
    return [value for value in values if isinstance(value, memoryview)]


def numbers(values: list[Value], most: int = 1_000) -> list[int]:
    """Signed whole numbers, one a field or packed."""
    found: list[int] = []
    for value in values:
        if isinstance(value, int):
            found.append(value)
            continue
        position = 0
        while position < len(value) and len(found) <= most:
            number, position = _varint(value, position)
            found.append(number)
    if len(found) > most:
        raise WireError(f"a list of numbers is longer than {most}")
    return [number - (1 << 64) if number >> 63 else number for number in found]


def text(values: list[Value], most: int = 200) -> str:
    """The last value as text of at most `most` bytes; "" where there is none."""
    found = messages(values)
    return bytes(found[-1][:most]).decode("utf-8", "replace") if found else ""


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """The number at `position`, seven bits a byte, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(message):
            raise WireError("it ends in the middle of a number")
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, position
    raise WireError(f"the number at byte {position} never ends")
