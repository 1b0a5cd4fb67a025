"""The accuracy of all peers is measured with the same trained model on the same labelled images."""

from pathlib import Path

import pytest

from edgeclf.benchmarks.peers import accuracy
from edgeclf.benchmarks.peers.accuracy import AccuracyTest
from edgeclf.benchmarks.peers.registry import PIPELINE
from edgeclf.benchmarks.peers.rounds import Peer
from edgeclf.runtime.errors import OptionError
from tests.support.drawings import CLASSES, write_images

TWO = {PIPELINE: Peer("pipeline"), "plain loop": Peer("plain_loop")}


@pytest.fixture(scope="module")
def table(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """For ten images, two of them in the wrong folder; five are enlarged, one of these from the wrong folder."""
    folder = tmp_path_factory.mktemp("accuracy")
    data = write_images(folder / "data", 5)
    disc, square = (data / label for label in CLASSES)
    for number in (0, 1):
        (disc / f"disc{number:03}.png").rename(square / f"disc{number:03}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accuracy, "PIXELS", 20_000)
        patch.setattr(accuracy, "MOST", 5)
        return AccuracyTest.open(run_folder, data).table(TWO, folder)


def test_every_peer_classifies_the_images_as_they_are_and_enlarged(table: str) -> None:
    assert table.splitlines()[0] == "| accuracy | 10 as they are | as edgeclf | 5 of 12 megapixels | as edgeclf |"
    assert "| edgeclf | 80.0% |  | 80.0% |  |" in table


def test_a_wrong_label_lowers_the_accuracy_but_not_the_agreement(table: str) -> None:
    assert "| plain loop | 80.0% | 100.0% | 80.0% | 100.0% |" in table


def test_a_folder_without_the_classes_of_the_model_is_refused(run_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="no images in folders called disc, square"):
        AccuracyTest.open(run_folder, tmp_path)


def test_a_run_without_its_exports_is_refused(image_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "model.keras").touch()
    with pytest.raises(OptionError, match=r"has no model\.onnx and no model\.fp32\.tflite"):
        AccuracyTest.open(tmp_path, image_folder)
