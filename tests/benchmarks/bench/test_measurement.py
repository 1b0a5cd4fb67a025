"""A measurement is of the real thing: the pipeline on files, with the requested batch size."""

import json
import subprocess
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeclf.benchmarks.bench.measurement import Measurement, Task, measure
from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.backend import BatchError
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.runtime.model.novelty import Novelty
from edgeclf.runtime.terminal.child import child_command
from tests.support.trained_run import KEPT_OUTPUTS


class RecordingBackend:
    """A classifier's backend that records its batch sizes. Batches above `most` do not fit."""

    def __init__(self, classifier: Classifier, most: int = 1000) -> None:
        self._backend = classifier.backend
        self._most = most
        self.batches: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        if len(images) > self._most:
            raise BatchError("does not fit")
        self.batches.append(len(images))
        return self._backend.run(images)


def make_task(model: Path, folder: Path, **changes: Any) -> Task:
    files = tuple(map(str, sorted(folder.rglob("*.png"))))
    fields = {"model": str(model), "device": "cpu", "batch": 1, "threads": 1, "end_to_end": True, "seconds": 0.1}
    return Task(**{**fields, "images": files, **changes})


def measured(task: Task) -> tuple[Measurement, list[int]]:
    """The measurement, and the sizes of all batches that ran."""
    classifier = Classifier.open(task.model, device="cpu", threads=1)
    backend = RecordingBackend(classifier)
    return measure(task, Classifier(backend, classifier.card)), backend.batches


@pytest.fixture(scope="module")
def end_to_end(onnx_model: Path, image_folder: Path) -> tuple[Measurement, list[int]]:
    return measured(make_task(onnx_model, image_folder, batch=4, threads=2))


@pytest.fixture(scope="module")
def inference_only(onnx_model: Path, image_folder: Path) -> tuple[Measurement, list[int]]:
    return measured(make_task(onnx_model, image_folder, batch=4, end_to_end=False, seconds=0.3))


@pytest.mark.parametrize("mode", ["end_to_end", "inference_only"])
def test_the_requested_batch_size_is_the_one_that_runs(mode: str, request: pytest.FixtureRequest) -> None:
    measurement, batches = request.getfixturevalue(mode)
    assert measurement.batch == 4
    assert batches.count(4) > len(batches) - 5  # the pipeline ends with an incomplete batch


@pytest.mark.parametrize("end_to_end", [True, False], ids=["end to end", "inference only"])
def test_a_batch_that_does_not_fit_is_not_split(end_to_end: bool, onnx_model: Path, image_folder: Path) -> None:
    classifier = Classifier.open(onnx_model, device="cpu", threads=1)
    small = Classifier(RecordingBackend(classifier, most=2), classifier.card)
    with pytest.raises(ModelError, match="does not fit"):
        measure(make_task(onnx_model, image_folder, batch=4, end_to_end=end_to_end), small)


def test_runs_that_also_tell_the_novelty_are_timed(image_folder: Path) -> None:
    model = KEPT_OUTPUTS / "model.onnx"
    opened = Classifier.open(model, device="cpu", threads=1)
    numbers = opened.backend.output_shapes[1][1] or 0
    novelty = Novelty.spanning(np.zeros(numbers), np.eye(1, numbers))
    telling = Classifier(opened.backend, replace(opened.card, novelty=novelty))
    assert measure(make_task(model, image_folder), telling).run_ms


def test_the_rate_follows_from_the_runs(inference_only: tuple[Measurement, list[int]]) -> None:
    measurement, _ = inference_only
    busy_s = sum(measurement.run_ms) / 1e3
    assert 0.5 * measurement.rate <= 4 * len(measurement.run_ms) / busy_s <= 2 * measurement.rate
    assert measurement.limit is None


def test_end_to_end_has_a_limit_for_all_threads(end_to_end: tuple[Measurement, list[int]]) -> None:
    measurement, _ = end_to_end
    assert measurement.limit is not None
    assert measurement.limit > 0
    assert measurement.memory_bytes is None or measurement.memory_bytes > 10e6


def test_the_warm_up_is_not_counted(inference_only: tuple[Measurement, list[int]]) -> None:
    measurement, batches = inference_only
    assert len(measurement.run_ms) < len(batches) - 1


def child_lines(task: Task, folder: Path) -> list[dict[str, Any]]:
    """What the measuring process writes."""
    (folder / "task.json").write_text(json.dumps(asdict(task)))
    line = child_command("edgeclf.benchmarks.bench.measurement", folder / "task.json")
    done = subprocess.run(line, capture_output=True, text=True, check=True, timeout=120)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_process_reports_its_cold_start_and_then_its_speed_even_for_odd_file_names(
    int8_model: Path, image_folder: Path, tmp_path: Path
) -> None:
    odd = tmp_path / "caf\udce9 \n.png"
    odd.write_bytes(next(image_folder.rglob("*.png")).read_bytes())
    first, measurement = child_lines(make_task(int8_model, image_folder, threads=2, images=(str(odd),)), tmp_path)
    assert first["cpu_seconds"] > 0
    assert measurement["rate"] > 0
    assert measurement["engine"].startswith("LiteRT")
    assert measurement["memory_bytes"] is None or measurement["memory_bytes"] >= first["memory_bytes"]


def test_an_error_is_reported_as_a_line_with_its_exit_code(image_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    (reported,) = child_lines(make_task(tmp_path / "bad.onnx", image_folder), tmp_path)
    assert reported["exit_code"] == 2
    assert "bad.onnx" in reported["error"]
