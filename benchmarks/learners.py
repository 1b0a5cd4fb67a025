"""The ways from labelled images to answers that `edgeclf.benchmarks.learning` compares, each on the same `split.csv`."""

import csv
import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgeclf.benchmarks.stage_times import Measured, measure, stage_seconds
from edgeclf.runtime.errors import EdgeclfError, ExitCode
from edgeclf.train.data.dataset import Dataset

STAGES = ("features", "head", "fine-tuning", "training", "export")
TEST_IMAGES = "test"


@dataclass(frozen=True)
class Learned:
    """seconds: by the clock, of each of STAGES that there is. total, cpu: from images to the last file, by the clock and of
    all cores. right: whether each test image is, bool `[N]`. note: what went wrong, or ""."""

    seconds: dict[str, float]
    total: float
    cpu: float
    right: NDArray[np.bool_]
    note: str = ""


class Learner(Protocol):
    """Something that learns from images."""

    def learn(self, folder: Path, data: Dataset, seed: int) -> Learned:
        """Learn from `folder/split.csv`, which describes `data`. Test image N is also `folder/test/N.*`."""


@dataclass(frozen=True)
class Commands:
    """The commands of one version. tools: the folder with them. options: for clf-train."""

    tools: Path
    options: tuple[str, ...] = ()

    def learn(self, folder: Path, data: Dataset, seed: int) -> Learned:
        """Train and export by default, then classify with the ONNX file."""
        run = folder / "run"
        options = ("--seed", str(seed), *self.options)
        trained = _run(str(self.tools / "clf-train"), str(folder / "split.csv"), "-o", str(run), *options)
        export = (str(self.tools / "clf-export"), str(run / "model.keras"))
        exported = _run(*export, allowed=(ExitCode.OK, ExitCode.GATE_MISSED))
        if exported.code:
            _run(*export, "--format", "onnx", "--max-drop", "1")  # not counted; the answers are wanted in any case
        rows = folder / "rows.csv"
        classify = (str(self.tools / "clf-run"), str(run / "model.onnx"), "-s", str(folder / TEST_IMAGES), "-o", str(rows))
        _run(*classify, allowed=(ExitCode.OK, 1))
        return Learned(
            seconds=stage_seconds(trained.lines) | {"export": exported.seconds},
            total=trained.seconds + exported.seconds,
            cpu=trained.cpu_seconds + exported.cpu_seconds,
            right=_right(read_labels(rows, len(data.test)), data),
            note="the export missed its gate" if exported.code else "",
        )


@dataclass(frozen=True)
class KerasGuide:
    """The script of the Keras guide, which exports nothing."""

    backbone: str
    side: int

    def learn(self, folder: Path, data: Dataset, seed: int) -> Learned:
        """Train, and classify with Keras."""
        output = folder / "answers.json"
        line = [sys.executable, "-m", "edgeclf.benchmarks.keras_guide", str(folder / "split.csv"), str(output)]
        line += ["--backbone", self.backbone, "--side", str(self.side), "--seed", str(seed)]
        done = _run(*line)
        found = json.loads(output.read_text())
        return Learned(found["seconds"], done.seconds, done.cpu_seconds, _right(found["answers"], data))


def copy_test_images(data: Dataset, folder: Path) -> None:
    """Copy test image N to `folder/N.*`."""
    folder.mkdir()
    for number, path in enumerate(data.test.paths):
        shutil.copyfile(path, folder / f"{number:06}{Path(path).suffix}")


def read_labels(rows: Path, count: int) -> list[str]:
    """The label of each of `count` images in the rows of clf-run, or its guess; "" for one that could not be read."""
    labels = [""] * count
    with open(rows, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            labels[int(Path(row["path"]).stem)] = row["label"] or row["guess"]
    return labels


def _right(labels: list[str], data: Dataset) -> NDArray[np.bool_]:
    truths = [data.classes[label] for label in data.test.labels]
    return np.array([label == truth for label, truth in zip(labels, truths, strict=True)])


def _run(*line: str, allowed: tuple[int, ...] = (ExitCode.OK,)) -> Measured:
    done = measure(line)
    if done.code not in allowed:
        said = done.lines[-1][1] if done.lines else "it said nothing"
        raise EdgeclfError(f"{' '.join(line)} failed with exit code {done.code} ({said})")
    return done
