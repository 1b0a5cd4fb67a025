"""From training to classification, and exports that are published in full or not at all."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from edgeclf.export.external_options import ExternalModel
from edgeclf.export.frozen import Frozen, freeze
from edgeclf.export.int8 import Quantizer
from edgeclf.export.options import ExportOptions
from edgeclf.export.run import export, export_network
from edgeclf.export.target import Target
from edgeclf.export.targets import TARGETS, ExportContext, choose_targets
from edgeclf.runtime.errors import DatasetError, GateError, ModelError, OptionError
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.train.config import TrainingConfig
from edgeclf.train.keras_file.saving import KerasModel
from edgeclf.train.networks.architectures import ConvNet
from edgeclf.train.recipes import Recipe
from edgeclf.train.run import train

ONNX, ONNX_FP16, ONNX_INT8, FP32, FP16, DYNAMIC, INT8, INT16X8 = TARGETS
DRAWERS: dict[str, Callable[[NDArray[np.uint8]], None]] = {
    "red": lambda image: image.__setitem__((slice(6, 18), slice(8, 30), 0), 240),
    "green": lambda image: image.__setitem__((slice(6, 18), slice(8, 30), 1), 240),
    "blue": lambda image: image.__setitem__((slice(6, 18), slice(8, 30), 2), 240),
    "dark": lambda image: None,
    "bright": lambda image: image.__setitem__((slice(6, 18), slice(8, 30)), 230),
}


def encode(label: str, seed: int) -> bytes:
    """A patch in the colour of the class on noise, 24 x 40, as PNG."""
    image = np.random.default_rng(seed).integers(0, 90, (24, 40, 3), dtype=np.uint8)
    DRAWERS[label](image)
    return bytes(cv2.imencode(".png", image[..., ::-1])[1])


def published(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


TrainedRun = tuple[Path, tuple[str, ...]]
RUNS = {
    "three classes, not square": (("red", "green", "blue"), Preprocess((24, 40))),
    "two classes, grey": (("dark", "bright"), Preprocess((16, 16), 1)),
}
SLOW_RUNS = {"two classes, grey"}


@pytest.fixture(
    scope="module",
    params=[pytest.param(run, id=name, marks=[pytest.mark.slow] * (name in SLOW_RUNS)) for name, run in RUNS.items()],
)
def small_run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TrainedRun:
    """A run folder with ONNX and INT8, trained on 16 images per class, and the classes."""
    labels, preprocess = request.param
    data = tmp_path_factory.mktemp("data")
    for label in labels:
        (data / label).mkdir()
        for number in range(16):
            (data / label / f"{number}.png").write_bytes(encode(label, number))
    recipe = Recipe(ConvNet((8,), dropout=0.2), epochs=15, batch=8, learning_rate=0.03)
    run = train(TrainingConfig(data, preprocess, recipe), tmp_path_factory.mktemp("run"))
    result = export(run.model, run.model.parent, choose_targets())
    assert result.passed, result.parities
    return run.model.parent, labels


@pytest.mark.parametrize("name", ["model.onnx", "model.int8.tflite"])
def test_a_folder_of_images_becomes_an_accurate_classifier(small_run: TrainedRun, name: str) -> None:
    folder, labels = small_run
    classifier = Classifier.open(folder / name)
    unseen = [encode(label, seed) for seed in range(100, 110) for label in labels]
    assert [prediction.label for prediction in classifier.predict(unseen)] == list(labels) * 10


def test_the_default_is_onnx_and_int8(small_run: TrainedRun) -> None:
    folder, _ = small_run
    names = {path.name for path in folder.iterdir() if path.name.startswith(("model", "SHA"))}
    assert names == {"model.keras", "model.onnx", "model.int8.tflite", "model.parity.json", "SHA256SUMS"}


def test_the_report_has_every_file_and_its_images(run_folder: Path) -> None:
    report = json.loads((run_folder / "model.parity.json").read_text())
    assert report["verified_on"] == f"the validation split in {run_folder / 'split.csv'}"
    assert report["limits"] == {"atol": 1e-4, "margin": 1e-3, "max_drop": 0.01, "reduced_margin": 0.1, "agreement": 0.97}
    assert {item["file"]: (item["precision"], item["images"], item["passed"]) for item in report["artifacts"]} == {
        "model.onnx": ("fp32", 6, True),
        "model.fp16.onnx": ("fp16", 6, True),
        "model.int8.onnx": ("int8", 6, True),
        "model.fp32.tflite": ("fp32", 6, True),
        "model.fp16.tflite": ("fp16", 6, True),
        "model.dynamic.tflite": ("dynamic", 6, True),
        "model.int8.tflite": ("int8", 6, True),
    }


def test_files_are_named_after_the_model_and_go_to_any_folder(trained: Path, tmp_path: Path) -> None:
    result = export(trained.rename(trained.with_name("cells.v2.keras")), tmp_path / "a" / "b", (ONNX,))
    assert result.published == (tmp_path / "a" / "b" / "cells.v2.onnx",)
    assert {path.name for path in (tmp_path / "a" / "b").iterdir()} == {
        "cells.v2.onnx",
        "cells.v2.parity.json",
        "SHA256SUMS",
    }


@pytest.mark.parametrize("name", ["caf\udce9.keras", "two\nlines.keras", "[bold]=1+1.keras"], ids=ascii)
def test_a_model_of_any_name_is_exported(trained: Path, tmp_path: Path, name: str) -> None:
    result = export(trained.rename(trained.with_name(name)), tmp_path / "edge", (ONNX, FP32))
    assert [Classifier.open(path).card.classes for path in result.published] == [("disc", "square")] * 2


def _wrap(target: Target, change: Callable[[KerasModel], Callable[[tf.Tensor], tf.Tensor]]) -> Target:
    """The target, made from something other than the network."""

    def convert(context: ExportContext) -> bytes | Quantizer:
        changed = change(context.model)
        model = replace(context.model, network=lambda image, training: changed(image))
        return target.convert(replace(context, model=model, frozen=freeze(model)))

    return replace(target, convert=convert)


def swap_classes(target: Target) -> Target:
    return _wrap(target, lambda model: lambda image: 1 - model.network(image, training=False))


def forget_scaling(target: Target) -> Target:
    return _wrap(target, lambda model: lambda image: model.network(image * 255, training=False))


def mix_up_colours(target: Target) -> Target:
    return _wrap(target, lambda model: lambda image: model.network(image[..., ::-1], training=False))


def truncate(target: Target) -> Target:
    return replace(target, convert=lambda context: _finished(target.convert(context))[:2000])


def _finished(made: bytes | Quantizer) -> bytes:
    return made if isinstance(made, bytes) else made.quantize("min-max")


@pytest.mark.parametrize("target", [ONNX, FP32], ids=["onnx", "tflite"])
@pytest.mark.parametrize("sabotage", [swap_classes, forget_scaling, mix_up_colours, truncate], ids=lambda f: f.__name__)
def test_nothing_is_published_if_one_file_fails(
    trained: Path, tmp_path: Path, sabotage: Callable[[Target], Target], target: Target
) -> None:
    result = export(trained, tmp_path / "edge", (FP16, sabotage(target)))
    assert (result.passed, result.published) == (False, ())
    assert [bool(parity.misses) for parity in result.parities] == [False, True]
    assert list((tmp_path / "edge").iterdir()) == []


def refuse(target: Target) -> Target:
    def convert(context: ExportContext) -> bytes:
        raise ModelError("no such layer in this format")

    return replace(target, convert=convert)


@pytest.mark.parametrize("sabotage", [swap_classes, truncate, refuse], ids=lambda f: f.__name__)
def test_failed_files_can_be_left_out(trained: Path, tmp_path: Path, sabotage: Callable[[Target], Target]) -> None:
    targets = (ONNX, replace(sabotage(FP32), optional=True), INT8)
    result = export(trained, tmp_path / "edge", targets)
    assert (result.passed, result.failed) == (False, ("model.fp32.tflite",))
    assert [path.name for path in result.published] == ["model.onnx", "model.int8.tflite"]
    assert {*published(tmp_path / "edge")} == {"model.onnx", "model.int8.tflite", "model.parity.json", "SHA256SUMS"}
    assert result.ship in ("model.onnx", "model.int8.tflite")


def test_nothing_is_published_if_every_file_fails(trained: Path, tmp_path: Path) -> None:
    targets = [replace(target, optional=True) for target in (swap_classes(ONNX), refuse(FP32))]
    result = export(trained, tmp_path / "edge", tuple(targets))
    assert (result.published, result.ship, result.trade_offs) == ((), "", ())
    assert list((tmp_path / "edge").iterdir()) == []


def test_every_target_passes_and_is_timed(trained: Path, tmp_path: Path) -> None:
    result = export(trained, tmp_path / "edge", TARGETS)
    assert result.passed, result.parities
    assert [path.name for path in result.published] == [f"model{target.suffix}" for target in TARGETS]
    assert all(parity.milliseconds for parity in result.parities)
    report = json.loads((tmp_path / "edge" / "model.parity.json").read_text())
    assert report["ship"] in report["trade_offs"]
    digests = {item["file"]: item["sha256"] for item in report["artifacts"]}
    assert digests == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in result.published}


def test_all_files_are_made_of_one_graph(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graphs: list[Frozen] = []

    def counted(model: KerasModel, outputs: tuple[str, ...]) -> Frozen:
        graphs.append(freeze(model, outputs))
        return graphs[-1]

    monkeypatch.setattr("edgeclf.export.run.freeze", counted)
    assert export(trained, tmp_path / "edge", (ONNX, FP32, INT8)).passed
    assert len(graphs) == 1


def test_a_network_in_memory_is_exported_with_given_images(image_folder: Path, tmp_path: Path) -> None:
    network = ConvNet((8,), dropout=0.0).build((32, 32, 3), 2)
    network.compile("adam", "binary_crossentropy")
    options = ExportOptions(image_folder, external=ExternalModel(("disc", "square")))
    result = export_network(network, tmp_path, (ONNX, FP32), options, name="mine")
    assert [path.name for path in result.published] == ["mine.onnx", "mine.fp32.tflite"]
    card = Classifier.open(result.published[0]).card
    assert (card.classes, card.preprocess) == (("disc", "square"), Preprocess((32, 32), 3, "bilinear", ground="none"))


def test_a_network_in_memory_needs_images(tmp_path: Path) -> None:
    network = ConvNet((8,), dropout=0.0).build((32, 32, 3), 2)
    with pytest.raises(OptionError, match="data"):
        export_network(network, tmp_path, (ONNX,), ExportOptions(external=ExternalModel(("disc", "square"))))


@pytest.mark.parametrize("sabotage", [swap_classes, truncate], ids=lambda f: f.__name__)
def test_a_sabotaged_int8_file_fails(trained: Path, tmp_path: Path, sabotage: Callable[[Target], Target]) -> None:
    result = export(trained, tmp_path / "edge", (sabotage(INT8), ONNX))
    assert [bool(parity.misses) for parity in result.parities] == [True, False]


def test_int8_with_mixed_up_colours_fails_if_colours_matter(small_run: TrainedRun, tmp_path: Path) -> None:
    folder, labels = small_run
    result = export(folder / "model.keras", tmp_path, (mix_up_colours(INT8),))
    assert result.passed is (labels == ("dark", "bright"))


@pytest.fixture
def exported(trained: Path, run_folder: Path) -> Path:
    """The trained model beside the files of an earlier export."""
    for name in ("model.onnx", "model.fp32.tflite", "model.parity.json", "SHA256SUMS"):
        shutil.copy(run_folder / name, trained.parent)
    return trained


def test_an_earlier_export_is_kept_if_a_later_one_fails(exported: Path) -> None:
    before = published(exported.parent)
    assert not export(exported, exported.parent, (FP32, swap_classes(ONNX))).passed
    assert published(exported.parent) == before


def test_an_earlier_export_is_replaced_if_a_later_one_passes(exported: Path) -> None:
    damaged = exported.parent / "model.onnx"
    damaged.write_bytes(damaged.read_bytes() + b"x")
    export(exported, exported.parent, (ONNX,))
    assert Classifier.open(exported.parent / "model.onnx").card.classes == ("disc", "square")


@pytest.mark.parametrize("error", [ValueError, GateError, KeyboardInterrupt])
def test_a_failed_conversion_changes_nothing(exported: Path, error: type[BaseException]) -> None:
    def convert(context: ExportContext) -> bytes:
        raise error

    before = published(exported.parent)
    with pytest.raises(error):
        export(exported, exported.parent, (ONNX, replace(INT8, convert=convert)))
    assert published(exported.parent) == before


@pytest.fixture
def without_calibration(make_model: Callable[..., Path]) -> Path:
    return make_model((16, 16), 3, 2, kinds=("verification",))


def test_int8_without_calibration_images_asks_for_data(without_calibration: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no sample images to calibrate int8; .*--data DIR"):
        export(without_calibration, tmp_path / "edge", (ONNX, INT8))
    assert not (tmp_path / "edge").exists()


def test_float_files_need_no_calibration_images(without_calibration: Path, tmp_path: Path) -> None:
    assert export(without_calibration, tmp_path, (ONNX, FP32, FP16)).passed


def test_data_replaces_the_images_of_the_run(trained: Path, image_folder: Path, tmp_path: Path) -> None:
    result = export(trained, tmp_path / "edge", (ONNX, INT8), ExportOptions(image_folder))
    assert result.passed
    assert (result.origin, result.parities[0].images) == (str(image_folder), 30)
