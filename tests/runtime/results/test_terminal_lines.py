"""A row as a line for people."""

import io
import re

import pytest
from rich.cells import cell_len

from edgeclf.runtime.results.row import Row
from edgeclf.runtime.results.terminal_lines import ImageLines, LiveLines

DOG = {"dog": 0.956, "cat": 0.044}


def lines_of(*rows: Row) -> list[str]:
    file = io.BytesIO()
    writer = ImageLines(file)
    for row in rows:
        writer.write(row)
    writer.finish()
    return file.getvalue().decode().splitlines()


def test_names_and_answers_are_aligned() -> None:
    long = "x" * 100
    assert lines_of(
        Row("dog.jpg", "ok", "dog", 0.956, DOG),
        Row("photos/a.jpg", "ok", "cat", 1.0, {"cat": 1.0, "dog": 0.0}),
        Row("b.jpg", "unsure", "", 0.956, DOG),
        Row("c.jpg", "error", error="truncated", detail="JPEG without its end"),
        Row("d.jpg", "ok", "dog", 0.956, DOG, sorted_to="sorted/dog/d.jpg"),
        Row(long, "ok", "dog", 0.956, DOG),
    ) == [
        "dog.jpg        dog 95.6 %           cat 4.4 %",
        "photos/a.jpg   cat 100.0 %          dog 0.0 %",
        "b.jpg          unsure: dog 95.6 %   cat 4.4 %",
        "c.jpg          error: truncated, JPEG without its end",
        "d.jpg          dog 95.6 %           cat 4.4 %   -> sorted/dog/d.jpg",
        f"{long}   dog 95.6 %           cat 4.4 %",
    ]


def test_wide_characters_count_twice() -> None:
    rows = lines_of(Row("犬.jpg", "ok", "dog", 0.956, DOG), Row("a.jpg", "ok", "dog", 0.956, DOG))
    assert len({cell_len(line.partition("dog")[0]) for line in rows}) == 1


def test_no_name_or_class_can_control_the_terminal() -> None:
    evil = "a\n\x1b[31m\u202e.jpg"
    row = Row(evil, "ok", evil, 1.0, {evil: 1.0}, sorted_to=evil)
    failed = Row(evil, "error", error="corrupt", detail=evil)
    assert all(line.isprintable() for line in lines_of(row, failed))
    assert len(lines_of(row, failed)) == 2


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (Row("webcam", "ok", "defective", 0.912, time="2026-11-22T14:20:31.120Z"), "defective 91 %"),
        (Row("webcam", "unsure", "", 0.512, {"defective": 0.512}, time="2026-11-22T14:20:31.120Z"), "unsure 51 %"),
        (
            Row("webcam", "error", error="lost", detail="no frames", time="2026-11-22T14:20:31.120Z"),
            "error: lost, no frames",
        ),
    ],
    ids=["ok", "unsure", "lost"],
)
@pytest.mark.parametrize("named", [False, True])
def test_a_live_line_begins_with_the_local_time(row: Row, line: str, named: bool) -> None:
    file = io.BytesIO()
    LiveLines(file, named=named).write(row)
    assert re.fullmatch(rf"\d\d:\d\d:31  {'webcam  ' if named else ''}{line}\n", file.getvalue().decode())
