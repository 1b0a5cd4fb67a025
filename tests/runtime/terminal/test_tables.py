"""Tables give way to a narrow terminal in steps, and never cut a word."""

import pytest

from edgeclf.runtime.terminal.tables import Cell, Column, table_lines

COLUMNS = (
    Column("file", "left"),
    Column("mean time", spare=1),
    Column("size", spare=2),
    Column("hash", spare=3, quiet=True),
    Column("verdict", "left"),
)
ROWS = [("model.onnx", "12 ms", "17 MB", "0a1b", Cell("passed", "green")), ("b", "1,000 ms", "4 MB", "2c3d", "failed")]
WHOLE = [
    "file        mean time   size  hash  verdict",
    "model.onnx      12 ms  17 MB  0a1b  passed",
    "b            1,000 ms   4 MB  2c3d  failed",
]


def lines(width: int) -> list[str]:
    return [line.plain for line in table_lines(COLUMNS, ROWS, width)]


@pytest.mark.parametrize("width", [43, 80, 1000])
def test_a_table_that_fits_is_shown_whole(width: int) -> None:
    assert lines(width) == WHOLE


def test_titles_take_two_lines_before_a_column_is_left_out() -> None:
    assert lines(42)[:3] == [
        "file            mean   size  hash  verdict",
        "                time",
        "model.onnx     12 ms  17 MB  0a1b  passed",
    ]


def test_the_least_needed_column_is_left_out_first_and_a_quiet_one_without_a_word() -> None:
    assert lines(41) == [line.replace("  hash", "").replace("  0a1b", "").replace("  2c3d", "") for line in WHOLE]


def test_a_note_names_the_columns_that_a_reader_would_miss() -> None:
    assert lines(25) == ["file        verdict", "model.onnx  passed", "b           failed", "not shown: mean time,", "size"]


def test_where_no_column_can_be_left_out_rows_are_stacked_and_nothing_is_missing() -> None:
    assert lines(18) == [
        "model.onnx",
        "  mean time 12 ms",
        "  size 17 MB",
        "  verdict passed",
        "b",
        "  mean time 1,000 ms",
        "  size 4 MB",
        "  verdict failed",
    ]


def test_a_name_is_never_cut_however_narrow_the_terminal_is() -> None:
    name = "my photos/of a long day.jpg"
    assert [line.plain for line in table_lines(COLUMNS, [(name, "1 ms")], 10)] == [name, "  mean time 1 ms"]


def test_a_sentence_goes_on_in_its_own_column() -> None:
    columns = (Column("kind", "left"), Column("meaning", "left", sentence=True))
    made = table_lines(columns, [("tiny", "far smaller than the rest of them"), ("odd", "not plain")], 32)
    assert [line.plain for line in made] == [
        "kind  meaning",
        "tiny  far smaller than the rest",
        "      of them",
        "odd   not plain",
    ]


def test_wide_characters_take_two_columns() -> None:
    made = table_lines((Column("class", "left"), Column("images")), [("猫", "1"), ("ab", "1")], 80)
    assert [line.plain for line in made[1:]] == ["猫          1", "ab          1"]
