"""The `.keras` file: a network that Keras loads as usual, with the card and the samples inside."""

import json
import resource
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.model.card import ModelCard, read_zip_card
from edgeclf.train.data.arrays import Arrays, load
from edgeclf.train.data.dataset import read_split
from edgeclf.train.keras_file.samples import MAX_SAMPLES, SAMPLES_BYTES, pick_samples, read_samples
from edgeclf.train.keras_file.saving import KerasModel, load_network, open_keras, save
from edgeclf.train.networks.architectures import ConvNet
from edgeclf.train.results.evaluation import probabilities

MakeArrays = Callable[..., Arrays]
KINDS = ("calibration", "verification")


def as_set(samples: Arrays) -> set[bytes]:
    return {image.tobytes() for image in samples.images}


@pytest.fixture(scope="module", params=[1, 3], ids=["grey", "rgb"])
def saved(
    request: pytest.FixtureRequest, make_arrays: MakeArrays, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, ModelCard, keras.Model, dict[str, Arrays]]:
    """An untrained network in a file with 12 and 9 samples; also the card, the network and the samples."""
    card = ModelCard(("a", "b", "c"), Preprocess((12, 16), request.param, fit="pad"), training={"seed": 3})
    network = ConvNet((4,)).build(card.preprocess.shape, 3)
    samples = {
        name: pick_samples(make_arrays(count, 3, seed=count, shape=card.preprocess.shape))
        for name, count in zip(KINDS, (12, 9), strict=True)
    }
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    save(network, card, samples, path)
    return path, card, network, samples


Saved = tuple[Path, ModelCard, keras.Model, dict[str, Arrays]]


def test_keras_loads_the_file_by_itself(saved: Saved, make_arrays: MakeArrays) -> None:
    path, card, network, _ = saved
    images = make_arrays(5, shape=card.preprocess.shape).images
    loaded = keras.models.load_model(path)
    np.testing.assert_array_equal(probabilities(loaded, images), probabilities(network, images))


def test_the_card_can_be_read_back(saved: Saved) -> None:
    path, card, _, _ = saved
    assert ModelCard.from_json(read_zip_card(path) or "") == card


@pytest.mark.parametrize("name", KINDS)
def test_samples_are_read_back_exactly_and_in_order(saved: Saved, name: str) -> None:
    path, card, _, samples = saved
    found = read_samples(path, name, card.preprocess)
    np.testing.assert_array_equal(found.images, samples[name].images)
    np.testing.assert_array_equal(found.labels, samples[name].labels)


def test_samples_are_png_files(saved: Saved) -> None:
    path, card, _, samples = saved
    with zipfile.ZipFile(path) as archive:
        data = archive.read(f"edgeclf/samples/verification/0000-{samples['verification'].labels[0]}.png")
    np.testing.assert_array_equal(card.preprocess(data), samples["verification"].images[0])


def test_a_file_without_samples_has_none(saved: Saved) -> None:
    path, card, _, _ = saved
    found = read_samples(path, "nothing", card.preprocess)
    assert (len(found), found.images.shape) == (0, (0, *card.preprocess.shape))


def test_the_card_is_read_without_tensorflow(run_folder: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from edgeclf.runtime.model.card import ModelCard, read_zip_card;"
        "print(*ModelCard.from_json(read_zip_card(Path(sys.argv[1]))).classes);"
        "print(sorted({'tensorflow', 'keras', 'onnx', 'h5py'} & set(sys.modules)))"
    )
    line = [sys.executable, "-c", script, run_folder / "model.keras"]
    assert subprocess.run(line, capture_output=True, text=True, check=True).stdout == "disc square\n[]\n"


def test_a_training_run_calibrates_with_training_and_verifies_with_validation(run_folder: Path) -> None:
    card = ModelCard.from_json(read_zip_card(run_folder / "model.keras") or "")
    splits = [read_split(run_folder / "split.csv", split, card.classes) for split in ("train", "val")]
    images = [{image.tobytes() for image in load(split, card.preprocess, "split").images} for split in splits]
    samples = [as_set(read_samples(run_folder / "model.keras", name, card.preprocess)) for name in KINDS]
    assert samples == images  # there are few enough for all of them to fit
    assert not samples[0] & samples[1]


def test_samples_are_balanced_over_the_classes(make_arrays: MakeArrays) -> None:
    arrays = make_arrays(1200, seed=1, shape=(4, 4, 3))
    skewed = Arrays(arrays.images, (np.arange(1200) < 300).astype(np.int64), arrays.paths)
    assert Counter(pick_samples(skewed).labels.tolist()) == {0: MAX_SAMPLES // 2, 1: MAX_SAMPLES // 2}


def test_all_images_of_a_rare_class_are_samples(make_arrays: MakeArrays) -> None:
    arrays = make_arrays(1200, seed=1, shape=(4, 4, 3))
    skewed = Arrays(arrays.images, (np.arange(1200) < 10).astype(np.int64), arrays.paths)
    assert Counter(pick_samples(skewed).labels.tolist()) == {0: MAX_SAMPLES - 10, 1: 10}


def test_samples_keep_their_labels(make_arrays: MakeArrays) -> None:
    arrays = make_arrays(60, 3)
    label_of = {image.tobytes(): int(label) for image, label in zip(arrays.images, arrays.labels, strict=True)}
    samples = pick_samples(arrays)
    assert [label_of[image.tobytes()] for image in samples.images] == samples.labels.tolist()


def test_no_image_is_sampled_twice(make_arrays: MakeArrays) -> None:
    assert len(as_set(pick_samples(make_arrays(60, 3)))) == 60


def test_samples_are_spread_over_the_split(make_arrays: MakeArrays) -> None:
    arrays = make_arrays(4 * MAX_SAMPLES, seed=1, shape=(4, 4, 3))
    firsts = {image.tobytes() for image in arrays.images[: len(arrays) // 2]}
    share = np.mean([image.tobytes() in firsts for image in pick_samples(arrays).images])
    assert 0.3 < share < 0.7


def test_a_seed_fixes_the_samples(make_arrays: MakeArrays) -> None:
    arrays = make_arrays(1200, seed=1, shape=(4, 4, 3))
    assert as_set(pick_samples(arrays, 1)) == as_set(pick_samples(arrays, 1)) != as_set(pick_samples(arrays, 2))


def test_large_images_are_sampled_by_the_dozen(make_arrays: MakeArrays, tmp_path: Path) -> None:
    arrays = make_arrays(60, 2, shape=(256, 256, 3))  # noise: 200 KB an image, which no compression reduces
    card = ModelCard(("a", "b"), Preprocess((256, 256)), "sigmoid")
    samples = pick_samples(arrays)
    save(ConvNet((4,)).build((256, 256, 3), 2), card, dict.fromkeys(KINDS, samples), tmp_path / "model.keras")
    assert 12 <= len(samples) <= 24
    assert (tmp_path / "model.keras").stat().st_size < 1.15 * 2 * SAMPLES_BYTES


def test_many_classes_of_large_images_stay_within_the_size_limit(make_arrays: MakeArrays) -> None:
    samples = pick_samples(make_arrays(60, 60, shape=(256, 256, 3)))
    assert samples.images.nbytes < 1.15 * SAMPLES_BYTES


def test_no_temporary_file_is_left_behind_after_an_error(
    make_arrays: MakeArrays, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    card = ModelCard(("a", "b"), Preprocess((12, 16)), "sigmoid")
    with pytest.raises(AttributeError):
        save(None, card, {"verification": pick_samples(make_arrays(4))}, tmp_path / "model.keras")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["temporary"]


def test_a_loaded_network_has_the_weights_that_were_saved(tmp_path: Path, make_arrays: MakeArrays) -> None:
    images = make_arrays(8, shape=(16, 16, 3)).images
    measured = keras.layers.Normalization()
    measured.adapt(images.astype(np.float32))
    network = keras.Sequential([keras.Input((16, 16, 3)), measured, *ConvNet((4,)).build((16, 16, 3), 3).layers[1:]])
    network.set_weights([weight + 0.5 if weight.ndim else weight for weight in network.get_weights()])
    network.save(tmp_path / "model.keras")
    loaded = load_network(tmp_path / "model.keras")
    for found, expected in zip(loaded.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(probabilities(loaded, images), probabilities(network, images))


def test_the_answers_of_a_model_are_probabilities_for_any_head(saved: Saved, make_arrays: MakeArrays) -> None:
    _, card, network, _ = saved
    images = make_arrays(5, shape=card.preprocess.shape).images
    scores = keras.Model(network.inputs, keras.ops.log(network.outputs[0]) + 7)
    expected = KerasModel(Path("x"), network, card).probabilities(images)
    answers = KerasModel(Path("x"), scores, replace(card, head="logits")).probabilities(images)
    assert answers.dtype == np.float32
    np.testing.assert_allclose(answers, expected, atol=1e-6)


def test_a_model_without_a_card_is_refused_with_a_way_to_add_one(tmp_path: Path) -> None:
    ConvNet((4,)).build((12, 16, 3), 3).save(tmp_path / "own.keras")
    with pytest.raises(ModelError, match=r"has no model card.* clf-export .*own\.keras --classes labels\.txt"):
        open_keras(tmp_path / "own.keras")


def test_a_model_with_a_card_may_not_run_code_either(saved: Saved, tmp_path: Path) -> None:
    _, card, network, _ = saved
    evil = keras.Sequential([*network.layers, keras.layers.Lambda(lambda x: x)])
    save(evil, card, {}, tmp_path / "model.keras")
    with pytest.raises(ModelError, match="Lambda layer, which can run any program"):
        open_keras(tmp_path / "model.keras")


def test_layers_get_no_memory_until_the_file_has_provided_their_numbers(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "weights.h5", "w"):
        pass
    inner = [("InputLayer", {"batch_shape": [None, 12_000]}), *[("Dense", {"units": 12_000})] * 2]  # 1.2 GB
    layers = [{"module": "keras.layers", "class_name": name, "config": config} for name, config in inner]
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        config = {"module": "keras", "class_name": "Sequential", "config": {"name": "large", "layers": layers}}
        archive.writestr("config.json", json.dumps(config))
        archive.write(tmp_path / "weights.h5", "model.weights.h5")
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelError, match=r"model\.keras cannot be loaded by Keras .*2 objects could not be loaded"):
        load_network(tmp_path / "model.keras")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 500_000


def test_a_refused_file_does_not_affect_the_next_one(saved: Saved, tmp_path: Path, make_arrays: MakeArrays) -> None:
    path, card, network, _ = saved
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(tmp_path / "model.keras", "w") as other:
        for info in archive.infolist():
            data = archive.read(info)
            other.writestr(info, data.replace(b'"filters": 4', b'"filters": 5'))
    with pytest.raises(ModelError, match="cannot be loaded by Keras"):
        load_network(tmp_path / "model.keras")
    images = make_arrays(5, shape=card.preprocess.shape).images
    np.testing.assert_array_equal(open_keras(path).probabilities(images), probabilities(network, images))
