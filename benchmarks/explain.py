"""Do heatmaps lie where the answer comes from, and what do they cost?

`python -m edgeclf.benchmarks.explain RUN...`: run folders whose images still exist. A small network is trained on generated
images, too, whose class is a patch at a known place.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import cv2
import numpy as np
import typer
from numpy.typing import NDArray

from edgeclf.runtime.drawing.heatmap import hottest
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.model.occlusion import occlusion_heatmap
from edgeclf.runtime.model.prediction import Prediction
from edgeclf.runtime.terminal.console import command_app, friendly_errors, note, print_data

if TYPE_CHECKING:
    from edgeclf.runtime.model.classifier import Classifier

app = command_app()

Heats = Callable[["Classifier", Pixels], NDArray[np.float32]]
_SIDE, _PATCH = 128, 40
_PATTERNS = ("horizontal", "vertical", "checks", "dots")
_TRAINED, _TESTED = 120, 75
"""Generated images of each class."""
_DELETED = 0.2
_FILES = {"onnx": "fp32", "tflite": "int8"}
_RESAMPLED = 5_000
_PLACES = f"""\
Four patterns of {_PATCH} x {_PATCH} pixels, at random places of generated images of {_SIDE} x {_SIDE} pixels; a small CNN.
`on the patch`: the share of the {_TESTED * len(_PATTERNS)} test images on which the hottest place of the map of the answer
lies on the patch, which covers {_PATCH**2 / _SIDE**2:.0%} of the image; 95 % interval (Wilson).

"""
_DELETION = f"""\
How much less probable the answer becomes when the {_DELETED:.0%} hottest pixels take the image's mean colour, in percentage
points, mean over the test images; and how much more that is than for random places of the same coarseness, and for the
centre: mean of the differences with a 95 % interval (bootstrap over images).

"""
_COST = """\
One image on one thread: median of the ratios to the same file without asking for heatmaps, over {rounds} interleaved
rounds, with quartiles.

"""


@app.command()
def explain(
    runs: Annotated[list[Path] | None, typer.Argument(help="Run folders.", show_default=False)] = None,
    rounds: Annotated[int, typer.Option(min=20, help="Rounds for the cost.")] = 300,
) -> None:
    """Measure, print the tables, and write them to benchmarks/results.md."""
    with friendly_errors(), tempfile.TemporaryDirectory() as name:
        from edgeclf.benchmarks.results import publish_section, table
        from edgeclf.train.quiet import import_keras

        import_keras()
        folder = Path(name)
        generated = train_on_patches(folder)
        places = [row for file in files_of(generated, folder / "patches") for row in place_rows(file)]
        deletions: list[list[str]] = []
        costs: list[list[str]] = []
        for run in runs or []:
            images = images_of(run)
            for file in files_of(run / "model.keras", folder / run.resolve().name):
                deletions += deletion_rows(run.resolve().name, file, images)
                costs.append(cost_row(run.resolve().name, file, images[:1], rounds))
        text = _PLACES + table(("file", "maps", "on the patch"), places)
        if deletions:
            columns = ("run", "file", "maps", "hottest", "more than random", "more than central")
            text += "\n" + _DELETION + table(columns, deletions)
            text += "\n" + _COST.format(rounds=rounds) + table(("run", "file", "with heatmaps"), costs)
        publish_section("Heatmaps", "edgeclf.benchmarks.explain", text)
        print_data(text)


def patches(label: int, seed: int) -> tuple[Pixels, tuple[int, int]]:
    """An image with a patch of a class, uint8 `[128, 128, 3]`, and the row and column where the patch begins."""
    from edgeclf.benchmarks.photographs import photograph

    rng = np.random.default_rng((seed, label))
    image = photograph(_SIDE, _SIDE, seed * len(_PATTERNS) + label)
    row, column = (int(rng.integers(0, _SIDE - _PATCH)) for _ in range(2))
    y, x = np.mgrid[:_PATCH, :_PATCH] // 4
    masks = {"horizontal": y % 2, "vertical": x % 2, "checks": (x + y) % 2, "dots": (x % 2) * (y % 2)}
    dark, bright = rng.integers(0, 100, 3), rng.integers(156, 256, 3)
    patch = np.where(masks[_PATTERNS[label]][..., None] == 1, bright, dark)
    image[row : row + _PATCH, column : column + _PATCH] = patch
    return image, (row, column)


def train_on_patches(folder: Path) -> Path:
    """The trained model."""
    from edgeclf.runtime.images.encode import encode_image
    from edgeclf.runtime.images.preprocess import Preprocess
    from edgeclf.train.config import TrainingConfig
    from edgeclf.train.networks.architectures import ConvNet
    from edgeclf.train.recipes import Recipe
    from edgeclf.train.run import train

    for label, name in enumerate(_PATTERNS):
        (folder / "images" / name).mkdir(parents=True)
        for seed in range(_TRAINED):
            path = folder / "images" / name / f"{seed:03}.png"
            path.write_bytes(encode_image(patches(label, seed)[0], ".png"))
    recipe = Recipe(ConvNet(filters=(16, 32, 64), dropout=0.0), epochs=25, batch=16, learning_rate=0.005)
    return train(TrainingConfig(folder / "images", Preprocess((_SIDE, _SIDE)), recipe), folder / "run").model


def files_of(model: Path, folder: Path) -> Iterator["Classifier"]:
    """The files with heatmaps that pass the gate, opened; each for one thread."""
    from edgeclf.export.options import ExportOptions, TargetOptions
    from edgeclf.export.run import export
    from edgeclf.export.targets import choose_targets
    from edgeclf.runtime.model.classifier import Classifier

    for kind, precision in _FILES.items():
        targets = choose_targets(TargetOptions(formats=(kind,), precisions=(precision,)))
        done = export(model, folder / kind, targets, ExportOptions(outputs=("all",)))
        found = list((folder / kind).glob(f"*.{kind}"))
        if not done.passed or not found:
            note(f"{kind} {precision} of {model} with heatmaps misses the gate, and is left out")
            continue
        yield Classifier.open(found[0], device="cpu", threads=1)


def images_of(run: Path) -> Pixels:
    """The test images of a run, uint8 `[N, H, W, C]`."""
    from edgeclf.train.data.arrays import load
    from edgeclf.train.data.dataset import SPLIT_NAME, read_split
    from edgeclf.train.keras_file.card import read_keras_card

    card = read_keras_card(run / "model.keras")
    return np.asarray(load(read_split(run / SPLIT_NAME, "test", card.classes), card.preprocess, "test").images)


def maps_of_file(classifier: "Classifier", image: Pixels) -> NDArray[np.float32]:
    """The map of the answer, as it is drawn."""
    (row, _, heatmap, _), *_ = classifier.answers(image[None], ("heatmap",))
    return _heat(classifier, row, heatmap)


def occlusion(classifier: "Classifier", image: Pixels) -> NDArray[np.float32]:
    """The same by occlusion."""
    heatmap = occlusion_heatmap(classifier.probabilities, image, classifier.card.preprocess)
    return _heat(classifier, classifier.probabilities(image[None])[0], heatmap)


def _heat(classifier: "Classifier", row: NDArray[np.float32], heatmap: NDArray[np.float32] | None) -> NDArray[np.float32]:
    heat = Prediction(classifier.card.classes, row, heatmap=heatmap).heat()
    assert heat is not None
    return heat


_MAPS: dict[str, Heats] = {"of the file": maps_of_file, "occlusion": occlusion}


def place_rows(classifier: "Classifier") -> Iterator[list[str]]:
    """How often the hottest place lies on the patch."""
    from edgeclf.train.results.intervals import wilson_interval

    tested = [patches(label, _TRAINED + seed) for label in range(len(_PATTERNS)) for seed in range(_TESTED)]
    for name, heats in _MAPS.items():
        hits = [_is_on_patch(heats(classifier, image), place) for image, place in tested]
        low, high = wilson_interval(sum(hits), len(hits))
        yield [_name(classifier), name, f"{np.mean(hits):.1%} ({low:.1%} to {high:.1%})"]


def _is_on_patch(heat: NDArray[np.float32], place: tuple[int, int]) -> bool:
    return all(first <= at < first + _PATCH for at, first in zip(hottest(heat, (_SIDE, _SIDE)), place, strict=True))


def deletion_rows(run: str, classifier: "Classifier", images: Pixels) -> Iterator[list[str]]:
    """What the answer loses with its hottest pixels, and with others."""
    rng = np.random.default_rng(0)
    coarseness = maps_of_file(classifier, images[0]).shape
    random = [rng.random(coarseness, np.float32) for _ in images]
    centre = [_centre(images.shape[1:3])] * len(images)
    others = [_losses(classifier, images, heats) for heats in (random, centre)]
    for name, heats in _MAPS.items():
        found = _losses(classifier, images, [heats(classifier, image) for image in images])
        more = [_with_interval(found - other) for other in others]
        yield [run, _name(classifier), name, f"{100 * found.mean():.1f}", *more]


def _losses(classifier: "Classifier", images: Pixels, heats: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
    """How much less probable the answer becomes, for each image."""
    losses = []
    for image, heat in zip(images, heats, strict=True):
        large = cv2.resize(heat, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        deleted = image.copy()
        deleted[large >= np.quantile(large, 1 - _DELETED)] = image.mean(axis=(0, 1)).round()
        before, after = (classifier.probabilities(one[None])[0] for one in (image, deleted))
        losses.append(float(before.max() - after[before.argmax()]))
    return np.array(losses)


def _centre(size_hw: tuple[int, ...]) -> NDArray[np.float32]:
    """Higher towards the centre."""
    rows, columns = (np.linspace(-1, 1, side, dtype=np.float32) for side in size_hw)
    return -np.maximum(np.abs(rows)[:, None], np.abs(columns)[None])


def _with_interval(differences: NDArray[np.float64]) -> str:
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(differences), (_RESAMPLED, len(differences)))
    low, high = np.quantile(100 * differences[drawn].mean(axis=1), (0.025, 0.975))
    return f"{100 * differences.mean():+.1f} ({low:+.1f} to {high:+.1f})"


def cost_row(run: str, classifier: "Classifier", image: Pixels, rounds: int) -> list[str]:
    """The time of an answer with a heatmap, as a ratio to one without."""
    from edgeclf.benchmarks.interleaving import interleaved_rounds

    asks = {"without": partial(classifier.answers, image), "with": partial(classifier.answers, image, ("heatmap",))}
    times: dict[str, list[float]] = {name: [] for name in asks}
    for order in interleaved_rounds(tuple(asks), rounds):
        for name in order:
            started = time.perf_counter()
            asks[name]()
            times[name].append(time.perf_counter() - started)
    ratios = [with_maps / without for with_maps, without in zip(times["with"], times["without"], strict=True)]
    low, middle, high = statistics.quantiles(ratios[rounds // 10 :], n=4)
    return [run, _name(classifier), f"{middle:.3f} ({low:.3f} to {high:.3f})"]


def _name(classifier: "Classifier") -> str:
    return classifier.path.name if classifier.path else ""


if __name__ == "__main__":
    app()
