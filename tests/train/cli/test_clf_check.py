"""`clf-check`: what it prints where, and what its exit codes mean."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer
from typer.testing import Result

from edgeclf.train.cli.clf_check import MEANINGS, app
from edgeclf.train.data.findings import Kind

LayOut = Callable[..., Path]
Invoke = Callable[..., Result]
HEAVY = ("cv2", "numpy", "rich.progress", "rich.console")
TRAINING = ("tensorflow", "keras", "sklearn", "matplotlib")


@pytest.fixture
def clf_check(in_process: Callable[[typer.Typer], Invoke]) -> Invoke:
    """`clf_check("data", "--json")`."""
    return in_process(app)


@pytest.fixture
def sound(lay_out: LayOut) -> Path:
    return lay_out({"cat": 20, "dog": 20}, 40, 48)


def run_python(folder: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    line = [sys.executable, "-c", code, *arguments]
    return subprocess.run(line, cwd=folder, capture_output=True, timeout=120, check=False)


def test_every_kind_has_a_meaning() -> None:
    assert list(MEANINGS) == list(Kind)


def test_a_sound_folder_gets_one_sentence_and_exit_code_0(sound: Path, clf_check: Invoke) -> None:
    result = clf_check("data", "--strict")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "no problems in 40 images\n")


def test_files_that_are_no_images_are_counted(sound: Path, clf_check: Invoke) -> None:
    (sound / "cat/notes.txt").write_text("x")
    assert clf_check("data").stderr == "no problems in 40 images (1 other files skipped)\n"


def test_an_error_is_in_the_table_and_named_by_file(sound: Path, clf_check: Invoke) -> None:
    (sound / "cat/broken.jpg").write_bytes(b"")
    result = clf_check("data")
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    assert result.exit_code == 1
    assert lines[1] == "    1  unreadable  error     no image comes out of it; training leaves it out"
    assert lines[2:] == ["", "unreadable", "  data/cat/broken.jpg: empty: the file holds 0 bytes"]
    assert result.stderr == "1 error in 41 images; fix the errors, then run clf-check again\n"


@pytest.mark.parametrize(("options", "code"), [((), 0), (("--strict",), 1)], ids=["as it is", "strict"])
def test_a_warning_fails_only_when_strict(sound: Path, clf_check: Invoke, options: tuple[str, ...], code: int) -> None:
    shutil.copy(sound / "cat/00.png", sound / "dog/copy.png")
    result = clf_check("data", *options)
    assert result.exit_code == code
    assert result.stderr == "1 warning in 41 images; check the warnings, then train with clf-train\n"


def test_a_notice_never_fails(sound: Path, clf_check: Invoke) -> None:
    (sound / "cat/00.png").rename(sound / "cat/00.jpg")
    result = clf_check("data", "--strict")
    assert result.exit_code == 0
    assert result.stderr == "1 notice in 40 images; nothing needs fixing; train with clf-train\n"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ("missing", "error: missing is no folder; "),
        ("data/cat", "error: data/cat has no class folders with images; make one sub-folder per class"),
    ],
    ids=["missing", "no class folders"],
)
def test_what_cannot_be_checked_gets_one_sentence_and_exit_code_2(
    sound: Path, clf_check: Invoke, data: str, sentence: str
) -> None:
    result = clf_check(data)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert result.stderr.startswith(sentence)


def test_five_files_of_a_kind_are_shown_and_the_rest_counted(sound: Path, clf_check: Invoke) -> None:
    for number in range(7):
        (sound / f"cat/broken{number}.jpg").write_bytes(b"")
    lines = clf_check("data").stdout.splitlines()
    assert [line for line in lines if "broken" in line][-1] == "  data/cat/broken4.jpg: empty: the file holds 0 bytes"
    assert lines[-1] == "  and 2 more; --all shows them"


def test_all_shows_every_file(sound: Path, clf_check: Invoke) -> None:
    for number in range(7):
        (sound / f"cat/broken{number}.jpg").write_bytes(b"")
    lines = clf_check("data", "--all").stdout.splitlines()
    assert [line.split(":")[0] for line in lines[-7:]] == [f"  data/cat/broken{number}.jpg" for number in range(7)]


def test_many_copies_are_shortened(sound: Path, clf_check: Invoke) -> None:
    for number in range(4):
        shutil.copy(sound / "cat/00.png", sound / f"cat/copy{number}.png")
    line = "  data/cat/00.png = data/cat/copy0.png = data/cat/copy1.png and 2 more: 5 copies in train: cat"
    assert clf_check("data").stdout.splitlines()[-1] == line


def test_look_alikes_are_not_shown_as_equal(sound: Path, clf_check: Invoke) -> None:
    soft = cv2.resize(cv2.imdecode(np.fromfile(sound / "cat/00.png", np.uint8), cv2.IMREAD_COLOR)[:6, :6], (96, 96))
    (sound / "cat/soft.png").write_bytes(cv2.imencode(".png", soft)[1].tobytes())
    (sound / "cat/soft.jpg").write_bytes(cv2.imencode(".jpg", soft)[1].tobytes())
    line = "  data/cat/soft.jpg ~ data/cat/soft.png: look alike; in train: cat"
    assert clf_check("data").stdout.splitlines()[-1] == line


def test_json_holds_every_finding_and_nothing_else_is_on_stdout(sound: Path, clf_check: Invoke) -> None:
    for number in range(7):
        (sound / f"cat/broken{number}.jpg").write_bytes(b"")
    result = clf_check("data", "--json")
    report = json.loads(result.stdout)
    assert (result.exit_code, report["data"], report["images"], report["skipped"]) == (
        1,
        "data",
        {"train": {"cat": 27, "dog": 20}},
        0,
    )
    assert [finding["paths"] for finding in report["findings"]] == [[f"data/cat/broken{n}.jpg"] for n in range(7)]
    assert report["findings"][0] == {
        "kind": "unreadable",
        "severity": "error",
        "paths": ["data/cat/broken0.jpg"],
        "detail": "empty: the file holds 0 bytes",
        "parts": [],
    }


def test_a_hostile_name_stays_one_printable_line(sound: Path, clf_check: Invoke) -> None:
    (sound / "cat" / os.fsdecode(b"a\n\x1b[31m\xff.jpg")).write_bytes(b"")
    assert clf_check("data").stdout.splitlines()[-1] == r"  data/cat/a\n\x1b[31m\xff.jpg: empty: the file holds 0 bytes"


def test_json_gives_a_hostile_name_back_byte_for_byte(sound: Path, clf_check: Invoke) -> None:
    path = sound / "cat" / os.fsdecode(b"a\n\x1b[31m\xff.jpg")
    path.write_bytes(b"")
    result = clf_check("data", "--json")
    assert result.stdout.isascii()
    assert os.path.samefile(json.loads(result.stdout)["findings"][0]["paths"][0], path)


def test_the_real_command_meets_no_training_library(sound: Path, tmp_path: Path) -> None:
    (sound / "cat" / os.fsdecode(b"\xff.jpg")).write_bytes(b"")
    code = (
        "import sys; from edgeclf.train.cli.clf_check import main\n"
        "try: main()\n"
        f"except SystemExit as end: print(end.code, [name for name in {TRAINING} if name in sys.modules])"
    )
    done = run_python(tmp_path, code, "data")
    assert done.stdout.splitlines()[-2:] == [rb"  data/cat/\xff.jpg: empty: the file holds 0 bytes", b"1 []"]
    assert done.stderr == b"1 error in 41 images; fix the errors, then run clf-check again\n"


def test_the_real_command_ends_with_the_exit_code(sound: Path, tmp_path: Path) -> None:
    done = run_python(tmp_path, "from edgeclf.train.cli.clf_check import main; main()", "data")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"no problems in 40 images\n")


def test_help_shows_examples_and_brings_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; from edgeclf.train.cli.clf_check import main\n"
        "try: main()\n"
        f"except SystemExit: print([name for name in {HEAVY} if name in sys.modules])"
    )
    printed = run_python(tmp_path, code, "--help").stdout.decode()
    assert "clf-check photos/ --strict && clf-train photos/" in printed
    assert printed.endswith("\n[]\n")


def test_an_archive_is_checked_and_its_files_are_named_as_in_it(sound: Path, clf_check: Invoke) -> None:
    (sound / "cat" / "bad.png").write_bytes(b"no image")
    shutil.make_archive("photos", "zip", sound)
    result = clf_check("photos.zip")
    assert result.exit_code == 1
    assert "  photos.zip/cat/bad.png: not_an_image" in result.stdout
    assert sorted(os.listdir()) == ["data", "photos.zip"]
