"""Folders of tiny real images, arrays without files, and `clf-train` and `clf-check` in this process."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer
from typer.testing import Result

from edgeclf.train.data.arrays import Arrays

LayOut = Callable[..., Path]
Invoke = Callable[..., Result]


@pytest.fixture
def lay_out(tmp_path: Path) -> LayOut:
    """`lay_out({"train/cat": 3, ...})` writes that many images of noise to each folder below `tmp_path/data`."""

    def write(counts: dict[str, int], height: int = 20, width: int = 24) -> Path:
        rng = np.random.default_rng(len(counts))
        for folder, count in counts.items():
            (tmp_path / "data" / folder).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
                (tmp_path / "data" / folder / f"{number:02}.png").write_bytes(bytes(cv2.imencode(".png", pixels)[1]))
        return tmp_path / "data"

    return write


@pytest.fixture(scope="session")
def make_arrays() -> Callable[..., Arrays]:
    """`make_arrays(count, classes, seed)`: noise with random labels, so that there is nothing to learn."""

    def make(
        count: int, classes: int = 2, seed: int = 0, shape: tuple[int, int, int] = (12, 16, 3), highest: int = 255
    ) -> Arrays:
        rng = np.random.default_rng(seed)
        images = rng.integers(0, highest + 1, (count, *shape), dtype=np.uint8)
        return Arrays(images, rng.permutation(np.arange(count) % classes), tuple(f"{n}.png" for n in range(count)))

    return make


@pytest.fixture
def clf_train(in_process: Callable[[typer.Typer], Invoke]) -> Invoke:
    """`clf_train("photos", "-o", ...)`, or `clf_train("evaluate", ...)`."""
    from edgeclf.train.cli.clf_train import app

    return in_process(app)


@pytest.fixture
def clf_check(in_process: Callable[[typer.Typer], Invoke]) -> Invoke:
    """`clf_check("data", "--json")`."""
    from edgeclf.train.cli.clf_check import app

    return in_process(app)
