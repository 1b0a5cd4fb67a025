"""A trial measures the real thing: the pipeline on files, the batch that was asked for."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeclf.benchmarks.bench.trial import Finding, Task, measure
from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.backend import BatchError
from edgeclf.runtime.model.classifier import Classifier


class Watched:
    """A classifier's backend that notes its batches; those above `most` do not fit."""

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


def task(model: Path, folder: Path, **changes: Any) -> Task:
    files = tuple(map(str, sorted(folder.rglob("*.png"))))
    fields = {"model": str(model), "device": "cpu", "batch": 1, "threads": 1, "end_to_end": True, "seconds": 0.1}
    return Task(**{**fields, "images": files, **changes})


def measured(given: Task) -> tuple[Finding, list[int]]:
    classifier = Classifier.open(given.model, device="cpu", threads=1)
    watched = Watched(classifier)
    return measure(given, Classifier(watched, classifier.card)), watched.batches


@pytest.mark.parametrize("end_to_end", [True, False], ids=["end to end", "inference only"])
def test_the_batch_that_was_asked_for_is_the_one_that_runs(end_to_end: bool, onnx_model: Path, image_folder: Path) -> None:
    finding, batches = measured(task(onnx_model, image_folder, batch=4, end_to_end=end_to_end))
    assert finding.batch == 4
    assert batches.count(4) > len(batches) - 5  # the pipeline ends on what is left


@pytest.mark.parametrize("end_to_end", [True, False], ids=["end to end", "inference only"])
def test_a_batch_that_does_not_fit_is_not_measured_in_halves(end_to_end: bool, onnx_model: Path, image_folder: Path) -> None:
    classifier = Classifier.open(onnx_model, device="cpu", threads=1)
    small = Classifier(Watched(classifier, most=2), classifier.card)
    with pytest.raises(ModelError, match="does not fit"):
        measure(task(onnx_model, image_folder, batch=4, end_to_end=end_to_end), small)


def test_rates_follow_from_the_runs(onnx_model: Path, image_folder: Path) -> None:
    finding, _ = measured(task(onnx_model, image_folder, batch=2, end_to_end=False, seconds=0.3))
    busy_s = sum(finding.run_ms) / 1e3
    assert 0.5 * finding.rate <= 2 * len(finding.run_ms) / busy_s <= 2 * finding.rate
    assert finding.limit is None


def test_end_to_end_has_a_limit_for_all_threads(onnx_model: Path, image_folder: Path) -> None:
    finding, _ = measured(task(onnx_model, image_folder, threads=2))
    assert finding.limit is not None
    assert finding.limit > 0
    assert finding.memory_bytes is None or finding.memory_bytes > 10e6


def test_warm_up_is_not_counted(onnx_model: Path, image_folder: Path) -> None:
    finding, batches = measured(task(onnx_model, image_folder, end_to_end=False))
    assert len(finding.run_ms) < len(batches) - 1


def child(given: Task, folder: Path) -> list[dict[str, Any]]:
    (folder / "task.json").write_text(json.dumps(asdict(given)))
    line = [sys.executable, "-m", "edgeclf.benchmarks.bench.trial", str(folder / "task.json")]
    done = subprocess.run(line, capture_output=True, text=True, check=True, timeout=120)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_process_answers_first_and_measures_then(int8_model: Path, image_folder: Path, tmp_path: Path) -> None:
    first, finding = child(task(int8_model, image_folder, threads=2), tmp_path)
    assert first["cpu_seconds"] > 0
    assert finding["engine"].startswith("LiteRT")
    assert finding["memory_bytes"] is None or finding["memory_bytes"] >= first["memory_bytes"]


def test_a_file_name_may_hold_any_bytes(int8_model: Path, image_folder: Path, tmp_path: Path) -> None:
    odd = tmp_path / "caf\udce9 \n.png"
    odd.write_bytes(next(image_folder.rglob("*.png")).read_bytes())
    _, finding = child(task(int8_model, tmp_path, image_folder=(str(odd),)), tmp_path)
    assert finding["rate"] > 0


def test_what_went_wrong_is_said_in_the_same_way(image_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    (said,) = child(task(tmp_path / "bad.onnx", image_folder), tmp_path)
    assert said["exit_code"] == 2
    assert "is no ONNX model" in said["error"]
