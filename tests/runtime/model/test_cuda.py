"""On a real GPU, the answers are the same as on the CPU for every batch, and the requested device is used."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeclf.runtime import Classifier
from edgeclf.runtime.errors import DeviceError
from edgeclf.runtime.model.cuda_runtime import page_locked
from edgeclf.runtime.model.onnx_backend import OnnxBackend
from edgeclf.runtime.model.providers import try_providers
from edgeclf.runtime.outcomes import classify
from edgeclf.runtime.sources.source import open_source

STARTS = {name: problem or "" for name, problem in try_providers().items()}
NO_CUDA = STARTS["CUDAExecutionProvider"]
NO_TENSORRT = STARTS.get("TensorrtExecutionProvider", "this onnxruntime has no TensorRT")
pytestmark = [pytest.mark.gpu, pytest.mark.skipif(bool(NO_CUDA), reason=f"CUDA does not start here: {NO_CUDA}")]
with_tensorrt = pytest.mark.skipif(bool(NO_TENSORRT), reason=f"TensorRT does not start here: {NO_TENSORRT}")


def noise(count: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, 32, 32, 3), np.uint8)


@pytest.mark.parametrize(("device", "used"), [("cuda", "cuda:0"), ("cuda:0", "cuda:0"), ("auto", "cuda:0")])
def test_the_requested_device_is_used(device: str, used: str, onnx_model: Path) -> None:
    assert Classifier.open(onnx_model, device=device).backend.device == used


def test_a_missing_gpu_is_a_device_error(onnx_model: Path) -> None:
    with pytest.raises(DeviceError, match="CUDA was requested"):
        Classifier.open(onnx_model, device="cuda:99")


def test_images_are_bound_silently(onnx_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    backend = Classifier.open(onnx_model, device="cuda").backend

    assert isinstance(backend, OnnxBackend)
    assert backend.bindings is not None
    assert capsys.readouterr() == ("", "")


def test_memory_is_page_locked() -> None:
    assert not page_locked((1 << 20,), 0).flags.owndata


@pytest.mark.parametrize(
    ("file", "most"),
    [("model.onnx", 1e-5), ("model.fp16.onnx", 5e-3), ("model.int8.onnx", 5e-2)],
    ids=["fp32", "fp16", "int8"],
)
def test_the_answers_are_the_same_as_on_the_cpu(file: str, most: float, run_folder: Path) -> None:
    on_gpu, on_cpu = (Classifier.open(run_folder / file, device=device) for device in ("cuda", "cpu"))

    for seed, count in enumerate([1, 7, 7, 64, 3, 256]):
        images = noise(count, seed)
        np.testing.assert_allclose(on_gpu.probabilities(images), on_cpu.probabilities(images), rtol=0, atol=most)


def test_many_threads_get_their_own_answers(onnx_model: Path) -> None:
    on_gpu, on_cpu = (Classifier.open(onnx_model, device=device) for device in ("cuda", "cpu"))
    batches = [noise(1 + seed % 40, seed) for seed in range(400)]

    with ThreadPoolExecutor(8) as executor:
        answers = list(executor.map(on_gpu.probabilities, batches))

    for images, probabilities in zip(batches, answers, strict=True):
        np.testing.assert_allclose(probabilities, on_cpu.probabilities(images), rtol=0, atol=1e-5)


def test_the_pipeline_with_an_automatic_batch_answers_every_image(
    onnx_model: Path, image_folder: Path, tmp_path: Path
) -> None:
    for number in range(10):
        shutil.copytree(image_folder, tmp_path / "many" / str(number))
    classifier = Classifier.open(onnx_model, device="cuda")

    outcomes = list(classify(open_source(str(tmp_path / "many")), classifier, batch=None))

    assert len(outcomes) == 600


@with_tensorrt
@pytest.mark.slow
def test_tensorrt_gives_the_same_answers_as_the_cpu(onnx_model: Path) -> None:
    on_gpu, on_cpu = (Classifier.open(onnx_model, device=device) for device in ("tensorrt", "cpu"))

    assert on_gpu.backend.device == "tensorrt:0"
    np.testing.assert_allclose(on_gpu.probabilities(noise(8)), on_cpu.probabilities(noise(8)), rtol=0, atol=1e-4)
