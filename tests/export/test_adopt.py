"""`clf-export` for files of other tools: found, adopted, compared with their own tool, and published or refused."""

import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from PIL import Image
from typer.testing import Result

from edgeclf.export.adopt import precision_of
from edgeclf.export.cli.clf_export import app
from edgeclf.export.own_tool import read_as_pillow
from edgeclf.export.parity import Reference
from edgeclf.export.reference_check import check_reference
from edgeclf.runtime.errors import GateError
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.model.adoption.network import Network
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.runtime.model.conventions.facts import Facts
from edgeclf.train.data.arrays import Arrays
from tests.support.colour_onnx import COLOURS, SIDE, colour_onnx, write_colours

Invoke = Callable[..., Result]
LEVELS = ("--scale", "none")


@pytest.fixture
def clf_export(in_process: Callable[..., Invoke]) -> Invoke:
    return in_process(app)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return write_colours(tmp_path / "photos")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A network that takes levels of 0 to 255, which its file does not say."""
    (tmp_path / "colours.onnx").write_bytes(colour_onnx())
    return tmp_path / "colours.onnx"


def own_probabilities(model: bytes, images: list[Path]) -> NDArray[np.float64]:
    """As its owner's own program gives them: Pillow, bilinear, stretched."""
    session = ort.InferenceSession(model)
    rows = []
    for path in images:
        pixels = np.asarray(Image.open(path).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR), np.float32)
        rows.append(session.run(None, {"input": pixels.transpose(2, 0, 1)[None]})[0][0])
    powers = np.exp(np.array(rows, np.float64))
    return powers / powers.sum(axis=1, keepdims=True)


def test_an_adopted_file_answers_like_its_own_tool(clf_export: Invoke, model: Path, photos: Path) -> None:
    before = model.read_bytes()
    result = clf_export(model, *LEVELS, "--resize", "pillow-bilinear", "--data", photos)

    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == [str(model.with_suffix(".edge.onnx"))]
    assert model.read_bytes() == before
    classifier = Classifier.open(model.with_suffix(".edge.onnx"))
    images = sorted(photos.glob("*/*.png"))
    made = np.array([list(classifier.predict(path).scores.values()) for path in images])
    assert classifier.card.classes == COLOURS, "no source but the folders names them"
    np.testing.assert_allclose(made, own_probabilities(before, images), atol=1e-5)


def test_the_report_says_what_was_compared_with_what(clf_export: Invoke, model: Path, photos: Path) -> None:
    (model.parent / "labels.txt").write_text("blue\ngreen\nred\n")
    result = clf_export(model, *LEVELS, "--data", photos, "--json")

    report = json.loads(model.with_name("colours.edge.parity.json").read_text())
    assert f"{model} in onnxruntime" in report["compared"]
    assert report["artifacts"] == json.loads(result.stdout)
    assert (report["artifacts"][0]["reference_accuracy"], report["artifacts"][0]["images"]) == (1.0, 60)
    assert "classes: labels.txt; scale: --scale" in result.stderr


@pytest.mark.parametrize(
    ("flags", "labels", "cure"),
    [
        (("--scale", "1/255"), COLOURS, "--scale none"),
        ((*LEVELS, "--channels", "bgr"), COLOURS, "--channels rgb"),
        (LEVELS, ("green", "blue", "red"), "the classes in the order blue, green, red"),
    ],
    ids=["scale", "channels", "order of the labels"],
)
def test_labelled_images_refuse_a_wrong_setting_and_name_the_right_one(
    clf_export: Invoke, model: Path, photos: Path, flags: tuple[str, ...], labels: tuple[str, ...], cure: str
) -> None:
    (model.parent / "labels.txt").write_text("\n".join(labels))
    result = clf_export(model, *flags, "--data", photos, "-o", model.parent / "out")

    assert (result.exit_code, result.stdout) == (3, "")
    assert cure in result.stderr.replace("\n", " ")
    assert not (model.parent / "out").exists() or not any((model.parent / "out").iterdir())


def test_images_without_labels_are_enough_and_the_classes_are_numbers_then(
    clf_export: Invoke, model: Path, photos: Path, tmp_path: Path
) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in photos.glob("*/*.png"):
        shutil.copy(path, flat / f"{path.parent.name}_{path.name}")
    result = clf_export(model, *LEVELS, "--data", flat)

    assert result.exit_code == 0, result.stderr
    assert Classifier.open(model.with_suffix(".edge.onnx")).card.classes == ("0", "1", "2")
    assert "they are called 0 to 2" in result.stderr
    assert "the images have no labels" in result.stderr
    artifact = json.loads(model.with_name("colours.edge.parity.json").read_text())["artifacts"][0]
    assert (artifact["accuracy"], artifact["agreement"]) == (None, 1.0)


def test_a_file_of_pytorch_that_says_nothing_is_taken_as_torchvision_s_and_that_is_said(
    clf_export: Invoke, tmp_path: Path, photos: Path
) -> None:
    (tmp_path / "net.onnx").write_bytes(colour_onnx(mean=123.675, std=58.395))
    result = clf_export(tmp_path / "net.onnx", "--data", photos)

    assert result.exit_code == 0, result.stderr
    assert "is a guess" in result.stderr
    preprocess = Classifier.open(tmp_path / "net.edge.onnx").card.preprocess
    assert (preprocess.resize, preprocess.fit, preprocess.crop_pct) == ("pillow-bilinear", "crop", 0.875)


TIMM = {
    "architecture": "resnet18",
    "num_classes": 3,
    "label_names": list(COLOURS),
    "pretrained_cfg": {
        "input_size": [3, SIDE, SIDE],
        "mean": [0.0, 0.0, 0.0],
        "std": [1 / 255, 1 / 255, 1 / 255],
        "interpolation": "bicubic",
        "crop_pct": 0.8,
        "crop_mode": "center",
    },
}


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_a_folder_or_an_archive_is_adopted_with_all_that_it_says(
    clf_export: Invoke, tmp_path: Path, photos: Path, packed: bool
) -> None:
    named = tmp_path / ("net.zip" if packed else "net")
    members = {"model.onnx": colour_onnx(), "config.json": json.dumps(TIMM).encode()}
    if packed:
        with zipfile.ZipFile(named, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
    else:
        named.mkdir()
        for name, content in members.items():
            (named / name).write_bytes(content)
    result = clf_export(named, "--data", photos, "-o", tmp_path / "out")

    assert result.exit_code == 0, result.stderr
    card = Classifier.open(tmp_path / "out" / "net.edge.onnx").card
    assert card.classes == COLOURS
    assert (card.preprocess.resize, card.preprocess.crop_pct) == ("pillow-bicubic", 0.8)
    assert card.training["tool"] == "timm"


def test_an_adopted_model_becomes_int8_and_passes_the_gate(clf_export: Invoke, model: Path, photos: Path) -> None:
    result = clf_export(model, *LEVELS, "--data", photos, "--quantize", "fp32,fp16,int8")

    assert result.exit_code == 0, result.stderr
    names = [Path(line).name for line in result.stdout.splitlines()]
    assert names == ["colours.edge.onnx", "colours.edge.fp16.onnx", "colours.edge.int8.onnx"]
    for path in result.stdout.splitlines():
        classifier = Classifier.open(path)
        assert all(classifier.predict(image).label == image.parent.name for image in photos.glob("*/1?.png"))


ERRORS = {
    "no images": ([], "brings no images to verify with; name all of that: clf-export"),
    "another format": (["--data", "photos", *LEVELS, "--format", "tflite"], "an adopted model stays onnx"),
    "another precision": (["--data", "photos", *LEVELS, "--quantize", "dynamic"], "dynamic"),
    "another size": (["--data", "photos", *LEVELS, "--imgsz", "32"], "--imgsz 32 does not fit"),
    "an opset": (["--data", "photos", *LEVELS, "--opset", "15"], "--opset is for Keras models"),
    "both scale and mean": (["--data", "photos", *LEVELS, "--mean", "0", "--std", "1"], "say the same"),
    "mean alone": (["--data", "photos", "--mean", "0.5"], "belong together"),
    "an unknown tool": (["--data", "photos", "--from", "fastai"], "--from cannot be 'fastai'"),
    "too many labels": (["--data", "photos", *LEVELS, "--classes", "four.txt"], "3 scores, but --classes names 4 classes"),
    "the wrong head": (["--data", "photos", *LEVELS, "--head", "softmax"], "--head softmax does not fit"),
}


@pytest.mark.parametrize(("flags", "keyword"), ERRORS.values(), ids=ERRORS)
def test_what_does_not_fit_is_one_sentence(
    clf_export: Invoke,
    model: Path,
    photos: Path,
    flags: list[str],
    keyword: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "four.txt").write_text("a\nb\nc\nd\n")
    monkeypatch.chdir(tmp_path)
    result = clf_export(model, *flags)

    assert (result.exit_code, result.stdout) == (2, "")
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert keyword in errors[0]
    assert not list(tmp_path.glob("*.edge*"))


def test_a_file_that_does_not_say_its_scale_asks_for_it(clf_export: Invoke, tmp_path: Path, photos: Path) -> None:
    """Nothing says that it comes from PyTorch, so there is no habit to go by."""
    (tmp_path / "net.onnx").write_bytes(colour_onnx(producer="somebody"))
    result = clf_export(tmp_path / "net.onnx", "--data", photos)

    assert result.exit_code == 2
    assert "--scale 1/255, -1..1, none, imagenet or caffe" in result.stderr


def test_an_exported_file_is_not_adopted_again(clf_export: Invoke, exported_onnx: Path, photos: Path) -> None:
    result = clf_export(exported_onnx, "--data", photos)
    assert result.exit_code == 2
    assert "carries a model card already" in result.stderr


@pytest.mark.parametrize(
    ("blocked", "code", "keyword"),
    [(("tensorflow", "keras"), 0, "passed"), (("PIL",), 2, "pip install 'edgeclf[adopt]'")],
    ids=["without TensorFlow", "without Pillow"],
)
def test_adopting_needs_pillow_but_no_tensorflow(
    model: Path, photos: Path, tmp_path: Path, blocked: tuple[str, ...], code: int, keyword: str
) -> None:
    for name in blocked:
        (tmp_path / f"{name}.py").write_text(f"raise ModuleNotFoundError('No module named {name}', name={name!r})")
    script = "from edgeclf.export.cli.clf_export import main; main()"
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {script}"]
    done = subprocess.run(
        [*command, str(model), *LEVELS, "--data", str(photos)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, keyword in done.stderr, "Traceback" in done.stderr) == (code, True, False), done.stderr


@pytest.mark.parametrize(
    ("network", "precision"),
    [
        (Network("ONNX", "float32", True, (8, 8), 3), "fp32"),
        (Network("ONNX", "uint8", False, (8, 8), 3), "fp32"),
        (Network("ONNX", "float32", True, (8, 8), 3, weights="float16"), "fp16"),
        (Network("ONNX", "uint8", False, (8, 8), 3, scale=0.02, zero_point=110), "int8"),
        (Network("TFLite", "uint8", False, (8, 8), 3), "int8"),
        (Network("TFLite", "float32", False, (8, 8), 3, weights="int8"), "int8"),
    ],
    ids=["float", "levels", "half weights", "quantised input", "TFLite of whole numbers", "only inside"],
)
def test_a_file_is_judged_by_the_precision_that_it_has(network: Network, precision: str) -> None:
    assert precision_of(network) == precision


def test_a_grey_network_with_a_wrong_scale_is_refused_too(clf_export: Invoke, tmp_path: Path) -> None:
    """Scales with a number per colour are among those that are tried, and fit no grey network."""
    model = onnx.load_from_string(colour_onnx())
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 1
    model.graph.node[4].input[0] = "bright"
    model.graph.node.insert(4, onnx.helper.make_node("Concat", ["seen", "seen", "seen"], ["bright"], axis=1))
    for tensor in model.graph.initializer:
        if tensor.name == "bias":
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.array([3, -9, -9], np.float32), "bias"))
        if tensor.name == "eye":
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.diag(np.array([0, 0.3, 0], np.float32)), "eye"))
    onnx.save(model, tmp_path / "grey.onnx")
    for name, level in (("a dark", 40), ("b light", 220), ("c none", 40)):
        (tmp_path / "greys" / name).mkdir(parents=True)
        for number in range(20 if name != "c none" else 1):
            Image.new("L", (20, 20), level + number % 9).save(tmp_path / "greys" / name / f"{number}.png")

    assert clf_export(tmp_path / "grey.onnx", "--scale", "none", "--data", tmp_path / "greys").exit_code == 0
    result = clf_export(tmp_path / "grey.onnx", "--scale", "1/255", "--data", tmp_path / "greys", "-o", tmp_path / "out")
    assert result.exit_code == 3, result.stderr
    assert "--scale none" in result.stderr


def test_a_network_for_eight_images_at_once_is_compared_with_its_first(
    clf_export: Invoke, tmp_path: Path, photos: Path
) -> None:
    model = onnx.load_from_string(colour_onnx())
    for value in (model.graph.input[0], model.graph.output[0]):
        value.type.tensor_type.shape.dim[0].dim_value = 8
    onnx.save(model, tmp_path / "eight.onnx")
    assert clf_export(tmp_path / "eight.onnx", *LEVELS, "--data", photos).exit_code == 0


def test_files_are_called_like_what_was_named(clf_export: Invoke, tmp_path: Path, photos: Path) -> None:
    with tarfile.open(tmp_path / "net.onnx.tar.xz", "w:xz") as archive:
        (tmp_path / "inner.onnx").write_bytes(colour_onnx())
        archive.add(tmp_path / "inner.onnx", "model.onnx")
    result = clf_export(tmp_path / "net.onnx.tar.xz", *LEVELS, "--data", photos)
    assert result.stdout.splitlines() == [str(tmp_path / "net.edge.onnx")], result.stderr


def test_the_order_of_many_classes_takes_little_memory() -> None:
    labels = np.arange(300) % 3 + 90_000
    answers = np.zeros((300, 100_000), np.float32)
    answers[np.arange(300), (labels + 1 - 90_000) % 3 + 90_000] = 1
    reference = Reference(Arrays(np.zeros((300, 1, 1, 3), np.uint8), labels), answers)
    classes = tuple(map(str, range(100_000)))
    with pytest.raises(GateError, match="the classes in the order"):
        check_reference(reference, classes, Facts(), lambda facts, images: answers)


SETTINGS = [
    *({"resize": resize} for resize in ("pillow-bilinear", "pillow-lanczos", "pillow-box", "opencv-bilinear", "area")),
    {"resize": "pillow-lanczos", "fit": "crop"},
    {"resize": "pillow-bicubic", "fit": "pad", "pad_color": (124, 116, 104)},
    *({"resize": "pillow-bicubic", "fit": "crop", "crop_pct": 0.9, "crop_offset": at} for at in ("floor", "round", "lobe")),
    *({"resize": "pillow-bilinear", "fit": fit, "crop_pct": 0.8, "crop_offset": "round"} for fit in ("stretch", "pad")),
    {"resize": "pillow-bilinear", "channels": 1},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: "-".join(map(str, settings.values())))
@pytest.mark.parametrize("size_hw", [(24, 24), (17, 30)], ids=["square", "wide"])
def test_pillow_makes_the_image_that_preprocess_makes(
    settings: dict[str, Any], size_hw: tuple[int, int], tmp_path: Path
) -> None:
    """The two are written apart, so each checks the other."""
    preprocess = Preprocess(size_hw, ground="none", **settings)
    rng = np.random.default_rng(3)
    for number, (height, width) in enumerate([(60, 91), (91, 60), (33, 33), (20, 200), (12, 9), (47, 64)]):
        path = tmp_path / f"{number}.jpg"
        noise = cv2.resize(rng.integers(0, 256, (9, 9, 3), np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
        exif = Image.Exif()
        exif[0x0112] = 1 + number  # orientation
        Image.fromarray(noise).save(path, exif=exif)
        np.testing.assert_array_equal(preprocess(str(path)), read_as_pillow(str(path), preprocess))
