"""The examples in docs/python.md run from top to bottom, in a folder with the files that they name."""

import ast
import inspect
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgeclf
from tests.support.trained_run import KEPT_OUTPUTS
from tests.support.video_files import write_video

BLOCKS = re.findall(r"```python\n(.*?)```", (Path(__file__).parents[1] / "docs" / "python.md").read_text("utf-8"), re.DOTALL)
SLOW = re.compile(r"edgeclf\.(train|export)\(")
"""Examples that need TensorFlow; tests/test_notebook.py trains and exports."""


@pytest.fixture
def folder(run_folder: Path, image_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(run_folder / "model.keras", tmp_path)
    shutil.copy(KEPT_OUTPUTS / "model.onnx", tmp_path)
    shutil.copytree(image_folder, tmp_path / "photos")
    (tmp_path / "photos" / "bad.png").write_bytes(b"no image")
    for name in ("cell.png", "other.png"):
        shutil.copy(next(image_folder.rglob("*.png")), tmp_path / name)
    write_video(tmp_path / "camera.avi", [np.zeros((48, 64, 3), np.uint8)] * 3, codec="MJPG")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_examples_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    for block in BLOCKS:
        if not SLOW.search(block):
            exec(compile(block.replace("VideoCapture(0)", "VideoCapture('camera.avi')"), "docs/python.md", "exec"), names)

    printed = capsys.readouterr().out
    assert len(names["answers"]) == 2
    assert len(names["table"]) == 62
    assert "taken_at" in names["table"]
    assert "photos/bad.png not_an_image" in printed
    assert "not_found No such file or directory" in printed
    assert printed.count("Prediction(") == 3


def calls() -> list[ast.Call]:
    """All calls of the examples that are too slow to run."""
    trees = [ast.parse(block) for block in BLOCKS if SLOW.search(block)]
    nodes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [node for node in nodes if SLOW.match(f"{ast.unparse(node.func)}(")]


@pytest.mark.parametrize("call", calls(), ids=ast.unparse)
def test_the_calls_that_train_and_export_have_these_options(call: ast.Call) -> None:
    function = {"edgeclf.train": edgeclf.train, "edgeclf.export": edgeclf.export}[ast.unparse(call.func)]

    inspect.signature(function).bind(*call.args, **{str(one.arg): one.value for one in call.keywords})
