"""Models without a card are taken as other tools write them, and their files say the size of their images."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from edgeclf.runtime import Classifier
from edgeclf.runtime.errors import ModelError, OptionError
from edgeclf.runtime.model.description import ModelDescription

BuildOnnx = Callable[..., onnx.ModelProto]
Write = Callable[..., Path]
COLOURS = ModelDescription(("red", "green", "blue"))
SIDES = {"height and width": {1: "h", 2: "w"}, "height": {1: "h"}, "width": {2: "w"}}


@pytest.fixture
def write(build_onnx: BuildOnnx, colour_weights: NDArray[np.float32], tmp_path: Path) -> Write:
    """`write({0: 1, 1: "h"})` writes the classifier of mean colours without a card, some sides of its input changed."""

    def to_file(
        sides: dict[int, int | str] | None = None,
        *,
        channels_first: bool = False,
        name: str = "model.onnx",
        weights: NDArray[np.float32] | None = None,
    ) -> Path:
        model = build_onnx(colour_weights if weights is None else weights)
        dims = model.graph.input[0].type.tensor_type.shape.dim
        if channels_first:
            dims[1].dim_value, dims[3].dim_value = 3, 8
            next(iter(model.graph.node[1].attribute)).ints[:] = [2, 3]
        for axis, side in (sides or {}).items():
            setattr(dims[axis], "dim_param" if isinstance(side, str) else "dim_value", side)
        (tmp_path / name).write_bytes(model.SerializeToString())
        return tmp_path / name

    return to_file


def labels(opened: Classifier) -> list[str]:
    """The labels of a red, a green, a blue and a green image."""
    pure = [np.full((20, 30, 3), 200 * np.eye(3, dtype=np.uint8)[channel], np.uint8) for channel in (0, 1, 2, 1)]
    return [answer.label for answer in opened.predict(pure)]


def test_the_size_of_the_images_is_that_in_the_file(write: Write) -> None:
    opened = Classifier.open(write(), card=COLOURS)

    assert opened.card.preprocess.shape == (8, 8, 3)
    assert labels(opened) == ["red", "green", "blue", "green"]


def test_the_size_of_a_tflite_file_is_that_in_the_file(bare_tflite: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.lite").write_bytes(bare_tflite)

    assert labels(Classifier.open(tmp_path / "model.lite", card=COLOURS)) == ["red", "green", "blue", "green"]


def test_a_grey_model_needs_no_flag(write: Write) -> None:
    weights = np.array([[-1, 1]], np.float32) / 100

    opened = Classifier.open(write({3: 1}, weights=weights), card=ModelDescription(("dark", "light")))

    assert opened.card.preprocess.shape == (8, 8, 1)
    assert opened.predict(np.full((5, 5, 3), 200, np.uint8)).label == "light"


@pytest.mark.parametrize(
    ("described", "keywords"),
    [
        (ModelDescription(COLOURS.classes, (8, 9)), r"--imgsz 9x8 does not fit .*, which takes 8; leave it out"),
        (ModelDescription(COLOURS.classes, grey=True), "--grey does not fit .* in colour; leave it out"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(described: ModelDescription, keywords: str, write: Write) -> None:
    with pytest.raises(OptionError, match=keywords):
        Classifier.open(write(), card=described)


def test_channels_first_are_taken(write: Write) -> None:
    opened = Classifier.open(write(channels_first=True), card=COLOURS)

    assert opened.card.preprocess.shape == (8, 8, 3)
    assert labels(opened) == ["red", "green", "blue", "green"]


@pytest.mark.parametrize("channels_first", [False, True])
@pytest.mark.parametrize("batch", [1, 4])
def test_a_fixed_batch_becomes_free(
    batch: int, channels_first: bool, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = Classifier.open(write({0: batch}, channels_first=channels_first), card=COLOURS)

    assert labels(opened) == ["red", "green", "blue", "green"]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("sides", SIDES.values(), ids=SIDES)
def test_a_model_of_any_size_needs_a_size(sides: dict[int, str], write: Write) -> None:
    with pytest.raises(ModelError, match=r"the size of its images; add --imgsz 224$"):
        Classifier.open(write(sides), card=COLOURS)

    opened = Classifier.open(write(sides), card=ModelDescription(COLOURS.classes, (8, 8)))
    assert labels(opened) == ["red", "green", "blue", "green"]


def test_a_model_of_any_size_works_with_channels_first(write: Write) -> None:
    path = write({2: "h", 3: "w"}, channels_first=True)

    opened = Classifier.open(path, card=ModelDescription(COLOURS.classes, (16, 12)))

    assert opened.card.preprocess.shape == (16, 12, 3)
    assert labels(opened) == ["red", "green", "blue", "green"]


@pytest.mark.parametrize("channels", [2, 4, "c"])
def test_another_number_of_channels_is_refused(channels: int | str, write: Write) -> None:
    weights = np.eye(channels if isinstance(channels, int) else 3, 3, dtype=np.float32)
    with pytest.raises(ModelError, match=r"images with .* channels"):
        Classifier.open(write({3: channels}, weights=weights), card=COLOURS)


@pytest.mark.parametrize(
    ("classes", "keyword"), [(2, "has a background class"), (4, "names a background class"), (7, "per output")]
)
def test_a_list_of_another_length_is_refused_and_says_why(classes: int, keyword: str, write: Write) -> None:
    with pytest.raises(OptionError, match=f"returns 3 scores, but --classes names {classes} classes; .*{keyword}"):
        Classifier.open(write(), card=ModelDescription(tuple(map(str, range(classes)))))


@pytest.mark.parametrize("name", ["MODEL.ONNX", "model.Onnx"])
def test_a_suffix_counts_in_capitals_too(name: str, write: Write) -> None:
    assert labels(Classifier.open(write(name=name), card=COLOURS)) == ["red", "green", "blue", "green"]


@pytest.mark.parametrize("name", ["M.TFLITE", "m.lite", "M.LITE"])
def test_lite_is_tflite(name: str, bare_tflite: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(bare_tflite)

    assert Classifier.open(tmp_path / name, card=COLOURS).backend.engine.startswith("LiteRT")
