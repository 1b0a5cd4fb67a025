"""A whole training run, and the files in its folder."""

import csv
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pytest

from edgeclf.runtime.errors import DatasetError
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.model.card import ModelCard, read_zip_card
from edgeclf.runtime.review.answers import read_answers
from edgeclf.train.config import TrainingConfig
from edgeclf.train.data.dataset import read_split
from edgeclf.train.data.listing import SPLITS
from edgeclf.train.data.run_files import RUN_FILES
from edgeclf.train.keras_file.samples import read_samples
from edgeclf.train.networks.architectures import ConvNet
from edgeclf.train.preparation import Extras
from edgeclf.train.recipes import Recipe
from edgeclf.train.run import Run, train

LayOut = Callable[..., Path]
PREPROCESS = Preprocess((12, 20))
RECIPE = Recipe(ConvNet((4,), dropout=0.0), epochs=2, batch=16, learning_rate=0.05, seed=3)
WRITTEN = {"model.keras", "metrics.json", "history.csv", "split.csv", "bad_files.csv", "test_answers.csv", "report.html"} | {
    f"{name}.png" for name in ("calibration", "confusion", "curves", "mistakes", "samples")
}
SIZES = {"train": 12, "val": 5, "test": 7}


def config(data: Path, **changes: Any) -> TrainingConfig:
    return TrainingConfig(data, PREPROCESS, replace(RECIPE, **changes))


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of noise in splits of different sizes. Four of the files cannot be read."""
    root = tmp_path_factory.mktemp("noise") / "data"
    rng = np.random.default_rng(0)
    for split, count in SIZES.items():
        for position, label in enumerate(("b", "a", "c")):
            (root / split / label).mkdir(parents=True)
            for number in range(count + position):
                pixels = rng.integers(0, 256, (12, 20, 3), dtype=np.uint8)
                (root / split / label / f"{number:02}.png").write_bytes(bytes(cv2.imencode(".png", pixels)[1]))
    (root / "train" / "a" / "00.png").write_bytes(b"")
    (root / "train" / "c" / "=cut.png").write_bytes((root / "train" / "c" / "00.png").read_bytes()[:300])
    (root / "val" / "b" / "00.png").write_text("no image")
    (root / "test" / "c" / "01.png").write_text("no image")
    (root / "test" / "c" / "notes.txt").write_text("ignored")
    return root


@pytest.fixture(scope="module")
def run(noise: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(config(noise), tmp_path_factory.mktemp("noise-run"))


def written(run: Run, name: str) -> Any:
    return json.loads((run.model.parent / name).read_text())


def confusion_by_hand(run: Run, split: str) -> list[list[int]]:
    """The confusion matrix of the saved model, computed independently of the code under test."""
    network = keras.models.load_model(run.model)
    found = read_split(run.model.with_name("split.csv"), split, ("a", "b", "c"))
    readable = [
        (path, label) for path, label in zip(found.paths, found.labels, strict=True) if Path(path).stat().st_size > 99
    ]
    images = np.stack([PREPROCESS(path) for path, _ in readable]).astype(np.float32)
    answers = network.predict(images, verbose=0).argmax(axis=1)
    counted = Counter(zip((label for _, label in readable), answers.tolist(), strict=True))
    return [[counted[truth, answer] for answer in range(3)] for truth in range(3)]


def test_a_run_folder_has_exactly_these_files(run: Run) -> None:
    assert {path.name for path in run.model.parent.iterdir()} == WRITTEN
    assert {*RUN_FILES, "model.keras"} >= WRITTEN


@pytest.mark.parametrize(("split", "key"), [("test", "test"), ("val", "validation")])
def test_the_metrics_are_those_of_the_saved_model(run: Run, split: str, key: str) -> None:
    confusion = np.array(confusion_by_hand(run, split))
    metrics = written(run, "metrics.json")[key]
    assert metrics["confusion"] == confusion.tolist()
    assert metrics["images"] == confusion.sum()
    assert metrics["accuracy"] == pytest.approx(np.trace(confusion) / confusion.sum(), abs=1e-6)
    assert metrics["majority_share"] == pytest.approx(confusion.sum(axis=1).max() / confusion.sum(), abs=1e-6)


def test_the_test_answers_can_be_reviewed_with_their_truth(run: Run) -> None:
    answers = list(read_answers(str(run.model.parent)))
    classes = sorted({one.truth for one in answers})
    confusion = Counter((one.truth, one.label) for one in answers)
    assert written(run, "metrics.json")["test"]["confusion"] == [
        [confusion[truth, label] for label in classes] for truth in classes
    ]
    assert {tuple(sorted(one.scores)) for one in answers} == {tuple(classes)}
    assert [one.confidence for one in answers] == pytest.approx([max(one.scores.values()) for one in answers], abs=1e-6)


def test_the_returned_metrics_are_the_written_ones(run: Run) -> None:
    assert written(run, "metrics.json") == run.metrics


def test_exactly_the_readable_test_images_count(run: Run) -> None:
    assert run.metrics["test"]["images"] == sum(SIZES["test"] + extra for extra in (0, 1, 2)) - 1


def test_split_csv_lists_every_image_once_in_its_split(run: Run, noise: Path) -> None:
    found = {split: read_split(run.model.with_name("split.csv"), split, ("a", "b", "c")).paths for split in SPLITS}
    assert {split: sorted(paths) for split, paths in found.items()} == {
        split: sorted(map(str, (noise / split).rglob("*.png"))) for split in SPLITS
    }


@pytest.mark.parametrize(("kind", "split"), [("calibration", "train"), ("verification", "val")])
def test_no_test_image_is_among_the_samples(run: Run, kind: str, split: str) -> None:
    samples = {image.tobytes() for image in read_samples(run.model, kind, PREPROCESS).images}
    paths = read_split(run.model.with_name("split.csv"), split, ("a", "b", "c")).paths
    assert samples == {PREPROCESS(path).tobytes() for path in paths if Path(path).stat().st_size > 320}


def test_unreadable_images_are_listed_with_their_reasons(run: Run, noise: Path) -> None:
    with open(run.model.with_name("bad_files.csv"), newline="") as file:
        rows = {(row["path"], row["error"]) for row in csv.DictReader(file)}
    assert rows == {
        (f"{noise}/train/a/00.png", "empty"),
        (f"{noise}/train/c/=cut.png", "truncated"),
        (f"{noise}/val/b/00.png", "not_an_image"),
        (f"{noise}/test/c/01.png", "not_an_image"),
    }


def test_the_history_has_one_row_per_epoch(run: Run) -> None:
    header, *rows = run.model.with_name("history.csv").read_text().split()
    assert header == "stage,epoch,learning_rate,loss,accuracy,val_loss,val_accuracy"
    assert len(rows) == run.metrics["epochs"] == 2


def test_the_card_describes_the_training(run: Run) -> None:
    card = ModelCard.from_json(read_zip_card(run.model) or "")
    assert (card.classes, card.preprocess, card.head) == (("a", "b", "c"), PREPROCESS, "softmax")
    assert card.training["images"] == {"train": 40, "val": 18, "test": 24}
    assert (card.training["seed"], card.training["test_accuracy"]) == (3, run.metrics["test"]["accuracy"])


def test_the_number_of_parameters_is_that_of_the_saved_model(run: Run) -> None:
    assert run.metrics["parameters"] == keras.models.load_model(run.model).count_params()


@pytest.fixture(scope="module")
def mapped(noise: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same run with memory-mapped arrays, without samples, and in a folder with the checkpoint of another training."""
    folder = tmp_path_factory.mktemp("mapped-run")
    (folder / "checkpoint.npz").write_bytes(b"of another training")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edgeclf.train.data.arrays.IN_MEMORY_BYTES", 100)
        return train(config(noise), folder, Extras(embed_samples=False))


def test_a_second_run_with_memory_mapped_arrays_gives_the_same_weights(run: Run, mapped: Run) -> None:
    first, second = (keras.models.load_model(each.model).get_weights() for each in (run, mapped))
    assert [weight.tobytes() for weight in first] == [weight.tobytes() for weight in second]


def test_an_old_checkpoint_is_ignored_without_resume(run: Run, mapped: Run) -> None:
    assert mapped.metrics["test"] == run.metrics["test"]


def test_memory_mapped_files_are_removed_after_training(mapped: Run) -> None:
    assert {path.name for path in mapped.model.parent.iterdir()} == WRITTEN


@pytest.mark.parametrize("kind", ["calibration", "verification"])
def test_samples_can_be_left_out(mapped: Run, kind: str) -> None:
    assert len(read_samples(mapped.model, kind, PREPROCESS)) == 0


def test_a_failed_training_leaves_no_model_and_no_cache(
    noise: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeclf.train.data.arrays.IN_MEMORY_BYTES", 100)
    with pytest.raises(DatasetError, match="the loss became"):
        train(config(noise, learning_rate=1e38), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} <= {"history.csv", "split.csv", "bad_files.csv"}


def test_a_class_without_readable_images_is_named(lay_out: LayOut, tmp_path: Path) -> None:
    root = lay_out({"good": 6, "spoilt": 6})
    for number in range(6):
        (root / "spoilt" / f"{number:02}.png").write_bytes(b"spoilt")
    with pytest.raises(DatasetError, match="spoilt"):
        train(config(root), tmp_path / "run")
    assert not (tmp_path / "run" / "model.keras").exists()


def test_class_names_of_any_kind_reach_the_card(lay_out: LayOut, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = lay_out({"plain": 6})
    names = [os.fsdecode(name) for name in (b"[bold]caf\xe9", b"two\nlines")]
    for name in names:
        (root / name).mkdir()
        for number in range(6):
            (root / name / f"{number}.png").write_bytes((root / "plain" / f"{number:02}.png").read_bytes())
    run = train(config(root, epochs=1), tmp_path / "run")
    assert ModelCard.from_json(read_zip_card(run.model) or "").classes == tuple(sorted([*names, "plain"]))
    assert r"3 classes ([bold]caf\xe9, plain, two\nlines)" in capsys.readouterr().err


def test_a_resumed_run_still_says_how_many_images_were_left_out(lay_out: LayOut, tmp_path: Path) -> None:
    root = lay_out({f"{split}/{label}": 4 for split in SPLITS for label in ("cat", "dog")})
    shutil.copy(root / "train/cat/00.png", root / "test/cat/copy.png")
    with pytest.raises(DatasetError, match="the loss became"):
        train(config(root, learning_rate=1e38), tmp_path / "run", Extras(allow_leakage=True))
    resumed = train(config(root), tmp_path / "run", resume=True)
    assert resumed.metrics["left_out"] == {"test": 1, "validation": 0}
