"""Limits the memory that parsing a protobuf file takes: each part costs 50 to 100 bytes, however short it is in the file."""

from contextlib import suppress
from typing import Any

Inner = dict[int, Any]
"""Those fields of a message that are messages themselves, by number, each with its own such table."""
_FIXED_BYTES = {1: 8, 5: 4}
"""The length of the fields that have no length of their own, by wire type."""


def check_parts(data: bytes, inner: Inner, limit: int) -> None:
    """Raises ValueError if the file has more than `limit` fields. inner: of the message that the file is."""
    if _count_parts(data, inner, limit) > limit:
        raise ValueError("it has more parts than any network needs")


def _count_parts(data: bytes, inner_of_root: Inner, limit: int) -> int:
    """The number of fields in the messages of a file, which says how much memory parsing takes; counting stops at the limit.

    Whatever is malformed is left to the parser.
    """
    parts, messages = 0, [(0, len(data), inner_of_root)]
    with suppress(IndexError):
        while messages and parts <= limit:
            position, end, inner = messages.pop()
            end = min(end, len(data))
            while position < end and parts <= limit:
                parts += 1
                tag, position = data[position], position + 1
                if tag > 127:
                    tag, position = _varint(data, position - 1)
                if tag & 7 == 2:
                    length, position = data[position], position + 1
                    if length > 127:
                        length, position = _varint(data, position - 1)
                    if length and tag >> 3 in inner:
                        messages.append((position, position + length, inner[tag >> 3]))
                    position += length
                elif tag & 7 == 0:
                    _, position = _varint(data, position)
                else:
                    position += _FIXED_BYTES.get(tag & 7, 0)
    return parts


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """A number in protobuf's variable length, and where it ends. Raises IndexError if it does not end."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
    raise IndexError(position)
