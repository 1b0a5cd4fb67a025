"""Corrections: every path comes back, the last row of an image counts, and no row is lost or written twice."""

import csv
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edgeclf.runtime.errors import OutputError, SourceError
from edgeclf.runtime.review.corrections import Correction, CorrectionsFile, read_corrections, require_known_labels

WHEN = "2026-11-22T14:20:31.007Z"
ODD_PATHS = [
    "<b>a</b>.jpg",
    "a, \"b\" 'c'.jpg",
    "a\nb\r.jpg",
    os.fsdecode(b"caf\xe9.jpg"),
    "C:\\new\\x41.jpg",
    "=HYPERLINK(1).jpg",
    "\u202egnp.exe",
    " ",
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "corrections.csv"


@pytest.fixture
def corrections(path: Path) -> Iterator[CorrectionsFile]:
    with closing(CorrectionsFile(path)) as file:
        yield file


def decided(path: Path) -> dict[str, tuple[str, str]]:
    return {one.path: (one.label, one.decision) for one in read_corrections(path).values()}


@pytest.mark.parametrize("name", ODD_PATHS, ids=ascii)
def test_every_path_and_label_comes_back(corrections: CorrectionsFile, path: Path, name: str) -> None:
    corrections.append([Correction(name, name, "corrected", WHEN)])
    assert read_corrections(path) == {name: Correction(name, name, "corrected", WHEN, line=2)}
    assert len(path.read_bytes().splitlines()) == 2


def test_the_file_is_plain_csv(corrections: CorrectionsFile, path: Path) -> None:
    corrections.append([Correction("a,b.jpg", "bee", "accepted", WHEN), Correction("c.jpg", "", "rejected", WHEN)])
    with open(path, encoding="utf-8", newline="") as file:
        assert [*csv.reader(file)] == [
            ["path", "label", "decision", "time"],
            ["a,b.jpg", "bee", "accepted", WHEN],
            ["c.jpg", "", "rejected", WHEN],
        ]


def test_the_last_row_of_an_image_counts_and_undone_removes_it(path: Path) -> None:
    rows = ["a,ant,corrected", "b,bee,accepted", "c,,rejected", "a,bee,corrected", "b,,undone", "d,,undone"]
    path.write_text("\n".join(["path,label,decision", *rows]) + "\n")
    assert read_corrections(path) == {
        "c": Correction("c", "", "rejected", line=4),
        "a": Correction("a", "bee", "corrected", line=5, replaces=1),
    }


def test_a_row_is_written_once_however_often_it_is_sent(path: Path) -> None:
    first, other = Correction("a", "bee", "accepted", WHEN), Correction("b", "bee", "accepted", WHEN)
    with closing(CorrectionsFile(path)) as file:
        assert [file.append([first]), file.append([first, other]), file.append([other])] == [1, 1, 0]
    with closing(CorrectionsFile(path)) as again:
        assert again.append([first, other]) == 0
    assert len(path.read_text().splitlines()) == 3


def test_what_counts_while_the_file_is_open_is_what_is_read_later(corrections: CorrectionsFile, path: Path) -> None:
    corrections.append([Correction("a", "ant", "corrected", "1Z"), Correction("b", "bee", "accepted", "1Z")])
    corrections.append([Correction("a", "bee", "corrected", "2Z"), Correction("b", "", "undone", "2Z")])
    assert corrections.counting() == read_corrections(path)
    assert [(one.line, one.replaces) for one in corrections.counting().values()] == [(4, 1)]


def test_a_row_that_was_cut_off_is_written_again(path: Path) -> None:
    whole = f"path,label,decision,time\na,bee,accepted,{WHEN}\n"
    path.write_text(f"{whole}b,bee,accepted,{WHEN[:12]}")
    assert decided(path) == {"a": ("bee", "accepted")}
    with closing(CorrectionsFile(path)) as file:
        assert file.append([Correction("b", "bee", "accepted", WHEN)]) == 1
    assert path.read_text() == f"{whole}b,bee,accepted,{WHEN}\n"


def test_a_file_made_by_hand_goes_on_in_its_own_form(path: Path) -> None:
    path.write_bytes("\ufeffpath,label,decision\r\na,bee,accepted\r\nb,ant,corrected".encode())
    with closing(CorrectionsFile(path)) as file:
        file.append([Correction("c", "", "rejected", WHEN)])
    assert path.read_bytes().decode() == "\ufeffpath,label,decision\r\na,bee,accepted\r\nb,ant,corrected\nc,,rejected\n"
    assert decided(path) == {"a": ("bee", "accepted"), "b": ("ant", "corrected"), "c": ("", "rejected")}


@pytest.mark.parametrize("start", [b"", b"path,label,decision"], ids=["empty", "header"])
def test_an_empty_file_gets_a_header(path: Path, start: bytes) -> None:
    path.write_bytes(start)
    with closing(CorrectionsFile(path)) as file:
        file.append([Correction("a", "bee", "accepted", WHEN)])
    assert path.read_text() == f"path,label,decision,time\na,bee,accepted,{WHEN}\n"


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (b"path,label\na,b\n", "line 1 of .* must be path,label,decision"),
        (b"path,label,decision\na,bee,accepted\na,bee\n", "line 3 of .* has 2 cells, not 3"),
        (b"path,label,decision\na,bee,acepted\n", "line 2 of .* has the decision 'acepted'; did you mean accepted"),
        (b"path,label,decision\na,,corrected\n", "line 2 of .* has no label"),
        (b"path,label,decision\n,bee,corrected\n", "line 2 of .* has no path"),
        (b"path,label,decision\ncaf\xe9,bee,corrected\n", "line 2 of .* is not CSV in UTF-8"),
        (b"path,label,decision\n" + 200_000 * b"a" + b",bee,corrected\n", "line 2 of .* is not CSV in UTF-8"),
    ],
    ids=["header", "cells", "decision", "no label", "no path", "not UTF-8", "a huge cell"],
)
def test_a_damaged_row_is_named_by_its_line_and_nothing_is_changed(path: Path, rows: bytes, problem: str) -> None:
    path.write_bytes(rows)
    for use in (read_corrections, CorrectionsFile):
        with pytest.raises(SourceError, match=problem):
            use(path)
    assert path.read_bytes() == rows


@pytest.mark.parametrize("kind", ["missing", "folder"])
def test_what_is_no_file_is_one_sentence(path: Path, kind: str) -> None:
    if kind == "folder":
        path.mkdir()
    with pytest.raises(SourceError, match=r"does not exist; |Is a directory; "):
        read_corrections(path)


def test_a_class_that_does_not_exist_is_named_by_its_line(path: Path) -> None:
    path.write_text("path,label,decision\na,bee,accepted\nb,aant,corrected\nc,,rejected\n")
    corrections = read_corrections(path).values()
    require_known_labels(corrections, ["ant", "bee", "aant"], path)
    with pytest.raises(SourceError, match=r"line 3 of .*corrections.csv names the class 'aant', .* did you mean ant"):
        require_known_labels(corrections, ["ant", "bee"], path)


def test_one_process_at_a_time_writes(corrections: CorrectionsFile, path: Path) -> None:
    with pytest.raises(
        OutputError, match="is being written by another process; wait for it to finish, or name another file"
    ):
        CorrectionsFile(path)
    corrections.append([Correction("a", "bee", "accepted", WHEN)])
    assert decided(path) == {"a": ("bee", "accepted")}


def test_what_was_acknowledged_survives_a_kill(path: Path) -> None:
    script = (
        "import os, sys\nfrom pathlib import Path\n"
        "from edgeclf.runtime.review.corrections import Correction, CorrectionsFile\n"
        "file = CorrectionsFile(Path(sys.argv[1]))\n"
        "file.append([Correction(f'{n}.jpg', 'bee', 'accepted', sys.argv[2]) for n in range(50)])\n"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script, str(path), WHEN], check=False)
    assert list(decided(path)) == [f"{n}.jpg" for n in range(50)]
