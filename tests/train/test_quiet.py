"""Keras runs on TensorFlow with channels last and in float32, whatever the environment says."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest

from tests.support.scripts import app_of

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


def test_other_settings_are_overruled_also_those_of_keras_1(tmp_path: Path) -> None:
    settings = {"backend": "jax", "image_data_format": "channels_first", "floatx": "float16", "epsilon": 1e-3}
    assert start(tmp_path, settings | {"image_dim_ordering": "th"}, "torch") == READY


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"floatx": "float8"}, {"image_data_format": "th"}, {"epsilon": "small"}, []])
def test_settings_that_stop_keras_are_named_with_their_file(tmp_path: Path, settings: object) -> None:
    printed = start(tmp_path, settings)
    assert printed.startswith(f"error: Keras cannot use its settings in {tmp_path}/keras.json (")
    assert printed.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "line",
    [
        "clf-train IMAGES --model cnn --imgsz 32 --filters 4 --epochs 1",
        "clf-train evaluate RUN/model.keras IMAGES",
        "clf-export RUN/model.keras -o exported --format onnx",
        "clf-bench RUN/model.onnx --against RUN/model.keras --data IMAGES --rounds 1 --seconds 0.1 --threads 1",
    ],
)
def test_each_command_works_under_them(
    line: str, run_folder: Path, image_folder: Path, in_process: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keras is here already, with the settings of the file; a new process would only take longer."""
    Path("keras.json").write_text('{"image_data_format": "channels_first", "floatx": "float16"}')
    monkeypatch.setenv("KERAS_HOME", os.getcwd())
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    before = keras.config.epsilon()
    keras.config.set_image_data_format("channels_first")
    keras.config.set_floatx("float16")
    keras.config.set_epsilon(1e-3)
    name, *arguments = line.replace("RUN", str(run_folder)).replace("IMAGES", str(image_folder)).split()
    try:
        done = in_process(app_of(name))(*arguments)
        used = (keras.config.image_data_format(), keras.config.floatx(), keras.config.epsilon())
    finally:
        keras.config.set_image_data_format("channels_last")
        keras.config.set_floatx("float32")
        keras.config.set_epsilon(before)
    assert done.exit_code == 0, done.stderr
    assert used == ("channels_last", "float32", before)
