"""Has Pillow's resize the same bytes without Pillow, and what does it cost?

`python -m edgeclf.benchmarks.pillow_resize [DATA]`: a folder of images, or generated photographs.
"""

import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, get_args

import cv2
import numpy as np
import PIL
import typer
from PIL import Image

from edgeclf.benchmarks.photographs import photograph
from edgeclf.benchmarks.results import publish_section, table
from edgeclf.runtime.allocator import keep_freed_memory
from edgeclf.runtime.cores import usable_cores
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.images.pillow_resize import resize_as_pillow
from edgeclf.runtime.images.pillow_weights import PillowFilter
from edgeclf.runtime.terminal.console import command_app, friendly_errors, print_data
from edgeclf.runtime.terminal.progress import Progress

app = command_app()

FILTERS: tuple[PillowFilter, ...] = get_args(PillowFilter)
Size = tuple[int, int]
SIZES: tuple[tuple[Size | None, Size], ...] = (
    (None, (224, 224)),
    (None, (256, 341)),
    (None, (96, 96)),
    (None, (480, 640)),
    ((1080, 1920), (224, 224)),
    ((3000, 4000), (224, 224)),
)
"""Height and width of the image (None: as it is) and of the result."""


@dataclass(frozen=True)
class Measured:
    """pillow_ms: per image. ratio: by what that is multiplied here. differing: bytes of all results."""

    pillow_ms: float
    ratio: float
    differing: int


@app.command()
def pillow_resize(
    data: Annotated[Path | None, typer.Argument(help="A folder of images.", show_default="generated photographs")] = None,
    images: Annotated[int, typer.Option(help="Images for each size; a tenth of them for large ones.")] = 100,
    rounds: Annotated[int, typer.Option(help="Rounds, in which both take turns.")] = 3,
) -> None:
    """Measure, print the tables, and write them to benchmarks/results.md."""
    with friendly_errors():
        keep_freed_memory()
        cv2.setNumThreads(1)
        stored = _images(data, images)
        threads = usable_cores()
        text = (
            f"The processor time of `pillow-*`, divided by that of Pillow {PIL.__version__} (in brackets), for "
            f"{len(stored)} images in colour, and for {len(stored[::10])} of them enlarged. Medians of {rounds} rounds; "
            "each image is resized by both, one after the other. In one thread:\n\n"
            + _table(stored, rounds, 1)
            + f"\nIn {threads} threads at once:\n\n"
            + _table(stored, rounds, threads)
        )
        publish_section("Pillow's resize", "edgeclf.benchmarks.pillow_resize", text)
        print_data(text)


def _images(data: Path | None, count: int) -> list[Pixels]:
    if data is None:
        return [photograph(375, 500, seed) for seed in range(count)]
    return [np.asarray(Image.open(path).convert("RGB")) for path in sorted(data.rglob("*.jpg"))[:count]]


def _table(stored: list[Pixels], rounds: int, threads: int) -> str:
    rows = []
    with Progress("resizing", len(SIZES), "size") as progress:
        for source, target in SIZES:
            images = stored if source is None else [_enlarged(pixels, source) for pixels in stored[::10]]
            name = f"{_show(source) if source else 'as stored'} to {_show(target)}"
            rows.append((name, *(_cell(measure(images, target, filter_, rounds, threads)) for filter_ in FILTERS)))
            progress.advance()
    return table(("size", *(f"pillow-{name}" for name in FILTERS)), rows)


def measure(images: Sequence[Pixels], size_hw: Size, name: PillowFilter, rounds: int, threads: int) -> Measured:
    """Both resize each image, one after the other; all threads at once, each on its own images."""
    shares = [images[number::threads] for number in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        parts = list(pool.map(lambda share: _measure_share(share, size_hw, name, rounds), shares))
    times = [pair for pairs, _ in parts for pair in pairs]
    return Measured(
        statistics.median(theirs for theirs, _ in times) * 1e3,
        statistics.median(ours / theirs for theirs, ours in times),
        sum(differing for _, differing in parts),
    )


def _measure_share(
    images: Sequence[Pixels], size_hw: Size, name: PillowFilter, rounds: int
) -> tuple[list[tuple[float, float]], int]:
    """Processor seconds of Pillow and of ours for each image and round, and how many bytes differ."""
    method, times, differing = Image.Resampling[name.upper()], [], 0
    for turn in range(rounds):
        for pixels in images:
            image = Image.fromarray(pixels)
            started = time.thread_time()
            theirs = image.resize(size_hw[::-1], method)
            between = time.thread_time()
            ours = resize_as_pillow(pixels, size_hw, name)
            times.append((between - started, time.thread_time() - between))
            differing += int((ours != np.asarray(theirs)).sum()) if turn == 0 else 0
    return times, differing


def _enlarged(pixels: Pixels, size_hw: Size) -> Pixels:
    return np.asarray(cv2.resize(pixels, size_hw[::-1], interpolation=cv2.INTER_CUBIC), np.uint8)


def _cell(measured: Measured) -> str:
    exact = f"{measured.differing:,} bytes differ" if measured.differing else "no byte differs"
    return f"{measured.ratio:.2f} ({measured.pillow_ms:.2f} ms; {exact})"


def _show(size_hw: Size) -> str:
    return f"{size_hw[1]} x {size_hw[0]}"


if __name__ == "__main__":
    app()
