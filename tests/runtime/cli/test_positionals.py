"""The words of `clf-run`: perhaps a model, then sources, as people type them and as a shell expands them."""

import json
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from edgeclf.runtime.cli import clf_inspect
from edgeclf.runtime.model.run_folder import MEMORY_NAME, remember
from edgeclf.runtime.terminal.values import parse_device
from tests.conftest import Invoke
from tests.runtime.cli.conftest import rows_of


@pytest.fixture
def places(tmp_path: Path, colour_model: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model file, a run folder whose int8 file is recommended, and images."""
    monkeypatch.delenv("CLF_MODEL", raising=False)
    (tmp_path / "runs" / "cells").mkdir(parents=True)
    for name in ("named.onnx", "runs/cells/model.onnx", "runs/cells/model.int8.onnx"):
        shutil.copy(colour_model, tmp_path / name)
    remember(tmp_path / "runs" / "cells" / "model.int8.onnx", "clf-bench", compared=2)
    return tmp_path


ONE, ALL = ["photos/a.png"], ["photos/a.png", "photos/b.png", "photos/c.png"]


@pytest.mark.parametrize(
    ("words", "paths", "model"),
    [
        (["named.onnx", "photos"], ALL, None),
        (["named.onnx", *ALL], ALL, None),
        (["named.onnx", "photos/a.png", "-s", "photos/b.png"], ALL[:2], None),
        (["named.onnx", "-s", *ALL], [*ALL[1:], *ONE], None),
        (["-m", "named.onnx", "photos"], ALL, None),
        (["photos/a.png", "--model", "named.onnx"], ONE, None),
        (["photos"], ALL, "runs/cells/model.int8.onnx, which clf-bench recommended"),
        (["-s", "photos"], ALL, "runs/cells/model.int8.onnx, which clf-bench recommended"),
        (["runs/cells", "photos/a.png"], ONE, "runs/cells/model.int8.onnx, which clf-bench recommended"),
        (["-m", "runs/cells", "photos/a.png"], ONE, "runs/cells/model.int8.onnx, which clf-bench recommended"),
    ],
    ids=[
        "folder", "expanded pattern", "both ways", "pattern after -s", "-m", "--model", "no model", "no model and -s", "run",
        "-m run",
    ],
)  # fmt: skip
def test_a_first_word_that_is_a_model_is_the_model_and_the_rest_are_sources(
    clf_run: Invoke, places: Path, words: list[str], paths: list[str], model: str | None
) -> None:
    done = clf_run(*words)
    assert (done.exit_code, [row["path"] for row in rows_of(done.stdout)]) == (0, paths), done.stderr
    assert done.stderr.startswith(f"model: {model}\n") == (model is not None)


@pytest.mark.parametrize(
    ("words", "cure"),
    [
        (["named.onnx"], "clf-run named.onnx photos/"),
        (["runs/cells"], "clf-run runs/cells photos/; .*clf-run -s runs/cells"),
        (["photos", "named.onnx"], "clf-run named.onnx photos/"),
        (["named.onnx", "runs/cells/model.onnx", "photos"], "name one of them"),
        (["-m", "named.onnx", "runs/cells/model.onnx"], "name one of them"),
        ([], "clf-run photos/"),
        (["gone.onnx", "photos"], "gone.onnx"),
        (["photos.pt", "photos"], "PyTorch"),
        (["gone", "photos"], "'gone' does not exist"),
    ],
    ids=[
        "no source",
        "run without source",
        "model last",
        "two models",
        "-m and a model",
        "nothing",
        "gone",
        "foreign",
        "no file",
    ],
)
def test_words_that_do_not_say_enough_are_one_sentence_with_what_to_type(
    clf_run: Invoke, places: Path, words: list[str], cure: str
) -> None:
    done = clf_run(*words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.count("error: ") == 1
    assert re.search(cure, done.stderr)


def test_files_of_other_programs_among_expanded_images_are_no_models(clf_run: Invoke, places: Path) -> None:
    Path("photos/a.xml").touch()
    done = clf_run("named.onnx", "photos/a.png", "photos/a.xml")
    assert [row["status"] for row in rows_of(done.stdout)] == ["ok", "error"]


def test_clf_inspect_shows_the_recommended_file_of_a_run(in_process: Callable[[typer.Typer], Invoke], places: Path) -> None:
    done = in_process(clf_inspect.app)("runs/cells", "--json")
    assert json.loads(done.stdout)["file"] == "runs/cells/model.int8.onnx"
    assert done.stderr == "model: runs/cells/model.int8.onnx, which clf-bench recommended\n"


def test_the_journal_goes_on_however_the_sources_were_named(clf_run: Invoke, places: Path) -> None:
    assert clf_run("named.onnx", "-s", "photos", "-s", "photos/a.png", "--conf", "0.9", "-o", "rows.csv").exit_code == 0
    again = clf_run("-m", "named.onnx", "photos", "photos/a.png", "--conf", "90%", "-o", "rows.csv")
    assert (again.exit_code, "all of them from earlier runs" in again.stderr) == (0, True)


@pytest.mark.parametrize(("content", "is_model"), [("net/model.onnx", True), ("a.png", False)], ids=["model", "images"])
def test_an_archive_is_a_model_only_if_it_holds_one(
    clf_run: Invoke, places: Path, png: bytes, content: str, is_model: bool
) -> None:
    with zipfile.ZipFile("it.zip", "w") as archive:
        archive.writestr(content, png)
    done = clf_run("it.zip")
    assert ("no source is named" in done.stderr) == is_model
    assert done.exit_code == (2 if is_model else 0)


@pytest.mark.parametrize(
    ("memory", "problem"),
    [
        ("{", "it is damaged"),
        ('{"recommended": "../x.onnx", "by": "clf-bench"}', "it is damaged"),
        ('{"recommended": ["model.onnx"], "by": "clf-bench"}', "it is damaged"),
        ('{"recommended": "gone.tflite", "by": "clf-bench"}', "gone.tflite is gone"),
    ],
    ids=["no JSON", "elsewhere", "no name", "file gone"],
)
def test_a_memory_that_cannot_be_used_is_ignored_with_a_sentence(
    clf_run: Invoke, places: Path, memory: str, problem: str
) -> None:
    Path("runs/cells", MEMORY_NAME).write_text(memory)
    for words in (["photos"], ["runs/cells", "photos"]):
        done = clf_run(*words)
        assert done.exit_code == 0
        assert f"{MEMORY_NAME} is ignored: {problem}\nmodel: runs/cells/model.onnx" in done.stderr
    assert "model.onnx, because no file is recommended" in done.stderr


def test_a_single_file_takes_the_place_of_no_better_one(places: Path) -> None:
    run = places / "runs" / "cells"
    remember(run / "model.onnx", "clf-export", compared=1)
    assert json.loads((run / MEMORY_NAME).read_text())["recommended"] == "model.int8.onnx"
    (run / "model.int8.onnx").unlink()
    remember(run / "model.onnx", "clf-export", compared=1)
    assert json.loads((run / MEMORY_NAME).read_text()) == {"recommended": "model.onnx", "by": "clf-export"}


def test_a_memory_is_never_written_over_a_file_of_the_user(places: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (places / MEMORY_NAME).write_text("mine")
    remember(places / "named.onnx", "clf-export", compared=3)
    assert (places / MEMORY_NAME).read_text() == "mine"
    assert "not remembered" in capsys.readouterr().err


@pytest.mark.parametrize(("typed", "meant"), [("0", "cuda:0"), ("gpu", "cuda")])
def test_a_gpu_has_the_names_of_other_tools(clf_run: Invoke, places: Path, typed: str, meant: str) -> None:
    assert clf_run("named.onnx", "photos", "--device", typed).exit_code in (0, 4)
    assert parse_device(typed) == meant


@pytest.mark.parametrize("text", ["90", "x", "-1%", "101%", "nan", "", "%"], ids=repr)
def test_a_share_is_a_number_or_a_percentage(clf_run: Invoke, places: Path, text: str) -> None:
    done = clf_run("named.onnx", "photos", f"--conf={text}")
    assert done.exit_code == 2
    assert re.search(r"--conf takes .*90%", done.stderr)
