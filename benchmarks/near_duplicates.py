"""How many altered copies does `clf-check --near-duplicates` find, and how many other pairs does it report?

`python -m edgeclf.benchmarks.near_duplicates MODEL DATA...`: an exported model with embeddings, and folders of images.
Generated images are always among the data.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import typer
from numpy.typing import NDArray

from edgeclf.benchmarks.photographs import photograph
from edgeclf.benchmarks.results import publish_section, table
from edgeclf.runtime.cores import usable_cores
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.images.encode import encode_image
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.runtime.model.novelty import scaled_to_1
from edgeclf.runtime.pipeline import ordered_map
from edgeclf.runtime.terminal.console import command_app, friendly_errors, print_data
from edgeclf.train.data.alignment import SIDE, likeness, shared_by_all
from edgeclf.train.data.duplicates import look_alikes
from edgeclf.train.data.model_copies import MIN_LIKENESS, NEIGHBOURS, candidates

app = command_app()
Pair = tuple[int, int]
_RESAMPLES = 1000
_GENERATED = 200
_LEVELS = (0.97, MIN_LIKENESS, 0.99)
_EXPLAINED = """\
One altered copy of each image is put among the images, once for each kind of copy. `hashes`: found without a model.
`nearest`: the original is among the {neighbours} largest cosines. The rest, by the least likeness: the share found, and
the other pairs that are reported for 1,000 images, real duplicates among them; `clf-check` takes {level}. With 95 %
bootstrap intervals over the images.

"""


@app.command()
def near_duplicates(
    model: Annotated[Path, typer.Argument(help="An exported file with embeddings.")],
    data: Annotated[list[Path] | None, typer.Argument(help="Folders of images.", show_default=False)] = None,
    most: Annotated[int, typer.Option("--images", help="Images of each folder.")] = 400,
) -> None:
    """Measure, print the table, and write it to benchmarks/results.md."""
    with friendly_errors():
        classifier = Classifier.open(model)
        sets = {folder.name: read(folder, most) for folder in data or []}
        sets["generated"] = [photograph(240, 320, number) for number in range(min(_GENERATED, most))]
        rows = [row for name, images in sets.items() for row in _rows(name, images, classifier)]
        columns = ("images", "copies", "hashes", "nearest", *(f"likeness {level}" for level in _LEVELS))
        text = _EXPLAINED.format(neighbours=NEIGHBOURS, level=MIN_LIKENESS) + table(columns, rows)
        name = model.resolve().parent.name
        publish_section(f"Near-duplicates: {name}", "edgeclf.benchmarks.near_duplicates", text)
        print_data(text)


def read(folder: Path, most: int) -> list[Pixels]:
    """Images of a folder and its sub-folders, uint8 `[h, w, 3]`, chosen at random but always the same."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    order = np.random.default_rng(0).permutation(len(paths))[:most]
    found = [cv2.imdecode(np.fromfile(paths[index], np.uint8), cv2.IMREAD_COLOR_RGB) for index in order]
    return [np.asarray(image, np.uint8) for image in found if image is not None]


def recompressed(image: Pixels, rng: np.random.Generator) -> Pixels:
    """JPEG of quality 30 to 70."""
    return _as_jpeg(image, int(rng.integers(30, 71)))


def cropped(image: Pixels, rng: np.random.Generator) -> Pixels:
    """A part anywhere in the image, whose sides are 5 to 15 % shorter."""
    shares = 1 - rng.uniform(0.05, 0.15, 2)
    height, width = (round(side * share) for side, share in zip(image.shape[:2], shares, strict=True))
    top, left = (int(rng.integers(whole - part + 1)) for whole, part in zip(image.shape[:2], (height, width), strict=True))
    return _as_jpeg(image[top : top + height, left : left + width], 90)


def resized(image: Pixels, rng: np.random.Generator) -> Pixels:
    """0.5 to 0.8 times the size."""
    factor = rng.uniform(0.5, 0.8)
    return _as_jpeg(np.asarray(cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8), 90)


KINDS: dict[str, Callable[[Pixels, np.random.Generator], Pixels]] = {
    "JPEG 30 to 70": recompressed,
    "cropped 5 to 15 %": cropped,
    "resized 0.5 to 0.8": resized,
}


def _as_jpeg(image: Pixels, quality: int) -> Pixels:
    data = np.frombuffer(encode_image(image, ".jpg", quality=quality), np.uint8)
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB), np.uint8)


def _rows(name: str, images: list[Pixels], classifier: Classifier) -> Iterator[list[str]]:
    rng = np.random.default_rng(0)
    embeddings = classifier.embed(images)
    for kind, alter in KINDS.items():
        copies = [alter(image, rng) for image in images]
        pool = [*images, *copies]
        tried = candidates(scaled_to_1(np.concatenate([embeddings, classifier.embed(copies)])))
        scores = dict(zip(tried, _likenesses(pool, tried), strict=True))
        by_hash = [pair for group in look_alikes(_grey(pool, 32)) for pair in _pairs(group)]
        count = len(images)
        found = [[pair for pair, score in scores.items() if score >= level] for level in _LEVELS]
        cells = [_share(pairs, count) for pairs in (by_hash, tried)]
        cells += [f"{_share(pairs, count)}; {_others(pairs, count)}" for pairs in found]
        yield [f"{name}, {count}", kind, *cells]


def _likenesses(pool: list[Pixels], pairs: list[Pair]) -> Iterator[float]:
    details = _grey(pool, SIDE)
    shared = shared_by_all(details)
    return ordered_map(lambda pair: likeness(details[pair[0]], details[pair[1]], shared), pairs, usable_cores())


def _grey(images: list[Pixels], side: int) -> Pixels:
    small = [
        cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (side, side), interpolation=cv2.INTER_AREA) for image in images
    ]
    return np.array(small, np.uint8)


def _pairs(group: tuple[int, ...]) -> Iterator[Pair]:
    return ((one, other) for place, one in enumerate(group) for other in group[place + 1 :])


def _share(pairs: list[Pair], count: int) -> str:
    """Of the copies, those that are reported with their original."""
    hit = np.zeros(count)
    hit[[one for one, other in pairs if other == one + count]] = 1
    return _with_interval(100 * hit.mean(), [100 * hit[drawn].mean() for drawn in _resamples(count)], "%")


def _others(pairs: list[Pair], count: int) -> str:
    """Pairs of images that are no copies by us, for 1,000 images."""
    apart = {(min(one % count, other % count), max(one % count, other % count)) for one, other in pairs}
    ends = np.array([pair for pair in sorted(apart) if pair[0] != pair[1]], np.int64).reshape(-1, 2)
    times = (np.bincount(drawn, minlength=count) for drawn in _resamples(count))
    drawn_pairs = [1000 / count * float((weight[ends[:, 0]] * weight[ends[:, 1]]).sum()) for weight in times]
    return _with_interval(1000 / count * len(ends), drawn_pairs, " others")


def _resamples(count: int) -> Iterator[NDArray[np.int64]]:
    rng = np.random.default_rng(0)
    return (rng.integers(count, size=count) for _ in range(_RESAMPLES))


def _with_interval(value: float, resampled: list[Any], unit: str) -> str:
    low, high = np.quantile(resampled, [0.025, 0.975])
    return f"{value:.1f}{unit} ({low:.1f} to {high:.1f})"


if __name__ == "__main__":
    app()
