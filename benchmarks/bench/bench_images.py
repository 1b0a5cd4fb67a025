"""Which images a benchmark uses: real ones if there are any, and never those that the model was trained on."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from edgeclf.benchmarks.photographs import write_photographs
from edgeclf.runtime.errors import DatasetError
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.model.card import ModelCard
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.plural import plural
from edgeclf.train.data.archives import unpacked
from edgeclf.train.data.arrays import Arrays, load
from edgeclf.train.data.dataset import SPLIT_NAME, Split, as_split, find, labelled, read_split
from edgeclf.train.keras_file.samples import read_samples

SPEED_FILES = 200
"""Files that are read again and again; they stay in the system's file cache."""
GENERATED, SIZE_HW = 100, (375, 500)


@dataclass(frozen=True)
class BenchImages:
    """files: readable image files to measure the speed on. load_labelled: loads the labelled images with a model's
    preprocessing; None if there are none. description: what the images are, for people.
    """

    files: tuple[str, ...]
    load_labelled: Callable[[Preprocess], Arrays] | None
    description: str


@contextmanager
def find_images(models: Sequence[Path], card: ModelCard, data: Path | None, limit: int) -> Iterator[BenchImages]:
    """The best images available, while the block lasts; at most `limit` labelled ones, spread evenly.

    The first of these that exists:
    1. `data`: its test split, else its validation split, else all of it.
    2. The test split of the training run that one of the models lies in, if all of its images still exist.
    3. The validation samples inside a `.keras` file that is one of the models or lies beside one. The speed is then measured
       on generated images.
    4. Generated images, without labels.
    models: the reference model first. Raises DatasetError for `data` that cannot be used.
    """
    if data is not None:
        with unpacked(data) as root:
            yield _from_split(*_held_out(root, card, data), limit)
    elif from_run := _from_run(models, card, limit):
        yield from_run
    else:
        with TemporaryDirectory(prefix="edgeclf-") as folder:
            yield _generated(Path(folder), models, card)


def check_data(data: Path | None) -> None:
    """Raise DatasetError for what does not exist, before any model is opened."""
    if data is not None and not data.exists():
        find(data)


def _no_labelled_images(data: Path) -> DatasetError:
    return DatasetError(f"{data} has no labelled images; pass a folder with one sub-folder per class")


def _held_out(root: Path, card: ModelCard, data: Path) -> tuple[Split, str]:
    """The split that training has not used, as far as the folders tell, and its description."""
    found = find(root)
    name = next((name for name in ("test", "val") if name in found), "train")
    split = as_split(labelled(found.get(name, {}), card.classes, data))
    if not len(split):
        raise _no_labelled_images(data)
    return split, f"the {name} split of {data}" if len(found) > 1 or name != "train" else str(data)


def _from_run(models: Sequence[Path], card: ModelCard, limit: int) -> BenchImages | None:
    """The test split of the training run that one of the models lies in."""
    for path in dict.fromkeys(model.with_name(SPLIT_NAME) for model in models):
        split = read_split(path, "test", card.classes) if path.is_file() else Split((), ())
        if len(split) and all(map(os.path.exists, split.paths)):
            return _from_split(split, f"the test split in {path}", limit)
        if len(split):
            note(f"some images of the test split in {path} no longer exist; name other images with --data DIR")
    return None


def _generated(folder: Path, models: Sequence[Path], card: ModelCard) -> BenchImages:
    write_photographs(folder, GENERATED, *SIZE_HW)
    files = tuple(sorted(map(str, folder.rglob("*.jpg"))))
    generated = f"generated JPEGs of {SIZE_HW[1]} x {SIZE_HW[0]}"
    for keras in dict.fromkeys(model.with_name(f"{model.name.partition('.')[0]}.keras") for model in models):
        if keras.is_file() and len(read_samples(keras, "verification", card.preprocess)):
            description = f"the validation samples inside {keras}; speed on {generated}"
            return BenchImages(files, _samples(keras, card), description)
    return BenchImages(files, None, f"speed on {generated}; to measure accuracy, name labelled images with --data DIR")


def _from_split(split: Split, description: str, limit: int) -> BenchImages:
    chosen = _spread(split, limit)
    # Finds the files that can be read; the tiny size keeps that cheap.
    files = load(_spread(split, SPEED_FILES), Preprocess((8, 8)), "images").paths
    total = plural(len(split), "image")
    counted = f"all {total}" if len(chosen) == len(split) else f"{len(chosen):,} of {total}"
    return BenchImages(files, lambda preprocess: load(chosen, preprocess, "images"), f"{counted} of {description}")


def _samples(keras: Path, card: ModelCard) -> Callable[[Preprocess], Arrays]:
    def load_samples(preprocess: Preprocess) -> Arrays:
        if preprocess != card.preprocess:
            raise DatasetError(
                f"the samples inside {keras} do not fit a model with other preprocessing; name images with --data DIR"
            )
        return read_samples(keras, "verification", preprocess)

    return load_samples


def _spread(split: Split, most: int) -> Split:
    chosen = np.linspace(0, len(split) - 1, min(most, len(split))).astype(int)
    return Split(tuple(split.paths[i] for i in chosen), tuple(split.labels[i] for i in chosen))
