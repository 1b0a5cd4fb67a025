"""Which images calibrate and which verify."""

import csv
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgeclf.export.calibration import ExportImages, choose_images
from edgeclf.runtime.errors import DatasetError
from edgeclf.train.data.arrays import Arrays, load
from edgeclf.train.data.dataset import read_split
from edgeclf.train.keras_file.samples import MAX_SAMPLES, read_samples
from edgeclf.train.keras_file.saving import KerasModel, open_keras, save

MakeModel = Callable[..., Path]


def image_bytes(samples: Arrays) -> set[bytes]:
    return {image.tobytes() for image in samples.images}


def stored(model: KerasModel, kind: str) -> Arrays:
    return read_samples(model.path, kind, model.card.preprocess)


@pytest.fixture
def run_copy(run_folder: Path, image_folder: Path, tmp_path: Path) -> KerasModel:
    """The trained model beside a `split.csv` that leads to a copy of the images, free to be changed."""
    shutil.copytree(image_folder, tmp_path / "shapes")
    (tmp_path / "run").mkdir()
    split = (run_folder / "split.csv").read_text().replace(str(image_folder), str(tmp_path / "shapes"))
    (tmp_path / "run" / "split.csv").write_text(split)
    return open_keras(Path(shutil.copy(run_folder / "model.keras", tmp_path / "run")))


def split_paths(model: KerasModel, split: str) -> list[Path]:
    with open(model.path.with_name("split.csv"), newline="") as file:
        return [Path(row["path"]) for row in csv.DictReader(file) if row["part"] == split]


def without_samples(model: KerasModel) -> KerasModel:
    save(model.network, model.card, {}, model.path)
    return model


def test_the_validation_split_verifies_if_its_images_exist(run_copy: KerasModel) -> None:
    images = choose_images(run_copy, None)
    split = read_split(run_copy.path.with_name("split.csv"), "val", run_copy.card.classes)
    expected = load(split, run_copy.card.preprocess, "val")
    np.testing.assert_array_equal(images.verification.images, expected.images)
    np.testing.assert_array_equal(images.verification.labels, expected.labels)
    assert images.origin == f"the validation split in {run_copy.path.with_name('split.csv')}"


def test_the_images_of_split_csv_are_used_instead_of_the_samples(run_copy: KerasModel) -> None:
    changed = split_paths(run_copy, "val")[0]
    changed.write_bytes(split_paths(run_copy, "test")[0].read_bytes())
    assert run_copy.card.preprocess(changed).tobytes() in image_bytes(choose_images(run_copy, None).verification)


def test_an_unreadable_image_of_split_csv_is_skipped(run_copy: KerasModel) -> None:
    split_paths(run_copy, "val")[0].write_bytes(b"damaged")
    assert len(choose_images(run_copy, None).verification) == len(split_paths(run_copy, "val")) - 1


def test_the_samples_inside_the_model_calibrate_beside_split_csv(run_copy: KerasModel) -> None:
    assert image_bytes(choose_images(run_copy, None).calibration) == image_bytes(stored(run_copy, "calibration"))


def test_the_training_split_calibrates_a_model_without_samples(run_copy: KerasModel) -> None:
    images = choose_images(without_samples(run_copy), None)
    training = {run_copy.card.preprocess(path).tobytes() for path in split_paths(run_copy, "train")}
    assert image_bytes(images.calibration) == training


@pytest.mark.parametrize("count", [1, 6], ids=["one missing", "all missing"])
def test_the_samples_inside_the_model_verify_if_images_are_missing(run_copy: KerasModel, count: int) -> None:
    for path in split_paths(run_copy, "val")[:count]:
        path.unlink()
    images = choose_images(run_copy, None)
    assert image_bytes(images.verification) == image_bytes(stored(run_copy, "verification"))
    assert images.origin == "the validation samples inside the model"


def test_a_model_alone_brings_its_own_images(trained: Path) -> None:
    model = open_keras(trained)
    images = choose_images(model, None)
    assert image_bytes(images.calibration) == image_bytes(stored(model, "calibration"))
    np.testing.assert_array_equal(images.verification.labels, stored(model, "verification").labels)


def test_a_model_without_any_images_asks_for_data(trained: Path) -> None:
    with pytest.raises(DatasetError, match=r"no sample images to verify .*--data DIR"):
        choose_images(without_samples(open_keras(trained)), None)


def test_verification_needs_no_training_images(run_copy: KerasModel) -> None:
    for path in split_paths(run_copy, "train"):
        path.unlink()
    assert len(choose_images(without_samples(run_copy), None, calibrate=False).verification) == len(
        split_paths(run_copy, "val")
    )


def as_bytes(model: KerasModel, paths: list[Path]) -> set[bytes]:
    return {model.card.preprocess(path).tobytes() for path in paths}


def in_splits(image_folder: Path, folder: Path, *splits: str) -> Path:
    """The same images in one folder per split. The second split gets every fifth image."""
    for label in ("disc", "square"):
        for split in splits:
            (folder / split / label).mkdir(parents=True)
        for number, path in enumerate(sorted((image_folder / label).iterdir())):
            shutil.copy(path, folder / splits[1 if number % 5 == 0 and len(splits) > 1 else 0] / label)
    return folder


def test_data_has_priority(run_copy: KerasModel, image_folder: Path, tmp_path: Path) -> None:
    data = in_splits(image_folder, tmp_path / "other", "train", "val")
    images = choose_images(run_copy, data)
    assert images.origin == str(data)
    assert image_bytes(images.calibration) == as_bytes(run_copy, [*data.glob("train/*/*")])
    assert image_bytes(images.verification) == as_bytes(run_copy, [*data.glob("val/*/*")])


def test_every_second_image_of_data_without_splits_verifies_and_the_others_calibrate(
    run_copy: KerasModel, image_folder: Path
) -> None:
    images = choose_images(run_copy, image_folder)
    assert image_bytes(images.calibration) | image_bytes(images.verification) == as_bytes(
        run_copy, [*image_folder.rglob("*.png")]
    )
    assert (len(images.calibration), len(images.verification)) == (30, 30)
    assert np.bincount(images.verification.labels).tolist() == [15, 15]


def test_all_images_of_data_without_splits_verify_if_nothing_is_calibrated(run_copy: KerasModel, image_folder: Path) -> None:
    images = choose_images(run_copy, image_folder, calibrate=False)
    assert image_bytes(images.verification) == as_bytes(run_copy, [*image_folder.rglob("*.png")])


def test_labels_of_data_come_from_its_folders(run_copy: KerasModel, image_folder: Path) -> None:
    images = choose_images(run_copy, image_folder, calibrate=False)
    label_of = {run_copy.card.preprocess(path).tobytes(): path.parent.name for path in image_folder.rglob("*.png")}
    found = [label_of[image.tobytes()] for image in images.verification.images]
    assert [run_copy.card.classes[label] for label in images.verification.labels] == found


def test_unreadable_images_of_data_are_skipped_and_reported(
    run_copy: KerasModel, image_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = in_splits(image_folder, tmp_path / "other", "train", "val")
    bad = sorted(data.glob("val/*/*"))[0]
    bad.write_bytes(b"")
    assert len(choose_images(run_copy, data).verification) == 11
    assert re.search(rf"1 unreadable verification image .*{re.escape(str(bad))}", capsys.readouterr().err)


def _with_data(model: KerasModel, image_folder: Path) -> ExportImages:
    return choose_images(model, image_folder)


def _with_split(model: KerasModel, image_folder: Path) -> ExportImages:
    return choose_images(model, None)


def _with_split_only(model: KerasModel, image_folder: Path) -> ExportImages:
    return choose_images(without_samples(model), None)


def _with_samples(model: KerasModel, image_folder: Path) -> ExportImages:
    model.path.with_name("split.csv").unlink()
    return choose_images(model, None)


@pytest.mark.parametrize(
    "collect",
    [_with_data, _with_split, _with_split_only, _with_samples],
    ids=["--data", "split.csv and samples", "split.csv alone", "samples alone"],
)
def test_no_image_both_calibrates_and_verifies(
    run_copy: KerasModel, image_folder: Path, collect: Callable[[KerasModel, Path], ExportImages]
) -> None:
    images = collect(run_copy, image_folder)
    calibration, verification = image_bytes(images.calibration), image_bytes(images.verification)
    assert len(calibration) >= 30
    assert len(verification) >= 6
    assert not calibration & verification


def test_calibration_samples_a_large_split_evenly(run_copy: KerasModel, image_folder: Path, tmp_path: Path) -> None:
    for label in run_copy.card.classes:
        source = next((image_folder / label).iterdir())
        for split, count in (("train", MAX_SAMPLES), ("val", 1), ("test", 1)):
            (tmp_path / "many" / split / label).mkdir(parents=True)
            for number in range(count):
                (tmp_path / "many" / split / label / f"{number}.png").hardlink_to(source)
    calibration = choose_images(run_copy, tmp_path / "many").calibration
    assert np.bincount(calibration.labels).tolist() == [MAX_SAMPLES // 2, MAX_SAMPLES // 2]


@pytest.mark.parametrize("names", [("disc", "circle"), ("disc", "square", "star"), ("Disc", "square")], ids=", ".join)
def test_data_with_an_unknown_class_is_refused_by_name(
    run_copy: KerasModel, image_folder: Path, tmp_path: Path, names: tuple[str, ...]
) -> None:
    for name in names:
        shutil.copytree(image_folder / "disc", tmp_path / "other" / name)
    unknown = next(name for name in names if name not in ("disc", "square"))
    with pytest.raises(DatasetError, match=rf"'{unknown}'.*\(disc, square\)"):
        choose_images(run_copy, tmp_path / "other")


@pytest.mark.parametrize("calibrate", [True, False], ids=["int8", "floats"])
def test_data_with_too_few_images_is_refused(run_copy: KerasModel, tmp_path: Path, calibrate: bool) -> None:
    (tmp_path / "other" / "disc").mkdir(parents=True)
    (tmp_path / "other" / "square").mkdir()
    with pytest.raises(DatasetError, match="too few to verify"):
        choose_images(run_copy, tmp_path / "other", calibrate=calibrate)


def test_missing_data_is_refused(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="missing does not exist"):
        choose_images(open_keras(trained), tmp_path / "missing")


def test_a_split_csv_of_another_model_is_refused(trained: Path) -> None:
    trained.with_name("split.csv").write_text("path,label,part\n/a.png,wolf,val\n")
    with pytest.raises(DatasetError, match=r"split\.csv .* --data DIR"):
        choose_images(open_keras(trained), None)


def test_data_may_be_an_archive(trained: Path, image_folder: Path, tmp_path: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / "shapes"), "zip", image_folder)
    packed, plain = (choose_images(open_keras(trained), Path(data)) for data in (archive, image_folder))
    np.testing.assert_array_equal(packed.verification.images, plain.verification.images)
    assert packed.origin == archive
