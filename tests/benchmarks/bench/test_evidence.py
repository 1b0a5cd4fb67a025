"""Which images are answered and read: real ones where there are any, never those that a model was fitted to."""

import csv
import shutil
from pathlib import Path

import pytest

from edgeclf.benchmarks.bench.evidence import gather
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.model.card import ModelCard
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.train.data.arrays import Arrays
from tests.support.drawings import write_images


@pytest.fixture
def card(onnx_model: Path) -> ModelCard:
    return Classifier.open(onnx_model, device="cpu").card


def answered(
    model: Path, card: ModelCard, data: Path | None = None, limit: int = 100
) -> tuple[Arrays | None, str, list[str]]:
    """Labelled images, what they are, and the files that are read."""
    with gather([model], card, data, limit) as evidence:
        labelled = evidence.labelled(card.preprocess) if evidence.labelled else None
        assert all(Path(path).is_file() for path in evidence.read)
        return labelled, evidence.origin, list(evidence.read)


def test_a_folder_is_answered_whole(onnx_model: Path, card: ModelCard, image_folder: Path) -> None:
    labelled, origin, read = answered(onnx_model, card, image_folder)
    assert labelled is not None
    assert (len(labelled), len(read)) == (60, 60)
    assert origin == f"all 60 images of {image_folder}"


def test_of_a_folder_with_parts_only_the_test_part_is_answered(onnx_model: Path, card: ModelCard, tmp_path: Path) -> None:
    for part, count in (("train", 4), ("val", 3), ("test", 2)):
        write_images(tmp_path / part, count)
    labelled, origin, read = answered(onnx_model, card, tmp_path)
    assert labelled is not None
    assert len(labelled) == 4
    assert origin == f"all 4 images of the test part of {tmp_path}"
    assert all("/test/" in path for path in read)


def test_a_limit_is_spread_over_all_classes(onnx_model: Path, card: ModelCard, image_folder: Path) -> None:
    labelled, origin, _ = answered(onnx_model, card, image_folder, limit=10)
    assert labelled is not None
    assert sorted(labelled.labels) == [0] * 5 + [1] * 5
    assert origin.startswith("10 of 60 images")


def test_a_training_run_brings_its_test_part(onnx_model: Path, card: ModelCard) -> None:
    labelled, origin, read = answered(onnx_model, card)
    split = onnx_model.with_name("split.csv")
    with open(split, newline="") as file:
        test = [row["path"] for row in csv.DictReader(file) if row["part"] == "test"]
    assert labelled is not None
    assert sorted(labelled.paths) == sorted(read) == sorted(test)
    assert origin == f"all {len(test)} images of the test part in {split}"


def test_samples_in_a_keras_file_beside_the_model_come_next(run_folder: Path, card: ModelCard, tmp_path: Path) -> None:
    for name in ("model.keras", "model.int8.tflite"):
        shutil.copy(run_folder / name, tmp_path)
    labelled, origin, read = answered(tmp_path / "model.int8.tflite", card)
    assert labelled is not None
    assert len(labelled) > 0
    assert origin.startswith(f"the validation samples inside {tmp_path / 'model.keras'}; speed on generated JPEGs")
    assert len(read) == 100


def test_without_any_the_speed_alone_is_measured(onnx_model: Path, card: ModelCard, tmp_path: Path) -> None:
    shutil.copy(onnx_model, tmp_path)
    labelled, origin, read = answered(tmp_path / "model.onnx", card)
    assert (labelled, len(read)) == (None, 100)
    assert "name labelled images with --data DIR" in origin


def test_generated_images_are_gone_afterwards(onnx_model: Path, card: ModelCard, tmp_path: Path) -> None:
    shutil.copy(onnx_model, tmp_path)
    with gather([tmp_path / "model.onnx"], card, None, 10) as evidence:
        read = evidence.read
    assert not any(Path(path).exists() for path in read)


def test_images_that_cannot_be_read_are_not_read_for_speed(onnx_model: Path, card: ModelCard, tmp_path: Path) -> None:
    write_images(tmp_path / "data", 3)
    (tmp_path / "data" / "disc" / "disc001.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    _, _, read = answered(onnx_model, card, tmp_path / "data")
    assert len(read) == 5


def test_samples_are_not_stretched_for_another_model(run_folder: Path, card: ModelCard, tmp_path: Path) -> None:
    for name in ("model.keras", "model.onnx"):
        shutil.copy(run_folder / name, tmp_path)
    with gather([tmp_path / "model.onnx"], card, None, 10) as evidence:
        assert evidence.labelled is not None
        with pytest.raises(Exception, match=r"takes other images than the samples inside .*--data DIR"):
            evidence.labelled(Preprocess((64, 64)))
