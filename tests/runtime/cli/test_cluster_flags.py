"""`clf-run --engine ray` where it need not start Ray: what it refuses, and when there is nothing to do."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from edgeclf.runtime.cli.clf_run import app
from tests.conftest import Invoke


@pytest.fixture
def clf_run(in_process: Callable[[typer.Typer], Invoke], colour_model: Path, image_folder: Path) -> Invoke:
    """`clf-run MODEL -s SHAPES --engine ray` and more."""
    invoke = in_process(app)
    return lambda *arguments: invoke(colour_model, "-s", image_folder, "--engine", "ray", *arguments)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "--engine ray writes a folder of Parquet parts, not -; name one with -o"),
        (("-o", "x.csv"), "--engine ray writes a folder of Parquet parts, not x.csv"),
        (("-o", "x.jsonl"), "--engine ray writes a folder of Parquet parts, not x.jsonl"),
        (("-o", "rows", "--watch"), "--watch means nothing with --engine ray; leave it out"),
        (("-o", "rows", "--no-resume"), "--resume or --no-resume means nothing with --engine ray"),
        (("-o", "rows", "--journal", "j"), "--journal means nothing with --engine ray"),
        (("-o", "rows", "--sort", "copy", "--sort-dir", "x"), "--sort means nothing with --engine ray"),
        (("-o", "rows", "--every", "2s"), "--vid-stride or --every means nothing with --engine ray"),
        (("-o", "rows", "--json"), "--json is for stdout"),
        (("-o", "rows", "--show"), "live options such as --show mean nothing with --engine ray"),
        (("-o", "rows", "-s", "webcam"), "webcam is live, and --engine ray is for images in files"),
        (("-o", "rows", "--engine", "dask"), "--engine takes ray, not 'dask'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_it_cannot_do_is_one_sentence(clf_run: Invoke, arguments: tuple[str, ...], sentence: str) -> None:
    done = clf_run(*arguments)
    assert done.exit_code == 2
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_without_ray_the_sentence_says_what_to_install(clf_run: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    done = clf_run("-o", "rows")
    assert done.exit_code == 2
    assert done.stderr == "error: this needs ray, which is not installed: pip install 'edgeclf[ray]'\n"


def test_a_file_is_no_folder_for_parts(clf_run: Invoke, tmp_path: Path) -> None:
    (tmp_path / "rows").write_text("mine")
    done = clf_run("-o", "rows")
    assert done.exit_code == 2
    assert "rows is a file, and --engine ray writes a folder of Parquet parts; name another -o" in done.stderr


def test_an_address_without_the_engine_is_refused(
    in_process: Callable[[typer.Typer], Invoke], colour_model: Path, image_folder: Path
) -> None:
    done = in_process(app)(colour_model, "-s", image_folder, "--ray-address", "auto")
    assert done.exit_code == 2
    assert "--ray-address is for --engine ray; add it" in done.stderr
