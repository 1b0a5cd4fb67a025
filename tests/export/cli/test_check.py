"""`clf-export check`: the gate again, later or on another machine."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import Result

from edgeclf.export.cli.clf_export import app
from edgeclf.export.frozen import freeze
from edgeclf.export.to_onnx import to_onnx
from edgeclf.train.keras_file.saving import open_keras

Invoke = Callable[..., Result]


@pytest.fixture
def check(in_process: Callable[..., Invoke]) -> Invoke:
    clf_export = in_process(app)
    return lambda *arguments: clf_export("check", *arguments)


@pytest.fixture
def swapped(run_folder: Path, tmp_path: Path) -> Path:
    """A file of the same model with swapped classes."""
    model = open_keras(run_folder / "model.keras")
    wrong = replace(model, network=lambda image, training: 1 - model.network(image, training=training))
    (tmp_path / "swapped.onnx").write_bytes(to_onnx(freeze(wrong)))
    return tmp_path / "swapped.onnx"


def test_files_that_agree_pass(check: Invoke, run_folder: Path, onnx_model: Path, image_folder: Path) -> None:
    paths = [run_folder / f"model.{kind}" for kind in ("int8.tflite", "int8.onnx", "fp32.tflite")]
    result = check(*paths, "--against", onnx_model, "--data", image_folder)
    assert (result.exit_code, result.stdout) == (0, ""), result.stderr
    assert "verified on 60 images" in result.stderr
    assert result.stderr.count("passed") == 3


def test_a_file_with_other_answers_is_named_with_exit_3(
    check: Invoke, swapped: Path, onnx_model: Path, image_folder: Path
) -> None:
    result = check(swapped, "--against", onnx_model, "--data", image_folder)
    assert result.exit_code == 3
    assert "failed: swapped.onnx: it agrees with model.onnx on 0 of the" in result.stderr
    assert f"error: swapped.onnx does not predict like {onnx_model}" in result.stderr


def test_the_trained_model_brings_its_own_images(check: Invoke, run_folder: Path, int8_model: Path) -> None:
    result = check(int8_model, "--against", run_folder / "model.keras", "--json")
    assert result.exit_code == 0, result.stderr
    assert [(item["file"], item["images"], item["passed"]) for item in json.loads(result.stdout)] == [
        ("model.int8.tflite", 6, True)
    ]


@pytest.mark.parametrize(("atol", "code"), [("1e-4", 0), ("1e-9", 3)])
def test_a_limit_on_the_difference_can_be_set(
    check: Invoke, run_folder: Path, onnx_model: Path, image_folder: Path, atol: str, code: int
) -> None:
    result = check(run_folder / "model.fp32.tflite", "--against", onnx_model, "--data", image_folder, "--atol", atol)
    assert result.exit_code == code, result.stderr


def test_a_model_without_images_asks_for_data(check: Invoke, onnx_model: Path, int8_model: Path) -> None:
    result = check(int8_model, "--against", onnx_model)
    assert result.exit_code == 2
    assert f"error: {onnx_model} carries no images" in result.stderr
    assert "--data DIR" in result.stderr


def test_a_reference_that_is_not_a_model_is_an_error(
    check: Invoke, onnx_model: Path, image_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.onnx").write_text("text")
    result = check(onnx_model, "--against", tmp_path / "text.onnx", "--data", image_folder)
    assert result.exit_code == 2
    assert "text.onnx is damaged or not an ONNX" in result.stderr


def test_only_the_runtime_is_needed(run_folder: Path, tmp_path: Path, image_folder: Path) -> None:
    for name in ("model.onnx", "model.int8.tflite", "model.keras"):
        shutil.copy(run_folder / name, tmp_path)
    absent = ("tensorflow", "keras", "onnx", "tf2onnx", "sklearn", "scipy", "matplotlib")
    script = (
        f"import sys\nsys.modules.update(dict.fromkeys({absent}))\nfrom edgeclf.export.cli.clf_export import main\nmain()"
    )
    for data in ("model.keras", str(image_folder)):
        line = [sys.executable, "-c", script, "check", "model.int8.tflite", "--against", "model.onnx", "--data", data]
        done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
