"""Are they right as often? Every candidate with a trained model on labelled images, as they are and enlarged."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeclf.benchmarks.peers.reading import photographs
from edgeclf.benchmarks.peers.registry import PIPELINE
from edgeclf.benchmarks.peers.rounds import Candidate, answers
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
"""Labelled images that are enlarged: a second each on one core."""


@dataclass(frozen=True)
class Exam:
    """A trained model in all formats, and labelled images that it has not seen."""

    run: Path
    classes: tuple[str, ...]
    paths: tuple[str, ...]

    @classmethod
    def open(cls, run: Path, data: Path) -> "Exam":
        """run: as `clf-train` and `clf-export` leave it. data: a folder for each class. Raises OptionError, ModelError."""
        if missing := [name for name in MODELS if not (run / name).is_file()]:
            raise OptionError(f"--run {run} holds no {' and no '.join(missing)}; make them with clf-train and clf-export")
        card = Classifier.open(run / "model.onnx", device="cpu").card
        if card.preprocess.channels != 3:
            raise OptionError(f"--run {run} holds a model for grey images, and the peers read coloured ones")
        paths = tuple(path for path, is_image in walk(str(data)) if is_image and Path(path).parent.name in card.classes)
        if not paths:
            raise OptionError(f"--data {data} holds no images in folders called {', '.join(card.classes)}")
        return cls(run, card.classes, paths)

    def table(self, candidates: Mapping[str, Candidate], folder: Path) -> str:
        """Accuracy of each candidate, and the share of images that it answers as edgeclf does. folder: for large files."""
        few = self.paths[:: -(-len(self.paths) // MOST)]
        columns = [
            self._sit(candidates, self._job(folder / "as_they_are", self.paths, read_file)),
            self._sit(candidates, self._job(folder / "enlarged", few, lambda path: enlarged(read_file(path), PIXELS))),
        ]
        titles = (f"{len(self.paths)} as they are", "as edgeclf", f"{len(few)} of 12 megapixels", "as edgeclf")
        return table(("accuracy", *titles), [(name, *columns[0][name], *columns[1][name]) for name in candidates])

    def _sit(self, candidates: Mapping[str, Candidate], job: Path) -> dict[str, tuple[str, str]]:
        truth = [self.classes.index(path.parent.name) for path in photographs(job)]
        found = answers(candidates, job)
        return {
            name: (f"{_share(given, truth):.1%}", "" if name == PIPELINE else f"{_share(given, found[PIPELINE]):.1%}")
            for name, given in found.items()
        }

    def _job(self, job: Path, paths: Sequence[str], convert: Callable[[str], bytes]) -> Path:
        """A folder as candidates take it; the images are called by their numbers, since all sort those alike."""
        for label in self.classes:
            (job / "photographs" / label).mkdir(parents=True)
        for name in MODELS:
            shutil.copy(self.run / name, job)

        def write(numbered: tuple[int, str]) -> None:
            number, path = numbered
            data, label = convert(path), Path(path).parent.name
            (job / "photographs" / label / f"{number:06}{Path(path).suffix}").write_bytes(data)

        with Progress("images", len(paths)) as progress:
            for _ in ordered_map(write, enumerate(paths), usable_cores()):
                progress.advance()
        return job


def _share(given: list[int], expected: list[int]) -> float:
    return sum(one == other for one, other in zip(given, expected, strict=True)) / len(expected)
