"""`clf-train evaluate`: how good a model is, in whichever format, on labelled images."""

import json
import os
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeclf.runtime.errors import DatasetError, ExitCode, OptionError, OutputError
from edgeclf.runtime.terminal.console import friendly_errors, note

if TYPE_CHECKING:
    from edgeclf.runtime.model.card import ModelCard
    from edgeclf.train.data.arrays import Arrays
    from edgeclf.train.results.evaluation import Evaluation
_MOST_LISTED = 20


def evaluate(
    model: Annotated[Path, typer.Argument(help="A .keras, .onnx or .tflite file.")],
    data: Annotated[
        Path, typer.Argument(help="Folder with one sub-folder per class, or with train/val/test above; .zip, .tar or .csv.")
    ],
    *,
    split: Annotated[
        str | None,
        typer.Option(help="train, val or test; default test, or everything where there are no splits.", show_default=False),
    ] = None,
    device: Annotated[
        str, typer.Option(help="For an exported model: auto, cpu, cuda, cuda:N, tensorrt or tensorrt:N.")
    ] = "auto",
    report: Annotated[
        Path | None, typer.Option(help="Write report.html and its figures to DIR.", metavar="DIR", show_default=False)
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="The metrics as JSON on stdout.")] = False,
) -> None:
    """Measure a model on labelled images: accuracy with its interval, classes, calibration, worst mistakes."""
    with friendly_errors():
        _check_report(report)
        measured = measure(model, data, split, device)
        from edgeclf.train.results.table import headline, show

        show(measured.metrics)
        _list_failures(measured.images)
        note(headline(measured.metrics, "accuracy", measured.origin))
        if report:
            note(f"report: {_write_report(report, measured)}")
        if json_output:
            typer.echo(json.dumps(measured.to_json()))
    raise typer.Exit(ExitCode.SOME_INPUTS_FAILED if measured.images.failures else ExitCode.OK)


@dataclass(frozen=True, eq=False)
class Measured:
    """A model on the images of one split of a folder. trained_on: how many of them it was fitted to or stopped by."""

    model: Path
    data: Path
    split: str
    card: "ModelCard"
    images: "Arrays"
    evaluation: "Evaluation"
    metrics: dict[str, Any]
    trained_on: int

    @property
    def origin(self) -> str:
        """What the images were, as the end of a sentence that owns up to flattery."""
        flattery = f", {self.trained_on:,} of which its training has seen" if self.trained_on else ""
        return f"in {self.data} ({self.split}){flattery}"

    def to_json(self) -> dict[str, Any]:
        """The metrics, and what they were measured on, as plain values."""
        failures = [
            {"path": path, "error": failure.reason, "detail": failure.detail} for path, failure in self.images.failures
        ]
        measured = {"model": str(self.model), "data": str(self.data), "part": self.split, "trained_on": self.trained_on}
        return {**measured, **self.metrics, "failures": failures}


def measure(model: Path, data: Path, split: str | None = None, device: str = "auto") -> Measured:
    """Answer every readable image of `data`, or of one split of it. Raises ModelError, DatasetError and their like."""
    from edgeclf.train.answering import open_any
    from edgeclf.train.data.archives import unpacked
    from edgeclf.train.data.arrays import load
    from edgeclf.train.data.dataset import as_split, labelled

    with unpacked(data) as root:
        name, by_class = _find(root, split)
        opened = open_any(model, device)
        card = opened.card
        found = labelled(by_class, card.classes, data)
        if not found:
            raise DatasetError(f"{data} holds no images; pass a folder with one sub-folder per class")
        images = load(as_split(found), card.preprocess, name)
    from edgeclf.train.results.evaluation import count_probabilities

    evaluation = count_probabilities(opened.answers(images.images), images.labels, card.classes)
    trained_on = _trained_on(model, images, card.classes)
    return Measured(model, data, name, card, images, evaluation, evaluation.to_json(), trained_on)


def _find(data: Path, split: str | None) -> tuple[str, dict[str, list[str]]]:
    """The name of a split and its paths by class; without splits, `all` and everything."""
    from edgeclf.train.data.dataset import SPLITS, find

    if split not in (None, *SPLITS):
        raise OptionError(f"--split must be one of {', '.join(SPLITS)}, not {split!r}")
    found, _ = find(data)
    if split is None and list(found) == ["train"]:
        return "all", found["train"]
    wanted = split or "test"
    if wanted not in found:
        raise DatasetError(f"{data} has no {wanted} split; choose another ({', '.join(found)}) with --split")
    return wanted, found[wanted]


def _trained_on(model: Path, images: "Arrays", classes: tuple[str, ...]) -> int:
    """How many of the images the `split.csv` beside the model puts into training or validation."""
    from edgeclf.train.data.dataset import SPLIT_NAME, read_split

    path = model.with_name(SPLIT_NAME)
    seen: set[str] = set()
    if path.is_file():
        with suppress(DatasetError):  # a split of another model
            seen.update(*(read_split(path, name, classes).paths for name in ("train", "val")))
    return sum(os.path.abspath(image) in seen for image in images.paths)


def _list_failures(images: "Arrays") -> None:
    failures = images.failures
    for path, failure in failures[:_MOST_LISTED]:
        note(f"{path}: {failure.detail}")
    if failures:
        more = f", {len(failures) - _MOST_LISTED:,} of them not listed" if len(failures) > _MOST_LISTED else ""
        note(f"{len(failures):,} images cannot be read and are left out{more}")


def _check_report(report: Path | None) -> None:
    if report and (report / "report.html").exists():
        raise OutputError(f"{report} already holds a report.html; choose another folder with --report, or remove it")


def _write_report(folder: Path, measured: Measured) -> Path:
    from edgeclf.train.results.report import ReportData, write_report

    counts = Counter(measured.card.classes[label] for label in measured.images.labels)
    facts = {"model": measured.model, "image size": measured.card.preprocess.size_hw, **measured.card.training}
    data = ReportData(
        measured.data.resolve().name,
        measured.evaluation,
        measured.images,
        "accuracy",
        measured.origin,
        facts,
        {measured.split: counts},
        measured.images.failures,
    )
    return write_report(folder, data)
