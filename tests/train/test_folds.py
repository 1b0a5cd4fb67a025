"""Cross-validation: every image is answered once, by a model that has not seen it, and the final model learns from all."""

import csv
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgeclf.runtime.errors import DatasetError, OptionError
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.train import folds
from edgeclf.train.config import TrainingConfig
from edgeclf.train.data.dataset import scan
from edgeclf.train.data.splitting import Splitting
from edgeclf.train.folds import cross_validate
from edgeclf.train.networks.architectures import ConvNet
from edgeclf.train.preparation import Extras, prepare
from edgeclf.train.recipes import Recipe
from edgeclf.train.run import Run
from tests.support.drawings import write_images

LayOut = Callable[..., Path]
FOLDS = Splitting(folds=3)
RECIPE = Recipe(ConvNet((4,), dropout=0.0), epochs=2, batch=16, learning_rate=0.02)


def config(data: Path) -> TrainingConfig:
    return TrainingConfig(data, Preprocess((12, 16)), RECIPE, Splitting(folds=2))


def test_every_image_is_in_one_fold_and_every_fold_has_all_classes(lay_out: LayOut) -> None:
    dataset = scan(lay_out({"a": 10, "b": 7, "c": 3}), FOLDS)
    tested = [path for fold in dataset.folds for path in fold.test.paths]
    assert len(tested) == len(set(tested)) == 20
    assert [sorted(Counter(fold.test.labels).items()) for fold in dataset.folds] == [
        [(0, 4), (1, 2), (2, 1)],
        [(0, 3), (1, 3), (2, 1)],
        [(0, 3), (1, 2), (2, 1)],
    ]
    for fold in dataset.folds:
        assert sorted([*fold.train.paths, *fold.val.paths, *fold.test.paths]) == sorted(tested)
    assert len(dataset.test) == 0
    assert sorted([*dataset.train.paths, *dataset.val.paths]) == sorted(tested)


def test_groups_and_copies_stay_in_one_fold(lay_out: LayOut) -> None:
    data = lay_out({f"{label}/{day}": 3 for label in ("a", "b") for day in ("mon", "tue", "wed", "thu", "fri", "sat")})
    shutil.copy(data / "a" / "mon" / "00.png", data / "a" / "tue" / "copy.png")

    dataset = scan(data, Splitting(folds=2, by=r"/(\w{3})/"))

    for fold in dataset.folds:
        days = {Path(path).parent.name for path in fold.test.paths}
        assert days & {Path(path).parent.name for path in (*fold.train.paths, *fold.val.paths)} == set()
        assert ("mon" in days) == ("tue" in days)


def test_a_test_set_of_its_own_is_in_no_fold(lay_out: LayOut) -> None:
    dataset = scan(
        lay_out({"train/a": 6, "train/b": 6, "val/a": 3, "val/b": 3, "test/a": 2, "test/b": 2}), Splitting(folds=3)
    )
    assert {Path(path).parts[-3] for path in dataset.test.paths} == {"test"}
    tested = [path for fold in dataset.folds for path in fold.test.paths]
    assert {Path(path).parts[-3] for path in tested} == {"train", "val"}
    assert len(tested) == 18


@pytest.mark.parametrize(
    ("count", "cure"), [(3, "or pass --folds 3"), (2, "until there are at least 5$")], ids=["fewer folds", "two images"]
)
def test_a_class_of_fewer_images_than_folds_is_named_with_the_cure(lay_out: LayOut, count: int, cure: str) -> None:
    with pytest.raises(DatasetError, match=f"class b holds {count} images, too few for --folds 5; .*{cure}"):
        scan(lay_out({"a": 9, "b": count}), Splitting(folds=5))


def test_one_fold_is_refused() -> None:
    with pytest.raises(OptionError, match="--folds must be at least 2, not 1"):
        Splitting(folds=1)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("folds") / "shapes", 6)


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("run")
    return cross_validate(config(data), folder, Extras(), dataset=prepare(config(data), folder))


def rows(run: Run) -> list[dict[str, str]]:
    return list(csv.DictReader(run.model.with_name("out_of_fold.csv").read_text().splitlines()))


@pytest.mark.slow
def test_the_test_accuracy_is_that_of_the_answers_out_of_the_folds(whole: Run, data: Path) -> None:
    right = [row["truth"] == row["label"] for row in rows(whole)]
    assert len(right) == 12 == whole.metrics["test"]["images"]
    assert whole.metrics["test"]["accuracy"] == pytest.approx(sum(right) / 12, abs=1e-6)
    assert list(rows(whole)[0]) == ["path", "truth", "label", "confidence", "fold", "score_disc", "score_square"]
    found = whole.metrics["folds"]
    by_fold = [[row["truth"] == row["label"] for row in rows(whole) if row["fold"] == str(fold)] for fold in (1, 2)]
    assert found["accuracies"] == pytest.approx([sum(fold) / len(fold) for fold in by_fold], abs=1e-6)
    assert found["mean_95_interval"][0] <= found["mean"] <= found["mean_95_interval"][1]
    assert found["are_the_test"]
    assert "2 folds: accuracy" in whole.model.with_name("report.html").read_text()


@pytest.mark.slow
def test_an_interrupted_cross_validation_goes_on_where_it_was(
    whole: Run, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fold that is done is not trained again, and the answers are the same."""
    folder, original, begun = tmp_path / "run", folds.train, []

    def stop(config: TrainingConfig, place: Path, *rest: Extras, **options: Any) -> Run:
        begun.append(place.name)
        if begun == ["fold-1", "fold-2"]:
            raise KeyboardInterrupt
        return original(config, place, *rest, **options)

    monkeypatch.setattr(folds, "train", stop)
    with pytest.raises(KeyboardInterrupt):
        cross_validate(config(data), folder, Extras(), dataset=prepare(config(data), folder))

    run = cross_validate(config(data), folder, Extras(), dataset=prepare(config(data), folder, resume=True), resume=True)

    assert begun == ["fold-1", "fold-2", "fold-2", "run"]
    assert rows(run) == rows(whole)
    assert run.metrics["test"] == whole.metrics["test"]


def test_folds_and_a_teacher_exclude_each_other(data: Path, run_folder: Path) -> None:
    from edgeclf.train.config import configure
    from edgeclf.train.options import SplitOptions, TeachingOptions, TrainOptions

    options = TrainOptions(data, SplitOptions(folds=3), teaching=TeachingOptions(run_folder))
    with pytest.raises(OptionError, match="--folds does not go with --teacher"):
        configure(options)
    assert configure(replace(options, teaching=TeachingOptions())).splitting == FOLDS
