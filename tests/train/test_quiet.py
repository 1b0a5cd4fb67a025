"""Keras runs on TensorFlow with channels last and in float32, whatever the environment says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
from edgeclf.runtime.errors import EdgeclfError
from edgeclf.train.quiet import import_keras
try:
    import_keras()
    import keras
    print(keras.config.backend(), keras.config.image_data_format(), keras.config.floatx(), keras.config.dtype_policy().name)
except EdgeclfError as error:
    print("error:", error)
"""
READY = "tensorflow channels_last float32 float32\n"


def start(keras_home: Path, settings: object, backend: str | None = None, script: str = SCRIPT) -> str:
    """What a new process prints with these settings in `keras.json`."""
    (keras_home / "keras.json").write_text(json.dumps(settings))
    environment = os.environ | {"KERAS_HOME": str(keras_home)} | ({"KERAS_BACKEND": backend} if backend else {})
    line = [sys.executable, "-c", script]
    return subprocess.run(line, env=environment, capture_output=True, text=True, check=True, timeout=120).stdout


def test_other_settings_are_overruled(tmp_path: Path) -> None:
    settings = {"backend": "jax", "image_data_format": "channels_first", "floatx": "float16", "epsilon": 1e-3}
    assert start(tmp_path, settings, "torch") == READY


@pytest.mark.slow
def test_the_settings_of_keras_1_are_overruled(tmp_path: Path) -> None:
    assert start(tmp_path, {"backend": "theano", "image_dim_ordering": "th", "floatx": "float32"}) == READY


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"floatx": "float8"}, {"image_data_format": "th"}, {"epsilon": "small"}, []])
def test_settings_that_stop_keras_are_named_with_their_file(tmp_path: Path, settings: object) -> None:
    printed = start(tmp_path, settings)
    assert printed.startswith(f"error: Keras cannot use its settings in {tmp_path}/keras.json (")
    assert printed.count("\n") == 1


@pytest.mark.slow
def test_the_commands_train_and_measure_under_them(tmp_path: Path, image_folder: Path) -> None:
    (tmp_path / "keras.json").write_text('{"image_data_format": "channels_first", "floatx": "float16"}')
    environment = os.environ | {"KERAS_HOME": str(tmp_path), "KERAS_BACKEND": "torch"}
    network = ["--model", "cnn", "--imgsz", "32", "--filters", "4", "--epochs", "1"]
    for line in (
        ["clf-train", image_folder, *network, "-o", "run"],
        ["clf-train", "evaluate", "run/model.keras", image_folder],
        ["clf-export", "run/model.keras", "--format", "onnx", "--max-drop", "1"],
        ["clf-bench", "run/model.onnx", "--against", "run/model.keras", "--rounds", "1", "--threads", "1"],
    ):
        program = Path(sys.executable).with_name(str(line[0]))
        done = subprocess.run(
            [program, *line[1:]], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
