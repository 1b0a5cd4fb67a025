"""The accuracy of every peer: with a trained model, on labelled images as they are and enlarged."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeclf.benchmarks.peers.reading import photographs
from edgeclf.benchmarks.peers.registry import PIPELINE
from edgeclf.benchmarks.peers.rounds import Peer, predictions
from edgeclf.benchmarks.photographs import enlarged
from edgeclf.benchmarks.results import table
from edgeclf.runtime.cores import usable_cores
from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.images.decode import read_file
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.runtime.pipeline import ordered_map
from edgeclf.runtime.sources.folders import walk
from edgeclf.runtime.terminal.progress import Progress

MODELS = ("model.keras", "model.onnx", "model.fp32.tflite")
PIXELS = 12_000_000
MOST = 300
"""Labelled images to enlarge; each takes a second on one core."""


@dataclass(frozen=True)
class AccuracyTest:
    """A trained model in all formats, and labelled images that it has not seen."""

    run: Path
    classes: tuple[str, ...]
    paths: tuple[str, ...]

    @classmethod
    def open(cls, run: Path, data: Path) -> "AccuracyTest":
        """run: from `clf-train` and `clf-export`. data: one folder per class. Raises OptionError, ModelError."""
        if missing := [name for name in MODELS if not (run / name).is_file()]:
            raise OptionError(f"--run {run} has no {' and no '.join(missing)}; make them with clf-train and clf-export")
        card = Classifier.open(run / "model.onnx", device="cpu").card
        if card.preprocess.channels != 3:
            raise OptionError(f"--run {run} has a model for grey images, but the peers read colour images")
        paths = tuple(path for path, is_image in walk(str(data)) if is_image and Path(path).parent.name in card.classes)
        if not paths:
            raise OptionError(f"--data {data} has no images in folders called {', '.join(card.classes)}")
        return cls(run, card.classes, paths)

    def table(self, peers: Mapping[str, Peer], folder: Path) -> str:
        """A Markdown table: the accuracy of each peer, and the share of images that it labels as edgeclf does.

        folder: where the images are copied to.
        """
        few = self.paths[:: -(-len(self.paths) // MOST)]
        columns = [
            self._test(peers, self._write_images(folder / "as_they_are", self.paths, read_file)),
            self._test(peers, self._write_images(folder / "enlarged", few, lambda path: enlarged(read_file(path), PIXELS))),
        ]
        titles = (f"{len(self.paths)} as they are", "as edgeclf", f"{len(few)} of 12 megapixels", "as edgeclf")
        return table(("accuracy", *titles), [(name, *columns[0][name], *columns[1][name]) for name in peers])

    def _test(self, peers: Mapping[str, Peer], folder: Path) -> dict[str, tuple[str, str]]:
        labels = [self.classes.index(path.parent.name) for path in photographs(folder)]
        found = predictions(peers, folder)
        return {
            name: (f"{_share(given, labels):.1%}", "" if name == PIPELINE else f"{_share(given, found[PIPELINE]):.1%}")
            for name, given in found.items()
        }

    def _write_images(self, folder: Path, paths: Sequence[str], convert: Callable[[str], bytes]) -> Path:
        """Make a folder with the models and images for the peers. File names are numbers, which every peer sorts alike."""
        for label in self.classes:
            (folder / "photographs" / label).mkdir(parents=True)
        for name in MODELS:
            shutil.copy(self.run / name, folder)

        def write(numbered: tuple[int, str]) -> None:
            number, path = numbered
            data, label = convert(path), Path(path).parent.name
            (folder / "photographs" / label / f"{number:06}{Path(path).suffix}").write_bytes(data)

        with Progress("writing images", len(paths)) as progress:
            for _ in ordered_map(write, enumerate(paths), usable_cores()):
                progress.advance()
        return folder


def _share(given: list[int], expected: list[int]) -> float:
    return sum(one == other for one, other in zip(given, expected, strict=True)) / len(expected)
