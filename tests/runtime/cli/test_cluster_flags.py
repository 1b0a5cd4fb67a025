"""`clf-run --ray` without starting Ray: the options that it refuses."""

import re
import sys
from pathlib import Path

import pytest

from tests.conftest import Invoke


@pytest.fixture
def clf_run_ray(clf_run: Invoke, colour_model: Path, image_folder: Path) -> Invoke:
    """`clf-run MODEL -s SHAPES --ray` with more arguments."""
    return lambda *arguments: clf_run(colour_model, "-s", image_folder, "--ray", *arguments)


@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        ((), "--ray writes a folder of Parquet parts, not -; .* -o"),
        (("-o", "x.csv"), "a folder of Parquet parts, not x.csv"),
        (("-o", "x.jsonl"), "a folder of Parquet parts, not x.jsonl"),
        (("-o", "rows", "--watch"), "--watch .* --ray"),
        (("-o", "rows", "--no-journal"), "--no-journal .* --ray"),
        (("-o", "rows", "--journal", "j"), "--journal .* --ray"),
        (("-o", "rows", "--sort", "copy", "--sort-dir", "x"), "--sort .* --ray"),
        (("-o", "rows", "--every", "2s"), "--every .* --ray"),
        (("-o", "rows", "--json"), "--json is for stdout"),
        (("-o", "rows", "--show"), "live options .* --ray|--ray .* live options"),
        (("-o", "rows", "-s", "webcam"), "webcam is live, .* --ray"),
        (("-o", "rows", "--ray", "model.onnx"), "--ray takes auto or HOST:PORT, not 'model.onnx'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_it_cannot_do_is_one_sentence(clf_run_ray: Invoke, arguments: tuple[str, ...], pattern: str) -> None:
    done = clf_run_ray(*arguments)
    assert done.exit_code == 2
    assert re.fullmatch(f"error: .*({pattern}).*\n", done.stderr), done.stderr


def test_without_ray_the_sentence_says_what_to_install(clf_run_ray: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    done = clf_run_ray("-o", "rows")
    assert done.exit_code == 2
    assert done.stderr == "error: this needs ray, which is not installed: pip install 'edgeclf[ray]'\n"


def test_a_file_is_not_a_folder_for_parts(clf_run_ray: Invoke, tmp_path: Path) -> None:
    (tmp_path / "rows").write_text("mine")
    done = clf_run_ray("-o", "rows")
    assert done.exit_code == 2
    assert re.search("rows is a file, .* another -o", done.stderr)
