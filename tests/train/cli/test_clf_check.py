"""`clf-check`: what it prints to stdout and stderr, and its exit codes."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from edgeclf.runtime.images.encode import encode_image
from edgeclf.train.data.findings import MEANINGS, Kind
from tests.support.checkups import photograph
from tests.support.pages import Page
from tests.support.trained_run import KEPT_OUTPUTS

LayOut = Callable[..., Path]
Invoke = Callable[..., Result]
HEAVY = ("cv2", "numpy", "rich.progress", "rich.console")
TRAINING = ("tensorflow", "keras", "sklearn", "matplotlib")
ODD_NAME = os.fsdecode(b"a\n\x1b[31m\xff.jpg")


@pytest.fixture
def sound(lay_out: LayOut) -> Path:
    """Two class folders, in which nothing is wrong."""
    return lay_out({"cat": 20, "dog": 20}, 40, 48)


@pytest.fixture
def broken(sound: Path) -> Path:
    """The same with seven unreadable images, `cat/broken0.jpg` to `cat/broken6.jpg`."""
    for number in range(7):
        (sound / f"cat/broken{number}.jpg").write_bytes(b"")
    return sound


def run_python(folder: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    line = [sys.executable, "-c", code, *arguments]
    return subprocess.run(line, cwd=folder, capture_output=True, timeout=120, check=False)


def imported_at_exit(modules: tuple[str, ...]) -> str:
    """Code that runs the command and prints at the end which of the modules are imported."""
    return (
        "import atexit, sys; from edgeclf.train.cli.clf_check import main\n"
        f"atexit.register(lambda: print([name for name in {modules} if name in sys.modules]))\n"
        "main()"
    )


def test_every_kind_has_a_meaning() -> None:
    assert list(MEANINGS) == list(Kind)


@pytest.mark.usefixtures("sound")
def test_a_sound_folder_gets_one_sentence_and_exit_code_0(clf_check: Invoke) -> None:
    result = clf_check("data", "--strict")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "no problems in 40 images\nnext: clf-train data\n")


def test_the_next_command_has_the_same_images_and_is_the_check_again_after_errors(broken: Path, clf_check: Invoke) -> None:
    result = clf_check("data", "--follow-links")
    assert result.stderr.splitlines()[-1] == "next: clf-check data --follow-links"
    listed = clf_check("data/cat", "--label-from", r"(\w)")
    assert shlex.split(listed.stderr.splitlines()[-1])[1:] == ["clf-check", "data/cat", "--label-from", r"(\w)"]


def test_files_that_are_not_images_are_counted(sound: Path, clf_check: Invoke) -> None:
    (sound / "cat/notes.txt").write_text("x")
    assert "40 images (1 other file skipped: 1 .txt)" in clf_check("data").stderr
    for name in ("more.TXT", "clip.mov", "notes", ".hidden", "a.b.xml", "c.json"):
        (sound / "dog" / name).write_text("x")
    kinds = "2 .txt, 1 .json, 1 .mov, 1 .xml and 2 more"
    assert f"40 images (7 other files skipped: {kinds})" in clf_check("data").stderr


def test_an_error_is_in_the_table_and_named_with_its_file(sound: Path, clf_check: Invoke) -> None:
    (sound / "cat/broken.jpg").write_bytes(b"")
    result = clf_check("data")
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    assert result.exit_code == 1
    assert lines[1].split() == ["unreadable", "1", "error", *MEANINGS["unreadable"].split()]
    assert lines[2:4] == ["", "unreadable"]
    assert lines[4].startswith("  data/cat/broken.jpg: empty: ")
    assert result.stderr.startswith("1 error in 41 images; ")


@pytest.mark.parametrize(("options", "code"), [((), 0), (("--strict",), 1)], ids=["default", "strict"])
def test_a_warning_fails_only_with_strict(sound: Path, clf_check: Invoke, options: tuple[str, ...], code: int) -> None:
    shutil.copy(sound / "cat/00.png", sound / "dog/copy.png")
    result = clf_check("data", *options)
    assert result.exit_code == code
    assert result.stderr.startswith("1 warning in 41 images; ")


def test_a_notice_never_fails(sound: Path, clf_check: Invoke) -> None:
    (sound / "cat/00.png").rename(sound / "cat/00.jpg")
    result = clf_check("data", "--strict")
    assert result.exit_code == 0
    assert result.stderr.startswith("1 notice in 40 images; ")


@pytest.mark.usefixtures("sound")
@pytest.mark.parametrize(
    ("data", "start"),
    [
        ("missing", "error: missing does not exist; "),
        ("data/cat", "error: data/cat holds images but no class folders; "),
    ],
    ids=["missing", "no class folders"],
)
def test_a_folder_that_cannot_be_checked_gets_one_sentence_and_exit_code_2(clf_check: Invoke, data: str, start: str) -> None:
    result = clf_check(data)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert result.stderr.startswith(start)


@pytest.mark.usefixtures("broken")
def test_five_files_of_a_kind_are_shown_and_the_rest_are_counted(clf_check: Invoke) -> None:
    lines = clf_check("data").stdout.splitlines()
    shown = [line.split(":")[0] for line in lines if line.startswith("  data/")]
    assert shown == [f"  data/cat/broken{number}.jpg" for number in range(5)]
    assert lines[-1] == "  and 2 more; --all shows them"


@pytest.mark.usefixtures("broken")
def test_all_shows_every_file(clf_check: Invoke) -> None:
    lines = clf_check("data", "--all").stdout.splitlines()
    assert [line.split(":")[0] for line in lines[-7:]] == [f"  data/cat/broken{number}.jpg" for number in range(7)]


def test_a_long_list_of_copies_is_shortened(sound: Path, clf_check: Invoke) -> None:
    for number in range(4):
        shutil.copy(sound / "cat/00.png", sound / f"cat/copy{number}.png")
    line = "  data/cat/00.png = data/cat/copy0.png = data/cat/copy1.png and 2 more: 5 copies in train: cat"
    assert clf_check("data").stdout.splitlines()[-1] == line


def test_near_duplicates_are_not_shown_as_equal(sound: Path, clf_check: Invoke) -> None:
    for extension in (".png", ".jpg"):
        (sound / f"cat/soft{extension}").write_bytes(encode_image(photograph(), extension))
    line = "  data/cat/soft.jpg ~ data/cat/soft.png: look alike; in train: cat"
    assert clf_check("data").stdout.splitlines()[-1] == line


@pytest.mark.usefixtures("broken")
def test_json_holds_every_finding_and_is_alone_on_stdout(clf_check: Invoke) -> None:
    result = clf_check("data", "--json")
    report = json.loads(result.stdout)
    assert (result.exit_code, report["data"], report["skipped"]) == (1, "data", 0)
    assert report["images"] == {"train": {"cat": 27, "dog": 20}}
    assert [finding["paths"] for finding in report["findings"]] == [[f"data/cat/broken{n}.jpg"] for n in range(7)]
    first = report["findings"][0]
    assert (first["kind"], first["severity"], first["parts"]) == ("unreadable", "error", [])
    assert first["detail"].startswith("empty: ")
    assert set(first) == {"kind", "severity", "paths", "detail", "parts"}


def test_an_odd_name_is_escaped_in_the_text(sound: Path, clf_check: Invoke) -> None:
    (sound / "cat" / ODD_NAME).write_bytes(b"")
    assert clf_check("data").stdout.splitlines()[-1].startswith(r"  data/cat/a\n\x1b[31m\xff.jpg: empty: ")


def test_an_odd_name_can_be_read_back_from_json(sound: Path, clf_check: Invoke) -> None:
    (sound / "cat" / ODD_NAME).write_bytes(b"")
    result = clf_check("data", "--json")
    assert result.stdout.isascii()
    assert os.path.samefile(json.loads(result.stdout)["findings"][0]["paths"][0], sound / "cat" / ODD_NAME)


def test_main_exits_with_the_code_and_imports_no_training_library(sound: Path, tmp_path: Path) -> None:
    (sound / "cat" / os.fsdecode(b"\xff.jpg")).write_bytes(b"")
    done = run_python(tmp_path, imported_at_exit(TRAINING), "data")
    *_, finding, imported = done.stdout.splitlines()
    assert finding.startswith(rb"  data/cat/\xff.jpg: empty: ")
    assert (done.returncode, imported) == (1, b"[]")
    assert done.stderr.startswith(b"1 error in 41 images; ")


def test_help_has_examples_and_headings_and_imports_nothing_heavy(tmp_path: Path) -> None:
    printed = run_python(tmp_path, imported_at_exit(HEAVY), "--help-all").stdout.decode()
    assert "clf-check photos/ --strict && clf-train photos/" in printed
    assert "\nOutput:\n  --all " in printed
    assert printed.endswith("\n[]\n")


def test_an_archive_is_checked_and_its_files_keep_their_names(sound: Path, clf_check: Invoke) -> None:
    (sound / "cat" / "bad.png").write_bytes(b"not an image")
    shutil.make_archive("photos", "zip", sound)
    result = clf_check("photos.zip")
    assert result.exit_code == 1
    assert "  photos.zip/cat/bad.png: not_an_image" in result.stdout
    assert sorted(os.listdir()) == ["data", "photos.zip"]


def test_verify_strict_finds_damage_inside_an_image_that_decodes(sound: Path, clf_check: Invoke) -> None:
    data = bytearray(encode_image(photograph(), ".jpg"))
    data[len(data) // 2 : len(data) // 2 + 64] = bytes(64)
    (sound / "cat" / "damaged.jpg").write_bytes(data)
    assert "unreadable" not in clf_check("data").stdout
    result = clf_check("data", "--verify", "strict")
    assert result.exit_code == 1
    assert "  data/cat/damaged.jpg: truncated: " in result.stdout
    assert clf_check("data", "--verify", "perhaps").exit_code == 2


def test_the_page_shows_the_images_of_each_finding(clf_check: Invoke, broken: Path) -> None:
    shutil.copy(broken / "cat/00.png", broken / "dog/copy.png")
    assert clf_check("data", "-o", "check.html").exit_code == 1
    text = Path("check.html").read_text("utf-8")
    parsed = Page(text)
    assert parsed.well_nested
    assert {"Unreadable: 7", "Label noise: 1", "The same file in two classes; one label is wrong."} <= set(parsed.texts)
    assert len([source for source in parsed.resources if source.startswith("data:image/jpeg;base64,")]) == 2
    assert {"data/cat/00.png", "data/dog/copy.png"} <= set(parsed.texts)
    assert clf_check("data", "-o", "check.html").exit_code == 1, "its own page is replaced"


def test_the_page_of_an_archive_has_its_images(clf_check: Invoke, sound: Path) -> None:
    shutil.copy(sound / "cat/00.png", sound / "dog/copy.png")
    shutil.make_archive("photos", "zip", sound)
    clf_check("photos.zip", "-o", "check.html")
    parsed = Page(Path("check.html").read_text("utf-8"))
    assert parsed.tags.count("img") == 2
    assert "photos.zip/cat/00.png" in parsed.texts


def test_the_page_replaces_no_other_file(clf_check: Invoke, sound: Path) -> None:
    Path("notes.html").write_text("<p>mine</p>")
    result = clf_check(sound.name, "-o", "notes.html")
    assert result.exit_code == 2
    assert "notes.html" in result.stderr
    assert Path("notes.html").read_text() == "<p>mine</p>"


def test_near_duplicates_needs_a_model_with_embeddings(sound: Path, onnx_model: Path, clf_check: Invoke) -> None:
    done = clf_check("data", "--near-duplicates", onnx_model)
    assert done.exit_code == 2
    assert re.fullmatch(r"error: .*no output embedding; .*clf-export --outputs embedding\n", done.stderr)


def test_near_duplicates_are_reported_like_the_others(sound: Path, clf_check: Invoke) -> None:
    (sound / "cat/soft.png").write_bytes(encode_image(photograph()))
    (sound / "dog/part.jpg").write_bytes(encode_image(photograph()[12:, :-15], ".jpg"))
    assert clf_check("data", "--strict").exit_code == 0
    done = clf_check("data", "--near-duplicates", KEPT_OUTPUTS / "model.onnx", "--strict")
    assert done.exit_code == 1
    assert "data/cat/soft.png ~ data/dog/part.jpg: look alike; in train: cat and dog" in done.stdout
