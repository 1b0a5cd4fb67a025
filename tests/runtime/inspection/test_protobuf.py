"""The wire format is read as Google writes it, and nothing that is damaged is read for long."""

import pytest

from edgeclf.runtime.inspection.protobuf import WireError, WireReader, numbers, text


def fields(data: bytes) -> list[tuple[int, object]]:
    return [
        (number, bytes(value) if isinstance(value, memoryview) else value)
        for number, value in WireReader().fields(memoryview(data))
    ]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"\x08\x96\x01", [(1, 150)]),
        (b"\x12\x07testing", [(2, b"testing")]),
        (
            b"\x1d\x01\x02\x03\x04\x21\x01\x02\x03\x04\x05\x06\x07\x08\x08\x00",
            [(3, b"\1\2\3\4"), (4, bytes(range(1, 9))), (1, 0)],
        ),
        (b"\xa2\x06\x00", [(100, b"")]),
    ],
    ids=["empty", "varint", "text", "fixed", "two-byte-tag"],
)
def test_the_examples_of_the_specification_are_read(data: bytes, expected: list[tuple[int, object]]) -> None:
    assert fields(data) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"\x08",
        b"\x08\x80",
        b"\x12\x05abc",
        b"\x12\xff\xff\xff\xff\x0f",
        b"\x0b",
        b"\x00\x00",
        b"\x08" + b"\xff" * 11,
        b"\x1d\1",
    ],
    ids=["no-value", "cut-number", "cut-text", "four-gigabytes", "group", "field-0", "endless-number", "cut-fixed"],
)
def test_damage_is_a_wire_error(data: bytes) -> None:
    with pytest.raises(WireError):
        fields(data)


def test_a_file_of_nothing_but_fields_ends_soon() -> None:
    reader = WireReader(max_fields=1_000)

    with pytest.raises(WireError, match="more fields"):
        list(reader.fields(memoryview(b"\x08\x01" * 1_001)))


def test_inner_messages_count_too() -> None:
    reader = WireReader(max_fields=1_000)
    list(reader.fields(memoryview(b"\x08\x01" * 600)))

    with pytest.raises(WireError, match="more fields"):
        list(reader.fields(memoryview(b"\x08\x01" * 600)))


def test_numbers_are_the_same_packed_or_not() -> None:
    assert numbers([1, 300, (1 << 64) - 1]) == numbers([memoryview(b"\x01\xac\x02" + b"\xff" * 9 + b"\x01")]) == [1, 300, -1]


def test_a_list_of_numbers_that_is_too_long_is_damage() -> None:
    with pytest.raises(WireError, match="longer than 16"):
        numbers([memoryview(b"\x01" * 1_000_000)], 16)


def test_text_is_cut_and_never_fails() -> None:
    assert text([memoryview(b"\xff" * 1_000)], 3) == "\ufffd" * 3
    assert text([]) == text([7]) == ""
