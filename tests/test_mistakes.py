"""Typical mistakes of typing: each is answered by one short sentence, and the cure that a sentence names does cure."""

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.support.scripts import app_of

Typed = Callable[[str], Result]
LONGEST = 160
"""Characters of a message, without the names that the user typed."""

MISTAKES = [
    ("clf-train", "clf-train DATA", 2),
    ("clf-train photos --epoch 3", "did you mean --epochs", 2),
    ("clf-train photos -epochs 3", "did you mean --epochs", 2),
    ("clf-train photos epochs=3", "did you mean --epochs 3", 2),
    ("clf-train photos --epochs ten", "--epochs takes a whole number, not 'ten'", 2),
    ("clf-train photos --lr fast", "--learning-rate takes a number, not 'fast'", 2),
    ("clf-train photos --limit 0", "--limit takes at least 1, not '0'", 2),
    ("clf-train photos --batch", "--batch needs a value", 2),
    ("clf-train photos --grey=yes", "--grey takes no value", 2),
    ("clf-train photos --imgsz 224 224", "'224' is left over", 2),
    ("clf-train my photos", "put quotes around", 2),
    ("clf-train evalute model.onnx photos", "did you mean clf-train evaluate", 2),
    ("clf-train evaluate model.onnx", "DATA is missing", 2),
    ("clf-train evaluate photos model.onnx", "name the model first", 2),
    ("clf-train evaluate modle.onnx photos", "did you mean model.onnx", 2),
    ("clf-train evaluate model.onnx discs", "did you mean disc?", 2),
    ("clf-train evaluate model.onnx photos --split tset", "did you mean test", 2),
    ("clf-train evaluate zip.keras photos --classes labels.txt", "leave it out", 2),
    ("clf-train evaluate zip.keras photos --device cpu", "leave it out", 2),
    ("clf-run model.onnx --source", "--source needs a value", 2),
    ("clf-run model.onnx -s foto", "did you mean photos", 2),
    ("clf-run model.onnx -s photos/*.png", "'photos/**/*.png'", 2),
    ("clf-run model.onnx -s fotos/*.png", "did you mean photos", 2),
    ("clf-run modle.onnx -s photos", "did you mean model.onnx", 2),
    ("clf-run net.pt -s photos", "PyTorch", 2),
    ("clf-run empty.onnx -s photos", "is empty", 2),
    ("clf-run zip.onnx -s photos", "rename it to zip.keras", 2),
    ("clf-run model -s photos", "rename it to model.onnx", 2),
    ("clf-run model.onnx -s photos -o rows", "must end in .csv", 2),
    ("clf-run model.onnx -s photos -o nowhere/rows.csv", "make the folder", 2),
    ("clf-run model.onnx -s photos -o photos", "name a file", 2),
    ("clf-run model.onnx -s photos --json -o rows.csv", "name a .jsonl file with -o", 2),
    ("clf-run model.onnx -s photos --json -o rows.jsonl", "leave it out", 2),
    ("clf-run model.onnx -s photos --device cdua", "did you mean cuda", 2),
    ("clf-run model.onnx -s photos --conf high", "--conf takes a number", 2),
    ("clf-run model.onnx -s photos --sort copy", "--sort-dir", 2),
    ("clf-run model.onnx -s photos --sort cpoy --sort-dir sorted", "did you mean copy", 2),
    ("clf-run model.onnx -s photos --classes lables.txt", "did you mean labels.txt", 2),
    ("clf-run model.onnx -s photos --classes labels.txt", "one per output", 2),
    ("clf-run udno rows.csv.journal", "did you mean clf-run undo", 2),
    ("clf-run undo rows.csv.journal", "name the journal of a run with --sort", 2),
    ("clf-check", "DATA is missing", 2),
    ("clf-check foto", "did you mean photos", 2),
    ("clf-check photos/disc", "make one sub-folder per class", 2),
    ("clf-check photos --label-form x", "did you mean --label-from", 2),
    ("clf-check photos --verify strickt", "did you mean strict", 2),
    ("clf-inspect modle.onnx", "did you mean model.onnx", 2),
    ("clf-inspect model.onnx photos", "'photos' is left over", 2),
    ("clf-bench photos", "name a folder with exported models", 2),
    ("clf-bench model.onnx --threads two", "whole numbers", 2),
    ("clf-export", "MODEL is missing", 2),
    ("clf-export model.onnx", "run it with clf-run model.onnx", 2),
    ("clf-export model.onnx --from touchvision", "did you mean torchvision", 2),
    ("clf-export check zip.keras --against model.onnx", "clf-export zip.keras", 2),
    ("clf-demo -o photos", "choose another folder", 2),
    ("clf-demo --verbose", "--help-all", 2),
]


@pytest.fixture
def typed(in_process: object, image_folder: Path, run_folder: Path, tmp_path: Path) -> Typed:
    """Runs a line as a user would type it, in a folder with `photos/`, `my photos/`, `discs/` and some model files."""
    for label in ("disc", "square"):
        for folder in ("photos", "my photos"):
            (tmp_path / folder / label).mkdir(parents=True)
            for path in sorted((image_folder / label).iterdir())[:3]:
                shutil.copy(path, tmp_path / folder / label)
    shutil.copytree(tmp_path / "photos" / "disc", tmp_path / "discs" / "discs")
    (tmp_path / "labels.txt").write_text("one\ntwo\nthree\n")
    for source, name in (("model.onnx", "model.onnx"), ("model.onnx", "model"), ("model.keras", "zip.onnx")):
        shutil.copy(run_folder / source, tmp_path / name)
    shutil.copy(run_folder / "model.keras", tmp_path / "zip.keras")
    (tmp_path / "net.pt").write_bytes(b"PK")
    (tmp_path / "empty.onnx").touch()

    def run(line: str) -> Result:
        name, *arguments = shlex.split(line)
        return CliRunner().invoke(app_of(name), arguments, prog_name=name)

    return run


@pytest.mark.parametrize(("line", "keyword", "code"), MISTAKES, ids=[line for line, *_ in MISTAKES])
def test_a_mistake_is_answered_by_one_short_sentence(
    line: str, keyword: str, code: int, typed: Typed, tmp_path: Path
) -> None:
    done = typed(line)

    assert (done.exit_code, done.stdout) == (code, "")
    assert done.stderr.startswith("error: "), done.stderr
    assert done.stderr.count("\n") == 1
    assert keyword in done.stderr
    message = done.stderr.removeprefix("error: ").replace(str(tmp_path), "")
    for word in sorted(shlex.split(line), key=len, reverse=True):
        message = message.replace(word, "")
    assert len(message) <= LONGEST


def test_there_are_at_least_forty() -> None:
    assert len({line for line, *_ in MISTAKES}) >= 40


def cure(done: Result, pattern: str) -> str:
    found = re.search(pattern, done.stderr)
    assert done.exit_code == 2
    assert found, done.stderr
    return found[1]


@pytest.mark.parametrize(
    ("line", "mistake"),
    [
        ("clf-run {} -s photos -o rows.csv", "modle.onnx"),
        ("clf-run model.onnx -s {} -o rows.csv", "foto"),
        ("clf-run model.onnx -s photos {} rows.csv", "--ouptut"),
        ("clf-run model.onnx -s photos -o rows.csv --verify {}", "strit"),
        ("clf-run model.onnx -s photos -o rows.csv --device {}", "cppu"),
        ("clf-run model.onnx -s photos -o rows.csv --sort-dir sorted --sort {}", "copie"),
        ("clf-check photos {}", "--jsn"),
        ("clf-check {}", "fotos"),
        ("clf-train evaluate model.onnx photos {}", "--jsno"),
        ("{} model.onnx photos", "clf-train evalute"),
        ("clf-inspect {}", "modl.onnx"),
    ],
)
def test_what_may_have_been_meant_works(line: str, mistake: str, typed: Typed) -> None:
    meant = cure(typed(line.format(mistake)), r"did you mean ([^?]+?)(?: or [^?]+)?\?")
    assert typed(line.format(meant)).exit_code == 0


@pytest.mark.parametrize("name", ["zip.onnx", "model"])
def test_a_model_works_under_the_name_that_it_should_have(name: str, typed: Typed) -> None:
    renamed = cure(typed(f"clf-run {name} -s photos -o rows.csv"), r"rename it to (\S+)")
    Path(name).rename(renamed)
    assert typed(f"clf-inspect {renamed}").exit_code == 0


def test_the_file_of_another_suffix_is_named_where_a_keras_file_is_wanted(typed: Typed) -> None:
    Path("model").rename("onnx.keras")
    for line in ("clf-run onnx.keras -s photos -o rows.csv", "clf-inspect onnx.keras"):
        assert cure(typed(line), r"rename it to (\S+)") == "onnx.onnx"


def test_the_pattern_that_is_named_matches(typed: Typed) -> None:
    pattern = cure(typed("clf-run model.onnx -s photos/*.png -o rows.csv"), r"such files: '(\S+)'")
    assert typed(f"clf-run model.onnx -s {shlex.quote(pattern)} -o rows.csv").exit_code == 0


def test_the_folder_that_is_named_can_be_taken_whole(typed: Typed) -> None:
    folder = cure(typed("clf-run model.onnx -s photos/*.webp -o rows.csv"), r"'(\w+)' holds no such file; name the folder")
    assert typed(f"clf-run model.onnx -s {folder} -o rows.csv").exit_code == 0


def test_the_folder_that_is_to_be_made_is_the_one_that_is_missing(typed: Typed) -> None:
    line = "clf-run model.onnx -s photos -o results/rows.csv"
    Path(cure(typed(line), r"make the folder (\S+) first")).mkdir()
    assert typed(line).exit_code == 0


def test_a_name_with_a_space_works_in_the_quotes_that_are_shown(typed: Typed) -> None:
    quoted = cure(typed("clf-check my photos"), r"a space: ('[^']+')")
    assert typed(f"clf-check {quoted}").exit_code == 0


def test_classes_in_file_names_are_found_as_the_example_says(typed: Typed) -> None:
    for path in sorted(Path("photos").rglob("*.png")):
        path.rename(f"photos/{path.parent.name}.{path.name}")
    option = cure(typed("clf-check photos"), r"(--label-from '\S+')")
    assert typed(f"clf-check photos {option}").exit_code == 0


def test_a_journal_of_other_options_is_replaced_with_restart(typed: Typed) -> None:
    line = "clf-run model.onnx -s photos -o rows.csv"
    assert typed(line).exit_code == 0
    line += " --topk 2"
    option = cure(typed(line), r"(--restart)")
    assert typed(f"{line} {option}").exit_code == 0


def test_an_exported_model_is_run_as_the_export_says(typed: Typed) -> None:
    command = cure(typed("clf-export model.onnx"), r"run it with (clf-run \S+)")
    assert typed(f"{command} -s photos -o rows.csv").exit_code == 0
