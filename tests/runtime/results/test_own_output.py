"""An output replaces an earlier output, and no file that someone else made."""

import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from edgeclf.runtime.errors import OutputError
from edgeclf.runtime.live.log import open_log
from edgeclf.runtime.results.columns import Schema
from edgeclf.runtime.results.sinks import check_output, open_sink
from tests.support.outputs import FORMATS, OK, READERS, UNSURE, write

by_format = pytest.mark.parametrize("suffix", FORMATS)


def write_foreign(path: Path) -> bytes:
    """A file as other programs write one in the format of its suffix."""
    if path.suffix == ".parquet":
        pq.write_table(pa.table({"path": ["a.jpg"], "label": ["dog"]}), path)
    elif path.suffix in (".sqlite", ".db"):
        with closing(sqlite3.connect(path)) as database, database:
            database.execute("CREATE TABLE results (path TEXT)")
    elif path.suffix == ".xlsx":
        openpyxl.Workbook().save(path)
    else:
        path.write_text({".csv": "path,label\na.jpg,dog\n", ".jsonl": '{"path": "a.jpg", "label": "dog"}\n'}[path.suffix])
    return path.read_bytes()


def refuse(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(OutputError, match="exists already"):
        check_output(str(path), json_lines=False)
    with pytest.raises(OutputError, match="exists already"):
        write(path, OK)
    assert path.read_bytes() == before


@by_format
def test_a_file_of_someone_else_is_refused_and_stays(suffix: str, tmp_path: Path) -> None:
    write_foreign(tmp_path / f"labels{suffix}")

    refuse(tmp_path / f"labels{suffix}")


@by_format
def test_a_file_of_another_kind_is_refused_and_stays(suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"labels{suffix}").write_bytes(bytes(range(256)) * 10)

    refuse(tmp_path / f"labels{suffix}")


@by_format
def test_a_file_of_one_long_line_is_refused_and_stays(suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"labels{suffix}").write_text("x" * 1_000_000)

    refuse(tmp_path / f"labels{suffix}")


@by_format
def test_a_link_to_a_file_of_someone_else_is_refused(suffix: str, tmp_path: Path) -> None:
    write_foreign(tmp_path / f"labels{suffix}")
    (tmp_path / f"link{suffix}").symlink_to(f"labels{suffix}")

    refuse(tmp_path / f"link{suffix}")


@by_format
@pytest.mark.parametrize(
    "rows", [(), (OK,), (replace(OK, path='a, "b"\n.jpg', top={}), OK)], ids=["none", "one", "odd name"]
)
def test_an_earlier_output_is_replaced(suffix: str, rows: tuple[object, ...], tmp_path: Path) -> None:
    path = write(tmp_path / f"results{suffix}", *rows)  # type: ignore[arg-type]

    check_output(str(path), json_lines=False)
    write(path, OK, OK, OK)

    assert len(READERS[suffix](path)) == 3


@by_format
def test_an_empty_file_is_taken(suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"results{suffix}").touch()

    assert len(READERS[suffix](write(tmp_path / f"results{suffix}", OK))) == 1


def test_a_database_with_a_table_of_its_owner_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "results.sqlite", OK)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE mine (x)")

    refuse(path)


def test_an_output_that_was_edited_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "results.csv", OK)
    path.write_text(path.read_text().replace(",model\n", ",model,checked\n"))

    refuse(path)


def test_a_workbook_that_was_saved_by_hand_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "results.xlsx", OK)
    time.sleep(1.1)  # the times in a workbook are in whole seconds
    with closing(openpyxl.load_workbook(path)) as book:
        book.active["B2"] = "checked"
        book.save(path)

    refuse(path)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_the_log_of_a_camera_is_not_replaced_by_a_batch_run(suffix: str, tmp_path: Path) -> None:
    with open_log(str(tmp_path / f"log{suffix}")) as log:
        log.write(UNSURE)

    refuse(tmp_path / f"log{suffix}")


def test_a_file_that_appears_during_the_run_stays(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    check_output(str(path), json_lines=False)
    path.write_text("mine\n")

    with pytest.raises(OutputError, match="exists already"), open_sink(str(path)):
        pass

    assert path.read_text() == "mine\n"


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(
    "schema", [Schema(3), Schema(exif=True), Schema(classes=("a,b", "B", "b", 'c "d"'))], ids=["topk", "exif", "classes"]
)
def test_an_earlier_output_with_other_columns_is_replaced(schema: Schema, suffix: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"results{suffix}", OK, schema=schema)

    assert len(READERS[suffix](write(path, OK, OK))) == 2


def test_an_output_for_excel_is_replaced(tmp_path: Path) -> None:
    with open_sink(str(tmp_path / "results.csv"), excel=True) as sink:
        sink.write(OK)

    assert len(READERS[".csv"](write(tmp_path / "results.csv", OK, OK))) == 2


@pytest.mark.parametrize(
    ("before", "after"),
    [(",guess", ",label_3,confidence_3,guess"), (",guess", ",mine,guess"), (",guess", ""), ("confidence,", "")],
    ids=["gap", "own column", "no guess", "no confidence"],
)
def test_a_header_that_no_run_writes_is_refused(before: str, after: str, tmp_path: Path) -> None:
    path = write(tmp_path / "results.csv", OK)
    path.write_text(path.read_text().replace(before, after, 1))

    refuse(path)
