"""Sinks: rows that read back as they were, files that appear only when they are complete."""

import csv
import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgeclf.runtime import Outcome, Prediction
from edgeclf.runtime.errors import OutputError, Reason
from edgeclf.runtime.escaping import unescape
from edgeclf.runtime.frames.frame import Frame
from edgeclf.runtime.model.prediction import Failure
from edgeclf.runtime.results.sinks import CSV_COLUMNS, open_sink

ANSWER = Prediction(("cat", "dog"), np.array([0.25, 0.75], np.float32))
FAILURE = Failure(Reason.EMPTY, "the file holds 0 bytes")
NAMES = {
    "plain": b"cat.jpg",
    "latin-1": b"caf\xe9.jpg",
    "utf-8": "caf\u00e9 \u72ac \U0001f600.jpg".encode(),
    "newline": b"two\nlines\r\n.jpg",
    "escape": b"\x1b[31mred\x1b]0;title\x07.jpg",
    "c1-control": "csi \u009b31m.jpg".encode(),
    "right-to-left": "\u202egpj.exe.jpg".encode(),
    "line-separator": "a\u2028b\u0085c.jpg".encode(),
    "formula": b"=HYPERLINK(1).jpg",
    "plus": b"+1.jpg",
    "minus": b"-1.jpg",
    "at": b"@SUM(1).jpg",
    "tab-formula": b"\t=1.jpg",
    "return-formula": b"\r=1.jpg",
    "quotes": b"\"a\" 'b'.jpg",
    "comma": b"a,b;c.jpg",
    "backslash": b"a\\b.jpg",
    "backslash-n": b"a\\nb.jpg",
    "backslash-x": b"\\x3d1.jpg",
    "backslash-last": b"a.jpg\\",
    "all-bytes": bytes(range(1, 256)).replace(b"/", b""),
}


def write_one(outcome: Outcome, path: Path) -> str:
    with open_sink(str(path)) as sink:
        sink.write(outcome)
    return path.read_bytes().decode("utf-8")


@pytest.mark.parametrize("result", [ANSWER, FAILURE], ids=["ok", "error"])
@pytest.mark.parametrize("name", NAMES)
def test_csv_gives_the_name_back(name: str, result: Prediction | Failure, tmp_path: Path) -> None:
    text = write_one(Outcome(Frame(os.fsdecode(NAMES[name]), b""), result), tmp_path / "results.csv")

    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert os.fsencode(unescape(row["path"])) == NAMES[name]


@pytest.mark.parametrize("name", NAMES)
def test_csv_row_is_one_printable_line_that_no_spreadsheet_calculates(name: str, tmp_path: Path) -> None:
    text = write_one(Outcome(Frame(os.fsdecode(NAMES[name]), b""), ANSWER), tmp_path / "results.csv")

    _, line, rest = text.split("\n")
    assert line.isprintable()
    assert not line.lstrip('"').startswith(("=", "+", "-", "@"))
    assert rest == ""


@pytest.mark.parametrize("name", NAMES)
def test_json_line_gives_the_name_back(name: str, tmp_path: Path) -> None:
    text = write_one(Outcome(Frame(os.fsdecode(NAMES[name]), b""), ANSWER), tmp_path / "results.jsonl")

    assert os.fsencode(json.loads(text)["path"]) == NAMES[name]


@pytest.mark.parametrize("name", NAMES)
def test_json_line_is_one_line_of_printable_ascii(name: str, tmp_path: Path) -> None:
    text = write_one(Outcome(Frame(os.fsdecode(NAMES[name]), b""), ANSWER), tmp_path / "results.jsonl")

    assert text.removesuffix("\n").isprintable()
    assert text.isascii()


def test_csv_columns_say_ok_label_and_confidence(tmp_path: Path) -> None:
    text = write_one(Outcome(Frame("a.jpg", b""), ANSWER), tmp_path / "results.csv")

    assert list(csv.reader(io.StringIO(text))) == [list(CSV_COLUMNS), ["a.jpg", "ok", "dog", "0.750000", "", ""]]


def test_csv_columns_say_error_reason_and_detail(tmp_path: Path) -> None:
    text = write_one(Outcome(Frame("a.jpg", b""), FAILURE), tmp_path / "results.csv")

    assert list(csv.reader(io.StringIO(text)))[1] == ["a.jpg", "error", "", "", "empty", "the file holds 0 bytes"]


def test_json_line_holds_every_score(tmp_path: Path) -> None:
    assert json.loads(write_one(Outcome(Frame("a.jpg", b""), ANSWER), tmp_path / "r.jsonl")) == {
        "path": "a.jpg",
        "status": "ok",
        "label": "dog",
        "confidence": 0.75,
        "scores": {"cat": 0.25, "dog": 0.75},
    }


def test_json_line_of_a_failure_holds_the_reason(tmp_path: Path) -> None:
    assert json.loads(write_one(Outcome(Frame("a.jpg", b""), FAILURE), tmp_path / "r.jsonl")) == {
        "path": "a.jpg",
        "status": "error",
        "error": "empty",
        "detail": "the file holds 0 bytes",
    }


@pytest.mark.parametrize("label", ["=cmd|'/c calc'!A0", "two\nlines", "\x1b[31m", "a,b"])
def test_label_of_a_foreign_model_cannot_break_the_row(label: str, tmp_path: Path) -> None:
    prediction = Prediction((label, "other"), np.array([0.9, 0.1], np.float32))

    text = write_one(Outcome(Frame("a.jpg", b""), prediction), tmp_path / "results.csv")

    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert unescape(row["label"]) == label
    assert row["label"].isprintable()
    assert not row["label"].startswith("=")


def test_file_has_its_name_only_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"

    with open_sink(str(path)) as sink:
        sink.write(Outcome(Frame("a.jpg", b""), ANSWER))
        assert not path.exists()

    assert [entry.name for entry in tmp_path.iterdir()] == ["results.csv"]


def interrupt(path: Path, outcome: Outcome) -> None:
    with open_sink(str(path)) as sink:
        sink.write(outcome)
        raise KeyboardInterrupt


def test_interrupted_rows_stay_in_the_part(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"

    with pytest.raises(KeyboardInterrupt):
        interrupt(path, Outcome(Frame("a.jpg", b""), ANSWER))

    assert not path.exists()
    assert (tmp_path / "results.csv.part").read_text().splitlines()[1] == "a.jpg,ok,dog,0.750000,,"


def test_older_results_stay_when_a_run_is_interrupted(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_text("older\n")

    with pytest.raises(KeyboardInterrupt):
        interrupt(path, Outcome(Frame("a.jpg", b""), ANSWER))

    assert path.read_text() == "older\n"


def test_older_results_are_replaced_when_a_run_ends_well(tmp_path: Path) -> None:
    (tmp_path / "results.csv").write_text("older\n")

    assert "older" not in write_one(Outcome(Frame("a.jpg", b""), ANSWER), tmp_path / "results.csv")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing/results.csv", "No such file or directory"),
        ("folder.csv", "is a folder; name a file in it"),
        ("results.txt", r"ends in none of \.csv \.jsonl"),
        ("results", r"ends in none of \.csv \.jsonl"),
        ("file/results.csv", "Not a directory"),
        ("x" * 300 + ".csv", "File name too long"),
    ],
    ids=["missing-folder", "folder", "suffix", "no-suffix", "below-a-file", "too-long"],
)
def test_place_that_cannot_be_written_is_refused_at_once(name: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").touch()

    with pytest.raises(OutputError, match=message), open_sink(str(tmp_path / name)):
        pass


def test_full_disk_is_an_output_error() -> None:
    with pytest.raises(OutputError, match="No space left on device"), open_sink("/dev/full") as sink:
        sink.write(Outcome(Frame("a.jpg", b""), ANSWER))


def test_device_is_written_to_directly() -> None:
    with open_sink("/dev/null") as sink:
        sink.write(Outcome(Frame("a.jpg", b""), ANSWER))

    assert not os.path.exists("/dev/null.part")


@pytest.mark.parametrize(
    ("json_lines", "read"), [(False, lambda text: text.split(",")[-6 + 1]), (True, lambda text: json.loads(text)["status"])]
)
def test_stdout_takes_csv_or_json_lines(
    json_lines: bool, read: Callable[[str], str], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    with open_sink("-", json_lines=json_lines) as sink:
        sink.write(Outcome(Frame("a.jpg", b""), ANSWER))

    assert read(capfdbinary.readouterr().out.decode()) == "ok"
