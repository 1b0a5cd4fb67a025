"""edgeclf as `clf-run` uses it."""

from dataclasses import replace
from pathlib import Path

from edgeclf.benchmarks.peers import ClassifyAll
from edgeclf.runtime.cores import usable_cores
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.model.batching import best_batch
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.runtime.model.prediction import Outcome, Prediction
from edgeclf.runtime.outcomes import classify
from edgeclf.runtime.sources.source import open_source


def prepare(
    folder: Path, workers: int | None = None, preprocess: Preprocess | None = None, model: str = "model.onnx"
) -> ClassifyAll:
    """workers: see `classify`. preprocess: replaces the model's own."""
    opened = Classifier.open(folder / model, device="cpu", threads=1)
    card = replace(opened.card, preprocess=preprocess or opened.card.preprocess)
    classifier = Classifier(opened.backend, card)
    threads = workers or usable_cores()
    batch = best_batch(classifier, threads)  # once, because a round is much shorter than a usual run
    photographs = str(folder / "photographs")
    return lambda: [_label(each) for each in classify(open_source(photographs), classifier, workers=threads, batch=batch)]


def _label(outcome: Outcome) -> int:
    assert isinstance(outcome.result, Prediction)
    return int(outcome.result.probabilities.argmax())
