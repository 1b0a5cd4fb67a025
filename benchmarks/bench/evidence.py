"""Which images a benchmark answers and reads: always real ones where there are any, and never those of the training."""

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
from edgeclf.train.data.archives import unpacked
from edgeclf.train.data.arrays import Arrays, load
from edgeclf.train.data.dataset import SPLIT_NAME, Split, as_split, find, labelled, read_split
from edgeclf.train.keras_file.samples import read_samples

READ = 200
"""Files that are read again and again; the system keeps them in memory."""
GENERATED, SIZE_HW = 100, (375, 500)


@dataclass(frozen=True)
class Evidence:
    """read: files to measure the speed on; all of them can be read. labelled: gives images with labels as a model's
    preprocessing makes them; None where there are none. origin: what they are, for people.
    """

    read: tuple[str, ...]
    labelled: Callable[[Preprocess], Arrays] | None
    origin: str


@contextmanager
def gather(models: Sequence[Path], card: ModelCard, data: Path | None, limit: int) -> Iterator[Evidence]:
    """The best images there are, for as long as the block lasts; at most `limit` with labels, spread evenly.

    `data`, where given: its test part, or without one its validation part, or without any parts all of it. Otherwise the
    test part of the training run that one of the models lies in, as long as its images are there. Otherwise the
    validation samples inside a `.keras` file that is one of the models, or lies beside one; speed is then measured on
    generated images. `models`: the reference first. Raises DatasetError for `data` that cannot be used.
    """
    if data is not None:
        with unpacked(data) as root:
            yield _of_part(*_held_out(root, card, data), limit)
        return
    for split in dict.fromkeys(model.with_name(SPLIT_NAME) for model in models):
        part = read_split(split, "test", card.classes) if split.is_file() else Split((), ())
        if len(part) and all(map(os.path.exists, part.paths)):
            yield _of_part(part, f"the test part in {split}", limit)
            return
        if len(part):
            note(f"the images of the test part in {split} are not all there any more; name others with --data DIR")
    with TemporaryDirectory(prefix="edgeclf-") as folder:
        write_photographs(Path(folder), GENERATED, *SIZE_HW)
        files = tuple(sorted(map(str, Path(folder).rglob("*.jpg"))))
        generated = f"generated JPEGs of {SIZE_HW[1]} x {SIZE_HW[0]}"
        for keras in dict.fromkeys(model.with_name(f"{model.name.partition('.')[0]}.keras") for model in models):
            if keras.is_file() and len(read_samples(keras, "verification", card.preprocess)):
                origin = f"the validation samples inside {keras}; speed on {generated}"
                yield Evidence(files, _samples(keras, card), origin)
                return
        yield Evidence(files, None, f"speed on {generated}; for accuracy, name labelled images with --data DIR")


def _held_out(root: Path, card: ModelCard, data: Path) -> tuple[Split, str]:
    """What training has not fitted, as far as the folders tell."""
    found, _ = find(root)
    name = next((name for name in ("test", "val") if name in found), "train")
    part = as_split(labelled(found.get(name, {}), card.classes, data))
    if not len(part):
        raise DatasetError(f"{data} holds no labelled images; pass a folder with one sub-folder per class")
    return part, f"the {name} part of {data}" if len(found) > 1 or name != "train" else str(data)


def _of_part(part: Split, origin: str, limit: int) -> Evidence:
    chosen = _spread(part, limit)
    read = load(_spread(part, READ), Preprocess((8, 8)), "images").paths  # what cannot be read is quick to fail
    counted = f"all {len(part):,} images" if len(chosen) == len(part) else f"{len(chosen):,} of {len(part):,} images"
    return Evidence(read, lambda preprocess: load(chosen, preprocess, "images"), f"{counted} of {origin}")


def _samples(keras: Path, card: ModelCard) -> Callable[[Preprocess], Arrays]:
    def read(preprocess: Preprocess) -> Arrays:
        if preprocess != card.preprocess:
            raise DatasetError(f"a model takes other images than the samples inside {keras}; name some with --data DIR")
        return read_samples(keras, "verification", preprocess)

    return read


def _spread(part: Split, most: int) -> Split:
    chosen = np.linspace(0, len(part) - 1, min(most, len(part))).astype(int)
    return Split(tuple(part.paths[i] for i in chosen), tuple(part.labels[i] for i in chosen))
