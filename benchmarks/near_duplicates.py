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
from edgeclf.train.data.alignment import SIDE, Floats, likeness, shared_by_all
from edgeclf.train.data.duplicates import look_alikes
from edgeclf.train.data.model_copies import MIN_LIKENESS, NEIGHBOURS, candidates

app = command_app()
Pair = tuple[int, int]
_RESAMPLES = 1000
_GENERATED = 200
_LEVELS = (0.97, MIN_LIKENESS, 0.99)
_EXPLAINED = """\
An altered copy of each image is compared with all images, once for each kind of copy. `hashes`: found without a model.
`nearest`: the one is among the {neighbours} largest cosines of the other. The rest: the share found, by the least likeness;
`clf-check` takes {level}. `other pairs`: what is reported of the images alone, for 1,000 images, real duplicates among them.
With 95 % bootstrap intervals over the images.

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
    rows, grey = scaled_to_1(classifier.embed(images)), _grey(images, SIDE)
    tried = candidates(rows)
    scores = _likenesses(tried, grey, grey)
    others = [[pair for pair, score in zip(tried, scores, strict=True) if score >= level] for level in _LEVELS]
    for kind, alter in KINDS.items():
        copies = [alter(image, rng) for image in images]
        near = _are_near(rows, scaled_to_1(classifier.embed(copies)))
        alike = np.array(_likenesses([(number, number) for number in range(len(images))], grey, _grey(copies, SIDE)))
        found = (_by_hash(images, copies), near, *(near & (alike >= level) for level in _LEVELS))
        yield [f"{name}, {len(images)}", kind, *map(_share, found)]
    yield [f"{name}, {len(images)}", "other pairs", "", f"{len(tried)}", *(_others(pairs, len(images)) for pairs in others)]


def _are_near(originals: Floats, copies: Floats) -> NDArray[np.bool_]:
    """Whether each copy would be compared with its original if it were the only copy among the images."""
    own = (originals * copies).sum(1)
    closer_to_copy = (copies @ originals.T > own[:, None]).sum(1)
    closer_to_original = (originals @ originals.T > own[:, None]).sum(1) - 1  # itself
    return np.asarray(np.minimum(closer_to_copy, closer_to_original) < NEIGHBOURS)


def _by_hash(images: list[Pixels], copies: list[Pixels]) -> NDArray[np.bool_]:
    groups = look_alikes(_grey([*images, *copies], 32))
    group_of = {index: number for number, group in enumerate(groups) for index in group}
    count = len(images)
    return np.array([index in group_of and group_of[index] == group_of.get(index + count) for index in range(count)])


def _likenesses(pairs: list[Pair], ones: Pixels, others: Pixels) -> list[float]:
    """pairs: of indexes into `ones` and `others`, uint8 `[N, SIDE, SIDE]`."""
    shared = shared_by_all(ones)
    return list(ordered_map(lambda pair: likeness(ones[pair[0]], others[pair[1]], shared), pairs, usable_cores()))


def _grey(images: list[Pixels], side: int) -> Pixels:
    small = [
        cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (side, side), interpolation=cv2.INTER_AREA) for image in images
    ]
    return np.array(small, np.uint8)


def _share(found: NDArray[np.bool_]) -> str:
    count = len(found)
    return _with_interval(100 * found.mean(), [100 * found[drawn].mean() for drawn in _resamples(count)], "%")


def _others(pairs: list[Pair], count: int) -> str:
    """Pairs of images, for 1,000 images."""
    ends = np.array(pairs, np.int64).reshape(-1, 2)
    times = (np.bincount(drawn, minlength=count) for drawn in _resamples(count))
    resampled = [1000 / count * float((weight[ends[:, 0]] * weight[ends[:, 1]]).sum()) for weight in times]
    return _with_interval(1000 / count * len(ends), resampled, "")


def _resamples(count: int) -> Iterator[NDArray[np.int64]]:
    rng = np.random.default_rng(0)
    return (rng.integers(count, size=count) for _ in range(_RESAMPLES))


def _with_interval(value: float, resampled: list[Any], unit: str) -> str:
    low, high = np.quantile(resampled, [0.025, 0.975])
    return f"{value:.1f}{unit} ({low:.1f} to {high:.1f})"


if __name__ == "__main__":
    app()
