"""Which score tells images that are unlike all that was learned? From what the last layer of a trained network sees.

`python -m edgeclf.benchmarks.unknown RUN FOREIGN...`: a run folder whose images still exist, and folders of other images.
Generated textures are always among the foreign images.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from edgeclf.runtime.terminal.console import command_app, friendly_errors, print_data

if TYPE_CHECKING:
    from edgeclf.train.data.arrays import Arrays

app = command_app()

Features = NDArray[np.float64]
Score = Callable[[Features], NDArray[np.float64]]
_FOLDS = 4
_TEXTURES = 500
_AXES = 16


@app.command()
def unknown(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    foreign: Annotated[list[Path] | None, typer.Argument(help="Folders of other images.", show_default=False)] = None,
    seeds: Annotated[int, typer.Option(help="Random splits of the known images.")] = 3,
) -> None:
    """Measure, print the table, and write it to benchmarks/results.md."""
    with friendly_errors():
        from edgeclf.train.quiet import import_keras

        import_keras()
        from edgeclf.benchmarks.results import publish_section, table

        known, labels, others = read(run, foreign or [])
        rows = [[name, *map(_shown, values)] for name, values in compare(known, labels, others, seeds).items()]
        columns = [heading for name in others for heading in (f"AUROC {name}", f"unknown {name}")]
        text = (
            f"Known: {run.resolve().name}, {len(known):,} images, the last layer trained again on 70 % of them; mean of "
            f"{seeds} splits. `unknown`: the share above the level that 1 % of the images for training (cross-fitted) "
            "and for validation exceed.\n\n" + table(("score", "unknown test", *columns), rows)
        )
        publish_section(f"Unknown images: {run.resolve().name}", "edgeclf.benchmarks.unknown", text)
        print_data(text)


def read(run: Path, folders: list[Path]) -> tuple[Features, NDArray[np.int64], dict[str, Features]]:
    """Embeddings and labels of the run's images, and the embeddings of each set of foreign ones."""
    from edgeclf.benchmarks.textures import textures
    from edgeclf.train.data.arrays import load
    from edgeclf.train.data.dataset import as_split, read_split
    from edgeclf.train.foreign_images import load_foreign
    from edgeclf.train.keras_file.saving import open_keras
    from edgeclf.train.unknown import Embedding

    model = open_keras(run / "model.keras")
    embedding, preprocess = Embedding(model.network), model.card.preprocess
    splits = [read_split(run / "split.csv", name, model.card.classes) for name in ("train", "val", "test")]
    images = load(
        as_split([pair for one in splits for pair in zip(one.paths, one.labels, strict=True)]), preprocess, "known"
    )
    found: dict[str, Arrays] = {folder.name: load_foreign(folder, preprocess, images.paths) for folder in folders}
    others = {name: embedding(arrays.images).astype(np.float64) for name, arrays in found.items()}
    others["textures"] = embedding(textures(_TEXTURES, preprocess.size_hw)).astype(np.float64)
    return embedding(images.images).astype(np.float64), images.labels, others


def compare(
    known: Features, labels: NDArray[np.int64], others: dict[str, Features], seeds: int
) -> dict[str, NDArray[np.float64]]:
    """By score: the share of test images called unknown; then AUROC and the share called unknown of each foreign set."""
    found: dict[str, list[list[float]]] = {}
    for seed in range(seeds):
        for name, values in _of_split(known, labels, others, np.random.default_rng(seed)).items():
            found.setdefault(name, []).append(values)
    return {name: np.mean(values, axis=0) for name, values in found.items()}


def _of_split(
    known: Features, labels: NDArray[np.int64], others: dict[str, Features], rng: np.random.Generator
) -> dict[str, list[float]]:
    from edgeclf.train.results.separation import auroc

    order = rng.permutation(len(labels))
    train, val, test = np.split(order, [int(0.7 * len(order)), int(0.85 * len(order))])
    folds = np.arange(len(train)) % _FOLDS
    fitted = fit(known[train], labels[train])
    partly = [fit(known[train[folds != fold]], labels[train[folds != fold]]) for fold in range(_FOLDS)]
    found = {}
    for name, score in fitted.items():
        crossed = np.concatenate([partly[fold][name](known[train[folds == fold]]) for fold in range(_FOLDS)])
        level = max(np.quantile(crossed, 0.99), np.quantile(score(known[val]), 0.99))
        tested = score(known[test])
        values = [(tested > level).mean()]
        for features in others.values():
            scores = score(features)
            values += [auroc(tested, scores), (scores > level).mean()]
        found[name] = [float(value) for value in values]
    return found


def fit(features: Features, labels: NDArray[np.int64]) -> dict[str, Score]:
    """The scores by name, each higher for less known images."""
    from sklearn.linear_model import LogisticRegression

    head = LogisticRegression(C=1 / 3, max_iter=500).fit(features, labels)
    scaled = _scaled(features)
    means = np.stack([scaled[labels == label].mean(axis=0) for label in np.unique(labels)])

    def energy(seen: Features) -> Any:
        logits = seen @ head.coef_.T + head.intercept_
        logits = np.hstack([np.zeros_like(logits), logits]) if logits.shape[1] == 1 else logits
        return -np.logaddexp.reduce(logits, axis=1)

    plain, residual = _residual(features), _residual(scaled)
    weight = np.abs(energy(features)).mean() / plain(features).mean()
    return {
        "maximum probability": lambda seen: -head.predict_proba(seen).max(axis=1),
        "energy (Liu et al. 2020)": energy,
        "relative Mahalanobis (Ren et al. 2021)": _relative_mahalanobis(features, labels),
        "nearest class mean, cosine": lambda seen: -(_scaled(seen) @ _scaled(means).T).max(axis=1),
        "10th nearest image, cosine": lambda seen: -np.sort(_scaled(seen) @ scaled.T, axis=1)[:, -10],
        "ViM (Wang et al. 2022)": lambda seen: weight * plain(seen) + energy(seen),
        "residual": plain,
        "residual, scaled to length 1 (ours)": lambda seen: residual(_scaled(seen)),
    }


def _scaled(features: Features) -> Features:
    return np.asarray(features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12))


def _residual(features: Features) -> Score:
    mean = features.mean(axis=0)
    axes = np.linalg.svd(features - mean, full_matrices=False)[2][:_AXES]

    def distance(seen: Features) -> NDArray[np.float64]:
        offsets = seen - mean
        return np.asarray(np.linalg.norm(offsets - offsets @ axes.T @ axes, axis=1))

    return distance


def _relative_mahalanobis(features: Features, labels: NDArray[np.int64]) -> Score:
    from sklearn.covariance import ledoit_wolf

    means = np.stack([features[labels == label].mean(axis=0) for label in range(labels.max() + 1)])
    within = np.linalg.inv(ledoit_wolf(features - means[labels], assume_centered=True)[0])
    centre = features.mean(axis=0)
    overall = np.linalg.inv(ledoit_wolf(features - centre, assume_centered=True)[0])

    def distance(seen: Features) -> NDArray[np.float64]:
        nearest = np.min([_squared(seen - mean, within) for mean in means], axis=0)
        return np.asarray(nearest - _squared(seen - centre, overall))

    return distance


def _squared(offsets: Features, precision: Features) -> NDArray[np.float64]:
    return np.asarray(((offsets @ precision) * offsets).sum(axis=1))


def _shown(value: float) -> str:
    return f"{value:.3f}"


if __name__ == "__main__":
    app()
