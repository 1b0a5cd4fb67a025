"""Untrained models, copies of the trained one, and `clf-export` in this process, which has already loaded TensorFlow."""

import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.model.card import ModelCard
from edgeclf.train.data.arrays import Arrays
from edgeclf.train.data.dataset import scan, write_split
from edgeclf.train.keras_file.saving import save
from edgeclf.train.networks.architectures import ConvNet, head_for
from edgeclf.train.results.evaluation import probabilities
from tests.support.trained_run import KEPT_RUN, export_all

MakeModel = Callable[..., Path]
Invoke = Callable[..., Result]


@pytest.fixture(scope="session")
def run_folder(image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The kept model, exported afresh, since what is tested here is the exporter. Read only; copy what you change."""
    folder = tmp_path_factory.mktemp("run")
    shutil.copy(KEPT_RUN / "model.keras", folder)
    write_split(scan(image_folder), folder / "split.csv")
    export_all(folder / "model.keras")
    return folder


@pytest.fixture(scope="session")
def exported_onnx(run_folder: Path) -> Path:
    return run_folder / "model.onnx"


@pytest.fixture
def trained(run_folder: Path, tmp_path: Path) -> Path:
    """The trained model alone in a folder, without `split.csv` and exported files."""
    (tmp_path / "alone").mkdir()
    return Path(shutil.copy(run_folder / "model.keras", tmp_path / "alone" / "model.keras"))


@pytest.fixture(scope="session")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> MakeModel:
    """`make_model((24, 40), 3, classes=4)`: an untrained network whose answers depend on the image.

    Its samples are labelled with its own answers, so the network is always correct and an export can only be worse.
    """

    def make(
        size_hw: tuple[int, int],
        channels: int = 3,
        classes: int = 2,
        brightest: int = 255,
        kinds: tuple[str, ...] = ("calibration", "verification"),
    ) -> Path:
        rng = np.random.default_rng(channels + classes)
        shape = (*size_hw, channels)
        network = ConvNet((8, 8), dense=(8,), dropout=0.9).build(shape, classes)
        # Statistics as after training: on noise, the initial ones (0 and 1) give the same answers in training mode.
        network.set_weights([weight + rng.normal(0.1, 0.1, weight.shape) ** 2 for weight in network.get_weights()])
        samples = {}
        for kind in kinds:
            levels = rng.uniform(0, brightest, (40, 1, 1, channels))  # every image has its own tint
            images = rng.uniform(0, levels, (40, *shape)).astype(np.uint8)
            samples[kind] = Arrays(images, probabilities(network, images).argmax(axis=1))
        names = tuple("abcdefghij"[:classes])
        path = tmp_path_factory.mktemp("untrained") / "model.keras"
        save(network, ModelCard(names, Preprocess(size_hw, channels), head_for(classes)), samples, path)  # type: ignore[arg-type]
        return path

    return make


@pytest.fixture
def clf_export(monkeypatch: pytest.MonkeyPatch) -> Iterator[Invoke]:
    """`clf_export("model.keras", "-o", ...)` in this process."""
    from edgeclf.export.cli.clf_export import app

    def invoke(*arguments: object) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    handler = signal.getsignal(signal.SIGTERM)
    monkeypatch.setenv("EDGECLF_VERBOSE", "1")  # leaves this process's stderr where pytest wants it
    yield invoke
    signal.signal(signal.SIGTERM, handler)
