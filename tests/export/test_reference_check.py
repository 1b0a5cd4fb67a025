"""A model from elsewhere that is wrong on labelled images is not exported, and what would make it right is named."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from keras import layers
from numpy.typing import NDArray

from edgeclf.export.external_options import ExternalModel
from edgeclf.export.gate import Export
from edgeclf.export.options import ExportOptions
from edgeclf.export.parity import Reference
from edgeclf.export.reference_check import check_reference
from edgeclf.export.run import export_network
from edgeclf.export.targets import TARGETS
from edgeclf.runtime.errors import GateError
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.model.conventions.facts import Fact, Facts
from edgeclf.runtime.model.conventions.scales import SCALES
from edgeclf.train.data.arrays import Arrays

COLOURS = ("red", "green", "blue")
Verify = Callable[..., Export]


def write_colours(folder: Path, names: tuple[str, ...], images: int) -> Path:
    """Noise with more of one colour than of the others."""
    rng = np.random.default_rng(0)
    for name in names:
        (folder / name).mkdir(parents=True)
        for number in range(images):
            image = rng.integers(0, 90, (16, 16, 3), np.uint8)
            image[..., COLOURS.index(name)] += 120
            (folder / name / f"{number}.png").write_bytes(cv2.imencode(".png", image[..., ::-1])[1].tobytes())
    return folder


def colour_network(scale: float = 1.0, weight: float = 1.0, offset: float = 0.0) -> keras.Model:
    """Names the strongest of red, green and blue, in images that were multiplied by `scale`.

    offset: what the image must exceed for any colour to count. Below it, the answer is always the last class.
    """
    dense = layers.Dense(3, activation="softmax")
    relu = layers.ReLU(threshold=offset)
    image = keras.Input((16, 16, 3))
    network = keras.Model(image, dense(relu(layers.GlobalAveragePooling2D()(image))))
    dense.set_weights([np.eye(3, dtype=np.float32) * np.float32(weight / scale), np.array([0, 0, 1e-3], np.float32)])
    return network


@pytest.fixture
def verify(tmp_path: Path) -> Verify:
    def run(
        network: keras.Model, *classes: str, labelled: tuple[str, ...] = COLOURS, images: int = 20, **settings: object
    ) -> Export:
        data = write_colours(tmp_path / "data", labelled, images)
        options = ExportOptions(data=data, external=ExternalModel(classes, **settings))  # type: ignore[arg-type]
        return export_network(network, tmp_path / "out", (TARGETS[0],), options)

    return run


def test_a_right_model_is_exported_without_remarks(verify: Verify) -> None:
    result = verify(colour_network(), *COLOURS)
    assert result.passed
    assert not result.remarks
    assert result.parities[0].correct == 60


def test_labels_in_another_order_are_found(verify: Verify, tmp_path: Path) -> None:
    with pytest.raises(GateError, match=r"0 of 60 .* with the classes in the order red, green, blue .*right on 60 of 60"):
        verify(colour_network(), "blue", "red", "green")
    assert not list(tmp_path.glob("out/*")), "nothing is published"


def test_a_wrong_scale_is_found(verify: Verify) -> None:
    """Its threshold is never reached by an image that was divided by 255, so it always predicts one class."""
    with pytest.raises(GateError, match=r"20 of 60 .*always predicting.* with --scale none.* right on 60 of 60"):
        verify(colour_network(offset=100), *COLOURS, scale="1/255")


def test_blue_first_is_found(verify: Verify) -> None:
    network = colour_network()
    with pytest.raises(GateError, match=r"20 of 60 .* with .*--scale none --channels rgb.* it would be right on 60 of 60"):
        verify(network, *COLOURS, channels="bgr")


def answers(right: NDArray[np.bool_], labels: NDArray[np.int64]) -> NDArray[np.float32]:
    """Certain predictions that are right where they have to be; elsewhere the next class."""
    return np.eye(len(COLOURS), dtype=np.float32)[np.where(right, labels, (labels + 1) % len(COLOURS))]


@pytest.mark.parametrize(
    ("origin", "refused"), [("--scale", True), ("guessed", True), ("config.json", False)], ids=["flag", "guess", "own file"]
)
def test_a_setting_that_is_certainly_better_refuses_a_good_model_unless_its_own_files_say_it(
    origin: str, refused: bool
) -> None:
    """Blue and red exchanged cost a network of many classes a tenth of its accuracy, not all of it."""
    labels = np.arange(300) % 3
    reference = Reference(Arrays(np.zeros((300, 1, 1, 3), np.uint8), labels), answers(np.arange(300) % 8 > 0, labels))
    facts = Facts(scaling=Fact(SCALES["imagenet"].scaling, origin))

    def answer(other: Facts, images: Pixels) -> NDArray[np.float32]:
        wanted = (Fact(SCALES["1/255"].scaling, "--scale"), Fact("rgb", "--channels"))
        is_right = (other.scaling, other.channels) == wanted
        return answers(np.arange(300) % (100 if is_right else 4) > 0, labels)

    with pytest.raises(GateError, match=r"right on 262 of 300 images, but with --scale 1/255") if refused else nullcontext():
        assert check_reference(reference, COLOURS, facts, answer) == ()


def test_a_model_that_no_setting_mends_is_refused_if_it_is_worse_than_one_answer(verify: Verify) -> None:
    """It always says green, which none of the images is."""
    with pytest.raises(GateError, match=r"0 of 40 .*no other --scale, --channels or order of --classes is better"):
        verify(colour_network(weight=0), "red", "blue", "green", labelled=("red", "blue"))


def test_a_weak_model_is_exported_with_a_remark(verify: Verify) -> None:
    """Six images cannot tell it from chance, so its owner is told and decides."""
    result = verify(colour_network(weight=0), *COLOURS, images=2)
    assert result.passed
    assert "no better than always predicting" in result.remarks[0]


def test_images_of_one_class_cannot_confirm_anything_and_that_is_said(verify: Verify) -> None:
    result = verify(colour_network(), "blue", "red", "green", labelled=("red",))
    assert result.passed
    assert "could not be noticed" in result.remarks[0]


def test_two_right_images_of_two_are_no_reason_for_a_remark(verify: Verify) -> None:
    result = verify(colour_network(), *COLOURS, images=1, labelled=("red", "blue"))
    assert result.parities[0].correct == 2
    assert not result.remarks
