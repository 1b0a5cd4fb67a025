"""A benchmark uses real images if there are any, and never those that the model was trained on."""

import csv
import shutil
from pathlib import Path

import pytest

from edgeclf.benchmarks.bench import bench_images
from edgeclf.benchmarks.bench.bench_images import find_images
from edgeclf.runtime.errors import DatasetError
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.model.card import ModelCard
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.train.data.arrays import Arrays
from tests.support.drawings import write_images


@pytest.fixture(scope="module")
def card(onnx_model: Path) -> ModelCard:
    return Classifier.open(onnx_model, device="cpu").card


@pytest.fixture(autouse=True)
def few_generated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_images, "GENERATED", 4)


def load_images(
    model: Path, card: ModelCard, data: Path | None = None, limit: int = 100
) -> tuple[Arrays | None, str, list[str]]:
    """Labelled images, their description, and the files for the speed."""
    with find_images([model], card, data, limit) as images:
        labelled = images.load_labelled(card.preprocess) if images.load_labelled else None
        assert all(Path(path).is_file() for path in images.files)
        return labelled, images.description, list(images.files)


def test_all_images_of_a_folder_are_used(onnx_model: Path, card: ModelCard, image_folder: Path) -> None:
    labelled, description, files = load_images(onnx_model, card, image_folder)
    assert labelled is not None
    assert (len(labelled), len(files)) == (60, 60)
    assert description == f"all 60 images of {image_folder}"


def test_only_the_test_split_of_a_folder_with_splits_is_used(onnx_model: Path, card: ModelCard, tmp_path: Path) -> None:
    for split, count in (("train", 4), ("val", 3), ("test", 2)):
        write_images(tmp_path / split, count)
    labelled, description, files = load_images(onnx_model, card, tmp_path)
    assert labelled is not None
    assert len(labelled) == 4
    assert description == f"all 4 images of the test split of {tmp_path}"
    assert all("/test/" in path for path in files)


def test_a_limit_is_spread_over_all_classes(onnx_model: Path, card: ModelCard, image_folder: Path) -> None:
    labelled, description, _ = load_images(onnx_model, card, image_folder, limit=10)
    assert labelled is not None
    assert sorted(labelled.labels) == [0] * 5 + [1] * 5
    assert description.startswith("10 of 60 images")


def test_a_training_run_brings_its_test_split(onnx_model: Path, card: ModelCard) -> None:
    labelled, description, files = load_images(onnx_model, card)
    split = onnx_model.with_name("split.csv")
    with open(split, newline="") as file:
        test = [row["path"] for row in csv.DictReader(file) if row["part"] == "test"]
    assert labelled is not None
    assert sorted(labelled.paths) == sorted(files) == sorted(test)
    assert description == f"all {len(test)} images of the test split in {split}"


def test_samples_in_a_keras_file_beside_the_model_come_next(run_folder: Path, card: ModelCard, tmp_path: Path) -> None:
    for name in ("model.keras", "model.int8.tflite"):
        shutil.copy(run_folder / name, tmp_path)
    labelled, description, files = load_images(tmp_path / "model.int8.tflite", card)
    assert labelled is not None
    assert len(labelled) > 0
    assert description.startswith(f"the validation samples inside {tmp_path / 'model.keras'}; speed on generated JPEGs")
    assert len(files) == 4


def test_without_labelled_images_only_the_speed_is_measured(onnx_model: Path, card: ModelCard, tmp_path: Path) -> None:
    shutil.copy(onnx_model, tmp_path)
    labelled, description, files = load_images(tmp_path / "model.onnx", card)
    assert (labelled, len(files)) == (None, 4)
    assert "name labelled images with --data DIR" in description


def test_generated_images_are_deleted_afterwards(onnx_model: Path, card: ModelCard, tmp_path: Path) -> None:
    shutil.copy(onnx_model, tmp_path)
    with find_images([tmp_path / "model.onnx"], card, None, 10) as images:
        files = images.files
    assert files
    assert not any(Path(path).exists() for path in files)


def test_unreadable_images_are_not_read_for_the_speed(onnx_model: Path, card: ModelCard, tmp_path: Path) -> None:
    write_images(tmp_path / "data", 3)
    (tmp_path / "data" / "disc" / "disc001.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    _, _, files = load_images(onnx_model, card, tmp_path / "data")
    assert len(files) == 5


def test_samples_are_not_used_for_a_model_with_other_preprocessing(
    run_folder: Path, card: ModelCard, tmp_path: Path
) -> None:
    for name in ("model.keras", "model.onnx"):
        shutil.copy(run_folder / name, tmp_path)
    with find_images([tmp_path / "model.onnx"], card, None, 10) as images:
        assert images.load_labelled is not None
        with pytest.raises(DatasetError, match=r"model\.keras .*--data DIR"):
            images.load_labelled(Preprocess((64, 64)))
