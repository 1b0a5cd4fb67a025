"""Small real things that many tests need: generated images, a tiny trained model with its artefacts, the commands."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer
from numpy.typing import NDArray
from typer.testing import CliRunner, Result

from edgeclf.train.quiet import quiet_tensorflow

quiet_tensorflow()

CLASSES = ("disc", "square")
Command = Callable[..., subprocess.CompletedProcess[str]]
Invoke = Callable[..., Result]


def draw(label: str, seed: int, height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    """An image of a disc or a square on noise: uint8 `[height, width, 3]` RGB."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 90, (height, width, 3), dtype=np.uint8)
    radius = min(height, width) // 4
    centre = (int(rng.integers(radius, width - radius)), int(rng.integers(radius, height - radius)))
    colour = tuple(int(level) for level in rng.integers(150, 256, 3))
    if label == "disc":
        cv2.circle(image, centre, radius, colour, -1)
    else:
        corner = (centre[0] - radius, centre[1] - radius)
        cv2.rectangle(image, corner, (centre[0] + radius, centre[1] + radius), colour, 2)
    return image


def encode(image: NDArray[np.generic], extension: str = ".png", *parameters: int) -> bytes:
    """RGB, grey or RGBA pixels as the bytes of a file."""
    if image.ndim == 3 and image.shape[2] >= 3:
        image = image[..., [2, 1, 0, *range(3, image.shape[2])]]
    done, data = cv2.imencode(extension, image, parameters)
    assert done
    return bytes(data)


def write_images(folder: Path, per_class: int, extension: str = ".png", first_seed: int = 0) -> Path:
    """`folder/disc` and `folder/square` with `per_class` images each."""
    for label in CLASSES:
        (folder / label).mkdir(parents=True)
        for number in range(per_class):
            seed = first_seed + number + 10_000 * CLASSES.index(label)
            (folder / label / f"{label}{number:03}{extension}").write_bytes(encode(draw(label, seed), extension))
    return folder


@pytest.fixture(scope="session")
def image_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 60 labelled images, 30 a class. Read only."""
    return write_images(tmp_path_factory.mktemp("images") / "shapes", 30)


@pytest.fixture(scope="session")
def run_folder(image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training run with every artefact exported beside `model.keras`. Read only; copy what you change."""
    from edgeclf.export.parity import Limits
    from edgeclf.export.run import export
    from edgeclf.export.targets import choose_targets
    from edgeclf.runtime.images.preprocess import Preprocess
    from edgeclf.train.networks.architectures import ConvNet
    from edgeclf.train.recipes import Recipe
    from edgeclf.train.run import train

    folder = tmp_path_factory.mktemp("run")
    recipe = Recipe(ConvNet(filters=(8, 16), dropout=0.0), epochs=20, batch=8, learning_rate=0.01)
    run = train(image_folder, folder, Preprocess((32, 32)), recipe)
    result = export(run.model, folder, choose_targets((), ("fp32", "fp16", "dynamic", "int8")), Limits())
    assert result.passed, result.parities
    return folder


@pytest.fixture(scope="session")
def onnx_model(run_folder: Path) -> Path:
    return run_folder / "model.onnx"


@pytest.fixture(scope="session")
def int8_model(run_folder: Path) -> Path:
    return run_folder / "model.int8.tflite"


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Run an installed command, such as `command("clf-run", "--help")`, in the test's own folder."""

    def run(name: str, *arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
        settings: dict[str, object] = {"cwd": tmp_path, "timeout": 300, "env": os.environ | {"NO_COLOR": "1"}} | options
        line = [str(Path(sys.executable).with_name(name)), *map(os.fspath, map(_as_argument, arguments))]
        return subprocess.run(line, capture_output=True, text=True, errors="surrogateescape", check=False, **settings)  # type: ignore[call-overload, no-any-return]

    return run


@pytest.fixture
def fresh_python(tmp_path: Path) -> Callable[..., str]:
    """Run a script in a new interpreter, in the test's own folder, and return what it printed."""

    def run(script: str, *arguments: object) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", script, *map(str, arguments)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def in_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[typer.Typer], Invoke]]:
    """`in_process(app)` is the command in this process, which has TensorFlow already, and in the test's own folder."""
    handler = signal.getsignal(signal.SIGTERM)
    monkeypatch.setenv("EDGECLF_VERBOSE", "1")  # leaves this process's stderr where pytest wants it
    monkeypatch.chdir(tmp_path)
    yield lambda app: lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def full_disk() -> Callable[[int], AbstractContextManager[None]]:
    """`with full_disk(1000):` no file of this process grows beyond 1000 bytes."""

    @contextmanager
    def limit(size_bytes: int) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limit


def _as_argument(argument: object) -> str | Path:
    return argument if isinstance(argument, str | Path) else str(argument)
