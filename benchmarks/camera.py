"""Pictures as cameras make them: what the default resize saves against decoding every pixel, and what it does to answers.

A part of `python -m edgeclf.benchmarks.throughput`.
"""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from edgeclf.benchmarks.peers.full_decode import FullDecode
from edgeclf.benchmarks.peers.rounds import Candidate, measure, rate, ratio
from edgeclf.benchmarks.photographs import enlarged, write_photographs
from edgeclf.benchmarks.results import table
from edgeclf.runtime.cores import usable_cores
from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.frames.decode import read_file
from edgeclf.runtime.frames.folders import walk
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.runtime.pipeline import ordered_map
from edgeclf.runtime.progress import Progress

OURS, FULL = "edgeclf", "full decode + bilinear"
SIZES = {(3000, 4000): 24, (1080, 1920): 48}
"""Generated JPEGs of each height and width."""
PIXELS = 12_000_000
MOST = 300
"""Labelled pictures that are enlarged: a second each on one core."""
_Enlarge = Callable[[bytes], bytes]


def rates(folder: Path, rounds: int) -> str:
    """A table of both in the same pipeline, with `folder/model.onnx`."""
    rows = []
    for (height, width), count in SIZES.items():
        place = folder / f"{width}x{height}"
        write_photographs(place / "photographs", count, height, width)
        shutil.copy(folder / "model.onnx", place)
        measured = measure({OURS: Candidate("pipeline"), FULL: Candidate("full_decode")}, place, rounds)
        ratios = ratio(measured, OURS, FULL)
        rows.append((f"{count} of {width} x {height}", rate(measured, OURS), rate(measured, FULL), ratios))
    return table(("generated JPEGs", OURS, FULL, "edgeclf is times as fast"), rows)


def answers(model: Path, data: Path) -> str:
    """A table of a trained model's accuracy on a labelled folder, through its own preprocessing and through the other.

    Raises OptionError when no sub-folder of `data` is called as one of its classes.
    """
    own = Classifier.open(model)
    full = Classifier(own.backend, replace(own.card, preprocess=FullDecode.like(own.card.preprocess)))
    paths = [path for path, is_picture in walk(str(data)) if is_picture and Path(path).parent.name in own.card.classes]
    if not paths:
        raise OptionError(f"--data {data} holds no pictures in folders called {', '.join(own.card.classes)}")
    few = paths[:: -(-len(paths) // MOST)]
    rows = [
        _row(f"{len(paths)}, as they are", paths, own, full, lambda data: data),
        _row(f"{len(few)}, enlarged to 12 megapixels", few, own, full, lambda data: enlarged(data, PIXELS)),
    ]
    return table(("pictures", f"accuracy of {OURS}", FULL, "other answers"), rows)


def _row(title: str, paths: list[str], own: Classifier, full: Classifier, enlarge: _Enlarge) -> tuple[str, ...]:
    def labels(path: str) -> tuple[str, str, str]:
        data = enlarge(read_file(path))
        return Path(path).parent.name, own.predict(data).label, full.predict(data).label

    with Progress(title, len(paths)) as progress:
        found = []
        for answered in ordered_map(labels, paths, usable_cores()):
            found.append(answered)
            progress.advance()
    shares = [sum(answered[0] == answered[which] for answered in found) / len(found) for which in (1, 2)]
    changed = sum(one != other for _, one, other in found)
    return (title, *(f"{share:.1%}" for share in shares), f"{changed}")
