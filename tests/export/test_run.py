"""The whole road: train, export, open, label; and an export that is published in full or not at all."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from edgeclf.export.external_model import ExternalModel
from edgeclf.export.int8 import Quantizer
from edgeclf.export.parity import GateLimits
from edgeclf.export.run import export, export_network
from edgeclf.export.targets import TARGETS, ExportContext, Target, choose_targets
from edgeclf.runtime.errors import DatasetError, GateError, ModelError, OptionError
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.model.classifier import Classifier
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
    """A patch in the class's own colour on noise, 24 x 40, as PNG."""
    image = np.random.default_rng(seed).integers(0, 90, (24, 40, 3), dtype=np.uint8)
    DRAWERS[label](image)
    return bytes(cv2.imencode(".png", image[..., ::-1])[1])


def published(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


Road = tuple[Path, tuple[str, ...]]
ROADS = {
    "three classes, not square": (("red", "green", "blue"), Preprocess((24, 40))),
    "two classes, grey": (("dark", "bright"), Preprocess((16, 16), 1)),
}


@pytest.fixture(scope="module", params=ROADS.values(), ids=ROADS)
def road(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Road:
    """A run folder with ONNX and INT8, trained on 16 images a class; and the classes."""
    labels, preprocess = request.param
    data = tmp_path_factory.mktemp("road")
    for label in labels:
        (data / label).mkdir()
        for number in range(16):
            (data / label / f"{number}.png").write_bytes(encode(label, number))
    recipe = Recipe(ConvNet((8,), dropout=0.2), epochs=15, batch=8, learning_rate=0.03)
    run = train(data, tmp_path_factory.mktemp("run"), preprocess, recipe)
    result = export(run.model, run.model.parent, choose_targets((), ()), GateLimits())
    assert result.passed, result.parities
    return run.model.parent, labels


@pytest.mark.parametrize("name", ["model.onnx", "model.int8.tflite"])
def test_a_folder_of_images_becomes_a_classifier_that_is_right(road: Road, name: str) -> None:
    folder, labels = road
    classifier = Classifier.open(folder / name)
    unseen = [encode(label, seed) for seed in range(100, 110) for label in labels]
    assert [prediction.label for prediction in classifier.predict_batch(unseen)] == list(labels) * 10


def test_the_default_is_onnx_and_int8(road: Road) -> None:
    folder, _ = road
    names = {path.name for path in folder.iterdir() if path.name.startswith(("model", "SHA"))}
    assert names == {"model.keras", "model.onnx", "model.int8.tflite", "model.parity.json", "SHA256SUMS"}


@pytest.mark.parametrize(
    ("formats", "precisions", "expected"),
    [
        ((), (), (ONNX, INT8)),
        (("onnx",), (), (ONNX,)),
        (("tflite",), (), (INT8,)),
        ((), ("fp32",), (ONNX, FP32)),
        (("onnx",), ("int8",), (ONNX_INT8,)),
        ((), ("int8", "fp16"), (ONNX_FP16, ONNX_INT8, FP16, INT8)),
        (("tflite",), ("fp32",), (FP32,)),
        (("onnx", "tflite"), ("fp32", "dynamic"), (ONNX, FP32, DYNAMIC)),
    ],
    ids=lambda names: " ".join(getattr(name, "suffix", name) for name in names) or "default",
)
def test_targets_are_every_known_combination(
    formats: tuple[str, ...], precisions: tuple[str, ...], expected: tuple[Target, ...]
) -> None:
    assert choose_targets(formats, precisions) == expected


@pytest.mark.parametrize(
    ("formats", "precisions", "sentence"),
    [
        (("coreml",), (), "there is no 'coreml' to export; choose from onnx, tflite"),
        ((), ("int4",), "there is no 'int4' to export; choose from dynamic, fp16, fp32, int16x8, int8"),
        (("onnx",), ("dynamic",), "nothing asked for comes in dynamic: onnx is made in fp32, fp16, int8; tflite is made in"),
    ],
    ids=str,
)
def test_targets_that_do_not_exist_are_refused(formats: tuple[str, ...], precisions: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        choose_targets(formats, precisions)


def test_the_report_says_what_was_verified_on_what(run_folder: Path) -> None:
    report = json.loads((run_folder / "model.parity.json").read_text())
    assert report["verified_on"] == f"the validation part in {run_folder / 'split.csv'}"
    assert report["limits"] == asdict(GateLimits())
    assert {item["file"]: (item["precision"], item["images"], item["passed"]) for item in report["artifacts"]} == {
        "model.onnx": ("fp32", 6, True),
        "model.fp16.onnx": ("fp16", 6, True),
        "model.int8.onnx": ("int8", 6, True),
        "model.fp32.tflite": ("fp32", 6, True),
        "model.fp16.tflite": ("fp16", 6, True),
        "model.dynamic.tflite": ("dynamic", 6, True),
        "model.int8.tflite": ("int8", 6, True),
    }


def test_artefacts_are_named_after_the_model_and_go_to_any_folder(trained: Path, tmp_path: Path) -> None:
    result = export(trained.rename(trained.with_name("cells.v2.keras")), tmp_path / "a" / "b", (ONNX,), GateLimits())
    assert result.published == (tmp_path / "a" / "b" / "cells.v2.onnx",)
    assert {path.name for path in (tmp_path / "a" / "b").iterdir()} == {
        "cells.v2.onnx",
        "cells.v2.parity.json",
        "SHA256SUMS",
    }


@pytest.mark.parametrize("name", ["caf\udce9.keras", "two\nlines.keras", "[bold]=1+1.keras"], ids=ascii)
def test_a_model_of_any_name_is_exported(trained: Path, tmp_path: Path, name: str) -> None:
    result = export(trained.rename(trained.with_name(name)), tmp_path / "edge", (ONNX, FP32), GateLimits())
    assert [Classifier.open(path).card.classes for path in result.published] == [("disc", "square")] * 2


def _wrap(target: Target, change: Callable[[KerasModel], Callable[[tf.Tensor], tf.Tensor]]) -> Target:
    """The target, made from something else than the network."""

    def convert(work: ExportContext) -> bytes | Quantizer:
        changed = change(work.model)
        return target.convert(replace(work, model=replace(work.model, network=lambda image, training: changed(image))))

    return replace(target, convert=convert)


def swap_classes(target: Target) -> Target:
    return _wrap(target, lambda model: lambda image: 1 - model.network(image, training=False))


def forget_scaling(target: Target) -> Target:
    return _wrap(target, lambda model: lambda image: model.network(image * 255, training=False))


def mix_up_colours(target: Target) -> Target:
    return _wrap(target, lambda model: lambda image: model.network(image[..., ::-1], training=False))


def truncate(target: Target) -> Target:
    return replace(target, convert=lambda work: _finished(target.convert(work))[:2000])


def _finished(made: bytes | Quantizer) -> bytes:
    return made if isinstance(made, bytes) else made.quantize("min-max")


@pytest.mark.parametrize("target", [ONNX, FP32], ids=["onnx", "tflite"])
@pytest.mark.parametrize("sabotage", [swap_classes, forget_scaling, mix_up_colours, truncate], ids=lambda f: f.__name__)
def test_nothing_is_published_when_one_artefact_misses(
    trained: Path, tmp_path: Path, sabotage: Callable[[Target], Target], target: Target
) -> None:
    result = export(trained, tmp_path / "edge", (FP16, sabotage(target)), GateLimits())
    assert (result.passed, result.published) == (False, ())
    assert [bool(parity.misses) for parity in result.parities] == [False, True]
    assert list((tmp_path / "edge").iterdir()) == []


def refuse(target: Target) -> Target:
    def convert(work: ExportContext) -> bytes:
        raise ModelError("no such layer in this format")

    return replace(target, convert=convert)


@pytest.mark.parametrize("sabotage", [swap_classes, truncate, refuse], ids=lambda f: f.__name__)
def test_what_misses_may_be_left_out(trained: Path, tmp_path: Path, sabotage: Callable[[Target], Target]) -> None:
    targets = (ONNX, sabotage(FP32), INT8)
    result = export(trained, tmp_path / "edge", targets, GateLimits(), leave_out=True)
    assert (result.passed, result.missed) == (False, ("model.fp32.tflite",))
    assert [path.name for path in result.published] == ["model.onnx", "model.int8.tflite"]
    assert {*published(tmp_path / "edge")} == {"model.onnx", "model.int8.tflite", "model.parity.json", "SHA256SUMS"}
    assert result.ship in ("model.onnx", "model.int8.tflite")


def test_nothing_is_published_when_all_that_may_be_left_out_misses(trained: Path, tmp_path: Path) -> None:
    result = export(trained, tmp_path / "edge", (swap_classes(ONNX), refuse(FP32)), GateLimits(), leave_out=True)
    assert (result.published, result.ship, result.trade_offs) == ((), "", ())
    assert list((tmp_path / "edge").iterdir()) == []


def test_every_kind_of_artefact_passes_and_is_timed(trained: Path, tmp_path: Path) -> None:
    result = export(trained, tmp_path / "edge", TARGETS, GateLimits())
    assert result.passed, result.parities
    assert [path.name for path in result.published] == [f"model{target.suffix}" for target in TARGETS]
    assert all(parity.milliseconds for parity in result.parities)
    report = json.loads((tmp_path / "edge" / "model.parity.json").read_text())
    assert report["ship"] in report["trade_offs"]
    digests = {item["file"]: item["sha256"] for item in report["artifacts"]}
    assert digests == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in result.published}


def test_a_network_in_memory_is_exported_with_images_of_its_owner(image_folder: Path, tmp_path: Path) -> None:
    network = ConvNet((8,), dropout=0.0).build((32, 32, 3), 2)
    network.compile("adam", "binary_crossentropy")
    external = ExternalModel(("disc", "square"))
    result = export_network(network, external, tmp_path, image_folder, (ONNX, FP32), name="mine")
    assert [path.name for path in result.published] == ["mine.onnx", "mine.fp32.tflite"]
    card = Classifier.open(result.published[0]).card
    assert (card.classes, card.preprocess) == (("disc", "square"), Preprocess((32, 32), 3, "bilinear"))


@pytest.mark.parametrize("opset", [12, 19])
def test_an_opset_that_cannot_be_written_is_refused(trained: Path, tmp_path: Path, opset: int) -> None:
    with pytest.raises(OptionError, match=f"opset must be from 13 to 18, not {opset}"):
        export(trained, tmp_path / "edge", (ONNX,), GateLimits(), opset=opset)


@pytest.mark.parametrize("sabotage", [swap_classes, truncate], ids=lambda f: f.__name__)
def test_a_sabotaged_int8_is_missed(trained: Path, tmp_path: Path, sabotage: Callable[[Target], Target]) -> None:
    result = export(trained, tmp_path / "edge", (sabotage(INT8), ONNX), GateLimits())
    assert [bool(parity.misses) for parity in result.parities] == [True, False]


def test_int8_with_colours_mixed_up_is_missed_where_colours_matter(road: Road, tmp_path: Path) -> None:
    folder, labels = road
    result = export(folder / "model.keras", tmp_path, (mix_up_colours(INT8),), GateLimits())
    assert result.passed is (labels == ("dark", "bright"))


def test_an_earlier_export_stays_when_a_later_one_misses(trained: Path) -> None:
    export(trained, trained.parent, (ONNX, FP32), GateLimits())
    before = published(trained.parent)
    assert not export(trained, trained.parent, (FP32, swap_classes(ONNX)), GateLimits()).passed
    assert published(trained.parent) == before


def test_an_earlier_export_is_replaced_when_a_later_one_passes(trained: Path) -> None:
    first = export(trained, trained.parent, (ONNX, FP32), GateLimits())
    first.published[0].write_bytes(b"damaged")
    export(trained, trained.parent, (ONNX,), GateLimits())
    assert Classifier.open(first.published[0]).card.classes == ("disc", "square")


@pytest.mark.parametrize("error", [ValueError, GateError, KeyboardInterrupt])
def test_a_conversion_that_fails_leaves_everything_as_it_was(trained: Path, error: type[BaseException]) -> None:
    def convert(work: ExportContext) -> bytes:
        raise error

    export(trained, trained.parent, (ONNX,), GateLimits())
    before = published(trained.parent)
    with pytest.raises(error):
        export(trained, trained.parent, (ONNX, replace(INT8, convert=convert)), GateLimits())
    assert published(trained.parent) == before


def test_a_damaged_earlier_list_of_digests_is_no_hindrance(trained: Path) -> None:
    (trained.parent / "SHA256SUMS").write_bytes(b"\xff\xfe no digests\n\n")
    assert export(trained, trained.parent, (ONNX,), GateLimits()).passed


@pytest.fixture
def without_calibration(make_model: Callable[..., Path]) -> Path:
    return make_model((16, 16), 3, 2, kinds=("verification",))


def test_int8_without_calibration_images_asks_for_data(without_calibration: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="carries no sample images to calibrate int8 with; name some with --data DIR"):
        export(without_calibration, tmp_path / "edge", (ONNX, INT8), GateLimits())
    assert not (tmp_path / "edge").exists()


def test_floats_need_no_calibration_images(without_calibration: Path, tmp_path: Path) -> None:
    assert export(without_calibration, tmp_path, (ONNX, FP32, FP16), GateLimits()).passed


def test_data_verifies_in_place_of_the_run_s_own_images(trained: Path, image_folder: Path, tmp_path: Path) -> None:
    result = export(trained, tmp_path / "edge", (ONNX, INT8), GateLimits(), image_folder)
    assert result.passed
    assert (result.evidence.origin, result.parities[0].images) == (str(image_folder), 30)
