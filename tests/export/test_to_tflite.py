"""The contents of the TFLite files. test_contract.py checks their answers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from edgeclf.export.frozen import freeze
from edgeclf.export.int8_tflite import TfliteQuantizer
from edgeclf.export.to_tflite import to_tflite
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.train.keras_file.samples import read_samples
from edgeclf.train.keras_file.saving import KerasModel, open_keras
from edgeclf.train.results.evaluation import probabilities

MakeModel = Callable[..., Path]


def tensors(data: bytes) -> list[dict[str, Any]]:
    details: list[dict[str, Any]] = Interpreter(model_content=data).get_tensor_details()
    return details


def test_int8_takes_raw_pixels(int8_model: Path) -> None:
    details = Interpreter(str(int8_model)).get_input_details()[0]
    assert (details["dtype"], details["quantization"]) == (np.uint8, (1.0, 0))


def test_int8_computes_in_integers_only(int8_model: Path) -> None:
    kinds = {np.dtype(tensor["dtype"]).name for tensor in tensors(int8_model.read_bytes())}
    assert kinds <= {"int8", "uint8", "int32", "int64"}


@pytest.mark.parametrize(("precision", "kind"), [("fp16", "float16"), ("dynamic", "int8")])
def test_reduced_files_store_reduced_weights(run_folder: Path, precision: str, kind: str) -> None:
    data = (run_folder / f"model.{precision}.tflite").read_bytes()
    stored = {np.dtype(tensor["dtype"]).name for tensor in tensors(data) if len(tensor["shape"]) == 4}
    assert kind in stored


@pytest.fixture(scope="module", params=[1, 3], ids=["grey", "rgb"])
def dark(request: pytest.FixtureRequest, make_model: MakeModel) -> KerasModel:
    """A model whose calibration images have no pixel above 60."""
    return open_keras(make_model((16, 20), request.param, brightest=60))


@pytest.fixture(scope="module")
def calibrated_on_dark(dark: KerasModel) -> bytes:
    calibration = read_samples(dark.path, "calibration", dark.card.preprocess).images
    assert calibration.max() <= 60
    return TfliteQuantizer(freeze(dark), calibration).quantize("min-max")


def test_int8_takes_raw_pixels_even_with_dark_calibration_images(calibrated_on_dark: bytes) -> None:
    details = Interpreter(model_content=calibrated_on_dark).get_input_details()[0]
    assert (details["dtype"], details["quantization"]) == (np.uint8, (1.0, 0))


def test_int8_with_dark_calibration_images_is_accurate_on_dark_images(
    dark: KerasModel, calibrated_on_dark: bytes, tmp_path: Path
) -> None:
    (tmp_path / "model.tflite").write_bytes(calibrated_on_dark)
    images = read_samples(dark.path, "verification", dark.card.preprocess).images
    answers = Classifier.open(tmp_path / "model.tflite").probabilities(images)
    np.testing.assert_allclose(answers, probabilities(dark.network, images), atol=0.1)


def test_calibration_images_are_not_changed(make_model: MakeModel) -> None:
    model = open_keras(make_model((16, 20), brightest=60))
    calibration = read_samples(model.path, "calibration", model.card.preprocess).images
    before = calibration.copy()
    TfliteQuantizer(freeze(model), calibration).quantize("entropy")
    np.testing.assert_array_equal(calibration, before)


@pytest.mark.parametrize("calibration", [None, np.empty((0, 16, 16, 3), np.uint8)], ids=["none", "empty"])
def test_int16x8_without_calibration_is_a_value_error(trained: Path, calibration: Any) -> None:
    with pytest.raises(ValueError, match="int16x8"):
        to_tflite(freeze(open_keras(trained)), "int16x8", calibration)
