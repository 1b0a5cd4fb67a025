"""Candidates sit the same exam: labelled images, a trained model, and what each answers."""

from pathlib import Path

import pytest

from edgeclf.benchmarks.peers import accuracy
from edgeclf.benchmarks.peers.accuracy import Exam
from edgeclf.benchmarks.peers.registry import PIPELINE
from edgeclf.benchmarks.peers.rounds import Candidate
from edgeclf.runtime.errors import OptionError
from tests.support.drawings import CLASSES, write_images

TWO = {PIPELINE: Candidate("pipeline"), "plain loop": Candidate("plain_loop")}


def test_every_candidate_is_examined_on_the_images_as_they_are_and_enlarged(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accuracy, "PIXELS", 20_000)
    monkeypatch.setattr(accuracy, "MOST", 5)
    data = write_images(tmp_path / "data", 5)

    table = Exam.open(run_folder, data).table(TWO, tmp_path)

    assert table.splitlines()[0] == "| accuracy | 10 as they are | as edgeclf | 5 of 12 megapixels | as edgeclf |"
    assert "| edgeclf | 100.0% |  | 100.0% |  |" in table
    assert "| plain loop | 100.0% | 100.0% | 100.0% | 100.0% |" in table


def test_a_wrong_answer_counts_against_the_accuracy_and_not_against_the_agreement(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accuracy, "PIXELS", 20_000)
    data = write_images(tmp_path / "data", 5)
    disc, square = (data / label for label in CLASSES)
    for number in (0, 1):
        (disc / f"disc{number:03}.png").rename(square / f"disc{number:03}.png")

    table = Exam.open(run_folder, data).table(TWO, tmp_path)

    assert "| plain loop | 80.0% | 100.0% | 80.0% | 100.0% |" in table


def test_a_folder_without_the_models_classes_is_refused(run_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="holds no images in folders called disc, square"):
        Exam.open(run_folder, tmp_path)


def test_a_run_without_its_exports_is_refused(image_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "model.keras").touch()
    with pytest.raises(OptionError, match=r"holds no model.onnx and no model.fp32.tflite; make them with"):
        Exam.open(tmp_path, image_folder)
