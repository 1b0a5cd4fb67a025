"""Results of every format give the same answers, and what cannot be read is one sentence."""

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from edgeclf.runtime.errors import SourceError
from edgeclf.runtime.results.columns import Schema
from edgeclf.runtime.results.row import Row
from edgeclf.runtime.review.answers import Answer, read_answers
from tests.support.outputs import FAILED, OK, UNSURE, write

ODD = os.fsdecode(b"a\n<b>caf\xe9 \\x41.jpg")
FORMATS = [".csv", ".jsonl", ".parquet", ".sqlite", ".db"]
by_format = pytest.mark.parametrize("suffix", FORMATS)


def answers(path: Path) -> list[Answer]:
    return list(read_answers(str(path)))


@by_format
def test_every_format_gives_the_same_answers(suffix: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"r{suffix}", OK, UNSURE, FAILED)
    ok, unsure, failed = answers(path)
    assert (ok.path, ok.status, ok.label, ok.confidence, ok.sorted_to) == ("a.jpg", "ok", "dog", 0.75, "sorted/dog/a.jpg")
    assert (unsure.status, unsure.label, unsure.confidence) == ("unsure", "cat", 0.5)
    assert (failed.status, failed.label, failed.confidence, dict(failed.scores)) == ("error", "", None, {})
    assert (failed.facts["error"], failed.facts["detail"]) == ("empty", "the file holds 0 bytes")
    assert [str(ok.facts[name]) for name in ("width", "height", "size_bytes")] == ["640", "480", "60000"]


@by_format
def test_every_path_and_label_comes_back(suffix: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"r{suffix}", Row(ODD, "ok", ODD, 0.5, {ODD: 0.5}))
    assert [(one.path, one.label) for one in answers(path)] == [(ODD, ODD)]


@pytest.mark.parametrize(
    "schema", [Schema(topk=3), Schema(topk=3, classes=("ant", "cat", "dog"))], ids=["the next best", "all classes"]
)
@by_format
def test_all_scores_are_read_best_first(suffix: str, schema: Schema, tmp_path: Path) -> None:
    row = Row("a.jpg", "ok", "dog", 0.75, {"dog": 0.75, "cat": 0.2, "ant": 0.05})
    [answer] = answers(write(tmp_path / f"r{suffix}", row, schema=schema))
    assert list(answer.scores.items()) == [("dog", 0.75), ("cat", 0.2), ("ant", 0.05)]


def test_the_answers_of_a_training_have_the_truth(tmp_path: Path) -> None:
    text = "path,truth,label,confidence,fold,score_ant,score_bee\n/a.jpg,ant,bee,0.9,1,0.1,0.9\n"
    (tmp_path / "out_of_fold.csv").write_text(text)
    assert [(one.status, one.truth, one.label, dict(one.scores)) for one in answers(tmp_path)] == [
        ("ok", "ant", "bee", {"bee": 0.9, "ant": 0.1})
    ]


def test_parquet_parts_are_read_in_the_order_of_their_runs(tmp_path: Path) -> None:
    for number, label in ((2, "bee"), (1, "ant")):
        write(tmp_path / f"part-000{number}-0123abcd-000000.parquet", Row("a.jpg", "ok", label, 0.5, {label: 0.5}))
    assert [one.label for one in answers(tmp_path)] == ["ant", "bee"]


def test_embeddings_are_not_read(tmp_path: Path) -> None:
    row = Row("a.jpg", "ok", "dog", 0.75, {"dog": 0.75}, embedding=bytes(4 * 8))
    [answer] = answers(write(tmp_path / "r.parquet", row, schema=Schema(embedding=8)))
    assert "embedding" not in answer.facts


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("r.csv", b"label,confidence\nant,0.5\n", "r.csv has no column path; name a file that clf-run wrote with -o"),
        ("r.csv", b"", "has no column path and no label"),
        ("r.csv", b"path,label\na.jpg\n", "line 2 of .* has 1 cells, not 2"),
        ("r.jsonl", b'{"path": "a.jpg", "label": "b"}\n{"pa\n', "line 2 of .* is not a JSON object"),
        ("r.parquet", b"PAR1", "is no sound Parquet file"),
        ("r.sqlite", b"SQLite format 3\0" + bytes(4096), "is no database that clf-run wrote"),
        ("r.xlsx", b"PK", "must end in .csv"),
        ("rr.csv", b"", "does not exist; did you mean .*rr.csv"),
    ],
    ids=["no path", "empty", "cells", "JSON", "Parquet", "SQLite", "Excel", "misspelt"],
)
def test_what_cannot_be_read_is_one_sentence(name: str, content: bytes, problem: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=problem):
        answers(tmp_path / name.replace("rr", "r"))


def test_a_table_without_paths_is_refused_in_every_format(tmp_path: Path) -> None:
    pq.write_table(pa.table({"label": ["ant"]}), tmp_path / "r.parquet")
    (tmp_path / "r.jsonl").write_text(json.dumps({"label": "ant"}) + "\n")
    with closing(sqlite3.connect(tmp_path / "r.sqlite")) as database, database:
        database.execute("CREATE TABLE results AS SELECT 'ant' AS label")
    for name in ("r.parquet", "r.jsonl", "r.sqlite"):
        with pytest.raises(SourceError, match=f"{name} has no column path; "):
            answers(tmp_path / name)


@pytest.mark.parametrize(
    ("files", "problem"),
    [([], "holds no Parquet files and is no training run"), (["metrics.json"], "older than test_answers.csv")],
    ids=["empty", "an old training"],
)
def test_a_folder_without_rows_is_refused(files: list[str], problem: str, tmp_path: Path) -> None:
    for name in files:
        (tmp_path / name).write_text("{}")
    with pytest.raises(SourceError, match=problem):
        answers(tmp_path)


def test_an_object_store_is_refused() -> None:
    with pytest.raises(SourceError, match="local disks only; download it"):
        list(read_answers("s3://bucket/rows"))
