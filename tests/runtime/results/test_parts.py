"""A folder of Parquet parts: one row per image, whichever runs wrote them and wherever they were interrupted."""

import json
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from edgeclf.runtime.errors import OutputError
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.results.parts import HEADER, Parts
from edgeclf.runtime.results.row import Row
from edgeclf.runtime.results.sinks import open_sink
from edgeclf.runtime.storage.object_store import Store
from tests.support.outputs import columns

MADE_WITH = {"model": "0123456789abcdef", "--topk": 1}


def row(path: str, label: str = "disc", size_bytes: int = 10) -> Row:
    return Row(
        path=path,
        status="ok",
        label=label,
        confidence=0.75,
        top={label: 0.75},
        model="m",
        time="2026-11-22T10:00:00.000Z",
        size_bytes=size_bytes,
        mtime_ns=5,
    )


def failed(path: str) -> Row:
    return Row(path, "error", error="truncated", detail="ends early", model="m", size_bytes=3, mtime_ns=5)


def frame(path: str, size_bytes: int = 10) -> Frame:
    return Frame(path, path, path, size_bytes=size_bytes, mtime_ns=5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "rows"


@pytest.fixture
def parts(folder: Path) -> Parts:
    return Parts(Store.open(str(folder)))


def write(parts: Parts, *portions: Sequence[Row]) -> str:
    """Write the parts of one run."""
    run = parts.begin(MADE_WITH, restart=False)
    for number, rows in enumerate(portions):
        parts.write(run, number, rows)
    return run


def paths_of(folder: Path) -> list[tuple[str, str]]:
    """Path and label of every row that a reader of the folder finds."""
    table = pq.read_table(folder).to_pydict()
    return sorted(zip(table["path"], table["label"], strict=True))


def test_a_reader_of_the_folder_finds_exactly_the_rows(parts: Parts, folder: Path) -> None:
    write(parts, [row("a"), row("b", "square")], [row("c")])
    assert paths_of(folder) == [("a", "disc"), ("b", "square"), ("c", "disc")]


def test_parts_have_the_schema_of_a_local_parquet_file_and_exact_times(parts: Parts, folder: Path, tmp_path: Path) -> None:
    write(parts, [row("a")])
    with open_sink(str(tmp_path / "local.parquet")) as sink:
        sink.write(row("a"))
    schema, local = pq.read_schema(next(folder.glob("part-*"))), pq.read_schema(tmp_path / "local.parquet")
    assert schema.names == [*columns(".parquet"), "mtime_ns"]
    assert schema.remove(len(schema) - 1).equals(local, check_metadata=True)


def test_duckdb_reads_parts_and_a_local_file_alike(parts: Parts, folder: Path, tmp_path: Path) -> None:
    rows = [row("a"), row("b", "square"), failed("bad"), row("c")]
    write(parts, rows[:2], rows[2:])
    with open_sink(str(tmp_path / "local.parquet")) as sink:
        for one in rows:
            sink.write(one)
    for place in (folder / "*.parquet", tmp_path / "local.parquet"):
        counts = duckdb.sql(f"SELECT label, count(*) FROM '{place}' GROUP BY label ORDER BY label")
        assert counts.fetchall() == [("", 1), ("disc", 2), ("square", 1)]


def test_a_portion_that_is_written_twice_has_its_rows_once(parts: Parts, folder: Path) -> None:
    run = write(parts, [row("a"), row("b")])
    parts.write(run, 0, [row("a"), row("b")])
    assert paths_of(folder) == [("a", "disc"), ("b", "disc")]


def test_a_second_run_adds_its_own_parts(parts: Parts, folder: Path) -> None:
    write(parts, [row("a")])
    write(parts, [row("b")])
    assert paths_of(folder) == [("a", "disc"), ("b", "disc")]
    assert len(parts.names()) == 2


def test_parts_of_later_runs_sort_later_even_after_ten_thousand_runs(parts: Parts, folder: Path) -> None:
    write(parts, [row("a")])
    next(folder.glob("part-*")).rename(folder / "part-9999-ffffffff-000000.parquet")
    runs = [write(parts, [row(f"{number}")]) for number in range(3)]
    assert [name.rpartition("-")[0] for name in parts.names()] == ["part-9999-ffffffff", *runs]


def test_parts_in_sub_folders_are_ignored(parts: Parts, folder: Path) -> None:
    write(parts, [row("a")])
    (folder / "other").mkdir()
    part = next(folder.glob("part-*"))
    (folder / "other" / part.name).write_bytes(part.read_bytes())
    assert parts.names() == [part.name]


def test_of_two_different_runs_that_start_together_the_second_is_refused(parts: Parts) -> None:
    parts.check(MADE_WITH)
    parts.check({"model": "another"})
    parts.begin(MADE_WITH, restart=False)
    with pytest.raises(OutputError, match="choose another -o"):
        parts.begin({"model": "another"}, restart=False)


def test_the_index_claims_new_and_changed_files_only(parts: Parts) -> None:
    write(parts, [row("a"), failed("bad")])
    index = parts.index()
    assert (index.done, index.failed) == (2, 1)
    assert not index.claim(frame("a"))
    assert index.claim(frame("a", size_bytes=11))
    assert index.claim(frame("b"))


def test_failed_images_are_claimed_again_on_request(parts: Parts) -> None:
    write(parts, [row("a"), failed("bad")])
    bad = frame("bad", size_bytes=3)
    assert not parts.index().claim(bad)
    assert parts.index(retry_failed=True).claim(bad)


def test_a_row_without_size_and_time_is_found_by_its_path(parts: Parts) -> None:
    write(parts, [Row("a", "ok", "disc"), Row("bad", "error", error="not_found")])
    assert not parts.index().claim(Frame("a", "a", "a"))
    assert not parts.index().claim(Frame("bad", "bad", "bad"))
    assert not parts.index().claim(frame("a")), "named in a list before, found in a folder now"
    assert parts.index().claim(frame("bad")), "it was not there"


def test_if_an_image_has_two_rows_the_one_of_the_later_run_stays(parts: Parts, folder: Path) -> None:
    write(parts, [row("a"), row("b")], [row("c")])
    write(parts, [row("b", "square"), row("c", "square", size_bytes=11)])
    assert parts.index().has_outdated_lines
    parts.drop_outdated()
    assert paths_of(folder) == [("a", "disc"), ("b", "square"), ("c", "square")]
    assert len(parts.names()) == 2, "a part without rows is removed"
    assert not parts.index().has_outdated_lines


def test_rows_that_stay_are_unchanged(parts: Parts, folder: Path) -> None:
    write(parts, [row("a"), row("b")])
    before = pq.read_table(folder).to_pylist()[0]
    write(parts, [row("b", "square")])
    parts.drop_outdated()
    assert before in pq.read_table(folder).to_pylist()


def test_all_rows_are_counted(parts: Parts) -> None:
    write(parts, [row("a"), row("b"), failed("bad")], [row("c", "square"), Row("d", "unsure", confidence=0.4)])
    summary = parts.count()
    assert (dict(summary.labels), dict(summary.failures)) == ({"disc": 2, "square": 1}, {"truncated": 1})
    assert (summary.unsure, summary.total) == (1, 5)


def test_more_parts_than_are_read_at_once_are_all_read(parts: Parts) -> None:
    write(parts, *[[row(f"{number}")] for number in range(100)])
    assert parts.count().total == parts.index().done == 100


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"model": "fedcba9876543210"}, "model fedcba9876543210"),
        ({"--topk": 3}, "--topk 3"),
        ({"--conf": 0.9}, "--conf 0.9"),
    ],
    ids=["model", "option", "new option"],
)
def test_parts_made_with_something_else_are_refused(parts: Parts, folder: Path, other: dict[str, object], said: str) -> None:
    write(parts, [row("a")])
    with pytest.raises(OutputError, match=rf"{folder} was made with .*, not {said}; "):
        parts.begin(MADE_WITH | other, restart=False)


def test_a_restart_removes_all_parts(parts: Parts, folder: Path) -> None:
    write(parts, [row("a")])
    parts.begin({"model": "another"}, restart=True)
    assert [path.name for path in folder.iterdir()] == [HEADER]
    assert json.loads((folder / HEADER).read_text())["fingerprint"] == {"model": "another"}


def test_a_restart_removes_nothing_but_parts(parts: Parts, folder: Path) -> None:
    write(parts, [row("a")])
    for name in ("notes.txt", "mine.parquet", "part-1.parquet"):
        (folder / name).write_text("mine")
    parts.begin(MADE_WITH, restart=True)
    assert {path.name for path in folder.iterdir()} == {HEADER, "notes.txt", "mine.parquet", "part-1.parquet"}


@pytest.mark.parametrize("text", ["{}", "[]", "half", '{"edgeclf_parts": 1}', None], ids=str)
def test_parts_without_a_valid_header_are_refused(parts: Parts, folder: Path, text: str | None) -> None:
    write(parts, [row("a")])
    (folder / HEADER).unlink()
    if text is not None:
        (folder / HEADER).write_text(text)
    with pytest.raises(OutputError, match=f"no {HEADER} of this version"):
        parts.begin(MADE_WITH, restart=False)


@pytest.mark.parametrize("where", ["end", "middle"])
def test_a_damaged_part_is_an_output_error(parts: Parts, folder: Path, where: str) -> None:
    write(parts, [row("a")])
    part = next(folder.glob("part-*"))
    data = bytearray(part.read_bytes())
    if where == "end":
        del data[-20:]
    else:
        data[8:200] = bytes(192)
    part.write_bytes(data)
    with pytest.raises(OutputError, match=rf"{part.name} is damaged \(.+\); remove it"):
        parts.index()
