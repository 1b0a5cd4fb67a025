"""Which images calibrate and which verify."""

import csv
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


def as_set(samples: Arrays) -> set[bytes]:
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


def split_paths(model: KerasModel, part: str) -> list[Path]:
    with open(model.path.with_name("split.csv"), newline="") as file:
        return [Path(row["path"]) for row in csv.DictReader(file) if row["part"] == part]


def without_samples(model: KerasModel) -> KerasModel:
    save(model.network, model.card, {}, model.path)
    return model


def test_the_validation_part_in_split_csv_verifies_where_its_images_are(run_copy: KerasModel) -> None:
    evidence = choose_images(run_copy, None)
    part = read_split(run_copy.path.with_name("split.csv"), "val", run_copy.card.classes)
    expected = load(part, run_copy.card.preprocess, "val")
    np.testing.assert_array_equal(evidence.verification.images, expected.images)
    np.testing.assert_array_equal(evidence.verification.labels, expected.labels)
    assert evidence.origin == f"the validation part in {run_copy.path.with_name('split.csv')}"


def test_the_images_of_split_csv_are_read_and_not_the_samples(run_copy: KerasModel) -> None:
    changed = split_paths(run_copy, "val")[0]
    changed.write_bytes(split_paths(run_copy, "test")[0].read_bytes())
    assert run_copy.card.preprocess(changed).tobytes() in as_set(choose_images(run_copy, None).verification)


def test_an_unreadable_image_of_split_csv_is_left_out(run_copy: KerasModel) -> None:
    split_paths(run_copy, "val")[0].write_bytes(b"damaged")
    assert len(choose_images(run_copy, None).verification) == len(split_paths(run_copy, "val")) - 1


def test_calibration_samples_inside_the_model_serve_beside_split_csv(run_copy: KerasModel) -> None:
    assert as_set(choose_images(run_copy, None).calibration) == as_set(stored(run_copy, "calibration"))


def test_the_training_part_calibrates_where_the_model_carries_no_samples(run_copy: KerasModel) -> None:
    evidence = choose_images(without_samples(run_copy), None)
    training = {run_copy.card.preprocess(path).tobytes() for path in split_paths(run_copy, "train")}
    assert as_set(evidence.calibration) == training


@pytest.mark.parametrize("count", [1, 6], ids=["one is gone", "all are gone"])
def test_the_samples_inside_the_model_verify_where_images_are_gone(run_copy: KerasModel, count: int) -> None:
    for path in split_paths(run_copy, "val")[:count]:
        path.unlink()
    evidence = choose_images(run_copy, None)
    assert as_set(evidence.verification) == as_set(stored(run_copy, "verification"))
    assert evidence.origin == "the validation samples inside the model"


def test_a_model_alone_brings_its_own_images(trained: Path) -> None:
    model = open_keras(trained)
    evidence = choose_images(model, None)
    assert as_set(evidence.calibration) == as_set(stored(model, "calibration"))
    np.testing.assert_array_equal(evidence.verification.labels, stored(model, "verification").labels)


def test_a_model_without_any_images_asks_for_data(trained: Path) -> None:
    with pytest.raises(DatasetError, match="carries no sample images to verify with; name some with --data DIR"):
        choose_images(without_samples(open_keras(trained)), None)


def test_verifying_needs_no_training_images(run_copy: KerasModel) -> None:
    for path in split_paths(run_copy, "train"):
        path.unlink()
    assert len(choose_images(without_samples(run_copy), None, calibrate=False).verification) == len(
        split_paths(run_copy, "val")
    )


def as_bytes(model: KerasModel, paths: list[Path]) -> set[bytes]:
    return {model.card.preprocess(path).tobytes() for path in paths}


def in_parts(image_folder: Path, folder: Path, *parts: str) -> Path:
    """The same images, dealt out to part folders: two of ten to all but the first part."""
    for label in ("disc", "square"):
        for part in parts:
            (folder / part / label).mkdir(parents=True)
        for number, path in enumerate(sorted((image_folder / label).iterdir())):
            shutil.copy(path, folder / parts[1 if number % 5 == 0 and len(parts) > 1 else 0] / label)
    return folder


def test_data_goes_before_everything_else(run_copy: KerasModel, image_folder: Path, tmp_path: Path) -> None:
    data = in_parts(image_folder, tmp_path / "other", "train", "val")
    evidence = choose_images(run_copy, data)
    assert evidence.origin == str(data)
    assert as_set(evidence.calibration) == as_bytes(run_copy, [*data.glob("train/*/*")])
    assert as_set(evidence.verification) == as_bytes(run_copy, [*data.glob("val/*/*")])


def test_data_without_parts_verifies_with_every_other_image_and_calibrates_with_the_rest(
    run_copy: KerasModel, image_folder: Path
) -> None:
    evidence = choose_images(run_copy, image_folder)
    assert as_set(evidence.calibration) | as_set(evidence.verification) == as_bytes(run_copy, [*image_folder.rglob("*.png")])
    assert (len(evidence.calibration), len(evidence.verification)) == (30, 30)
    assert np.bincount(evidence.verification.labels).tolist() == [15, 15]


def test_data_without_parts_verifies_with_every_image_where_nothing_is_calibrated(
    run_copy: KerasModel, image_folder: Path
) -> None:
    evidence = choose_images(run_copy, image_folder, calibrate=False)
    assert as_set(evidence.verification) == as_bytes(run_copy, [*image_folder.rglob("*.png")])


def test_labels_of_data_are_those_of_its_folders(run_copy: KerasModel, image_folder: Path) -> None:
    evidence = choose_images(run_copy, image_folder, calibrate=False)
    label_of = {run_copy.card.preprocess(path).tobytes(): path.parent.name for path in image_folder.rglob("*.png")}
    found = [label_of[image.tobytes()] for image in evidence.verification.images]
    assert [run_copy.card.classes[label] for label in evidence.verification.labels] == found


def test_unreadable_images_of_data_are_left_out_and_told(
    run_copy: KerasModel, image_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = in_parts(image_folder, tmp_path / "other", "train", "val")
    bad = sorted(data.glob("val/*/*"))[0]
    bad.write_bytes(b"")
    assert len(choose_images(run_copy, data).verification) == 11
    assert f"1 verification images cannot be read and are left out; the first: {bad}" in capsys.readouterr().err


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
    evidence = collect(run_copy, image_folder)
    calibration, verification = as_set(evidence.calibration), as_set(evidence.verification)
    assert len(calibration) >= 30
    assert len(verification) >= 6
    assert not calibration & verification


def test_calibration_takes_a_spread_of_a_large_part(run_copy: KerasModel, image_folder: Path, tmp_path: Path) -> None:
    for label in run_copy.card.classes:
        source = next((image_folder / label).iterdir())
        for part, count in (("train", MAX_SAMPLES), ("val", 1), ("test", 1)):
            (tmp_path / "many" / part / label).mkdir(parents=True)
            for number in range(count):
                (tmp_path / "many" / part / label / f"{number}.png").hardlink_to(source)
    calibration = choose_images(run_copy, tmp_path / "many").calibration
    assert np.bincount(calibration.labels).tolist() == [MAX_SAMPLES // 2, MAX_SAMPLES // 2]


@pytest.mark.parametrize("names", [("disc", "circle"), ("disc", "square", "star"), ("Disc", "square")], ids=", ".join)
def test_data_with_another_class_is_refused_with_its_name(
    run_copy: KerasModel, image_folder: Path, tmp_path: Path, names: tuple[str, ...]
) -> None:
    for name in names:
        shutil.copytree(image_folder / "disc", tmp_path / "other" / name)
    unknown = next(name for name in names if name not in ("disc", "square"))
    with pytest.raises(DatasetError, match=rf"has the class '{unknown}', which the model does not know \(disc, square\)"):
        choose_images(run_copy, tmp_path / "other")


@pytest.mark.parametrize("calibrate", [True, False], ids=["int8", "floats"])
def test_data_with_too_few_images_is_refused(run_copy: KerasModel, tmp_path: Path, calibrate: bool) -> None:
    (tmp_path / "other" / "disc").mkdir(parents=True)
    (tmp_path / "other" / "square").mkdir()
    with pytest.raises(DatasetError, match="other holds too few images of the classes disc, square"):
        choose_images(run_copy, tmp_path / "other", calibrate=calibrate)


def test_data_that_is_no_folder_is_refused(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="missing is no folder"):
        choose_images(open_keras(trained), tmp_path / "missing")


def test_a_foreign_split_csv_is_refused_with_a_way_out(trained: Path) -> None:
    trained.with_name("split.csv").write_text("path,label,part\n/a.png,wolf,val\n")
    with pytest.raises(DatasetError, match=r"split\.csv is no split of this model's images .* --data DIR"):
        choose_images(open_keras(trained), None)


def test_images_may_come_in_an_archive(trained: Path, image_folder: Path, tmp_path: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / "shapes"), "zip", image_folder)
    packed, plain = (choose_images(open_keras(trained), Path(data)) for data in (archive, image_folder))
    np.testing.assert_array_equal(packed.verification.images, plain.verification.images)
    assert packed.origin == archive
