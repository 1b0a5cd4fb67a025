"""`clf-train evaluate`: measures a model file of any format on labelled images."""

import json
import os
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeclf.runtime.cli.model_flags import DEVICES, CardFlags
from edgeclf.runtime.errors import DatasetError, ExitCode, OutputError
from edgeclf.runtime.spelling import require_choice
from edgeclf.runtime.terminal.console import note, print_data, warn
from edgeclf.runtime.terminal.flags import takes
from edgeclf.runtime.terminal.plural import plural
from edgeclf.runtime.terminal.values import parse_device
from edgeclf.train.data.reading import AS_USUAL, Reading
from edgeclf.train.data.run_files import FIGURES

if TYPE_CHECKING:
    from edgeclf.runtime.model.card import ModelCard
    from edgeclf.runtime.model.description import ModelDescription
    from edgeclf.train.any_model import AnyModel
    from edgeclf.train.data.arrays import Arrays
    from edgeclf.train.results.evaluation import Evaluation
_MAX_LISTED = 20
EPILOG = """\b
Examples:
  clf-train evaluate runs/cells/model.keras photos/    the test split, or all if there is none
  clf-train evaluate model.onnx photos/ --report tested/"""


@dataclass(frozen=True)
class Chosen:
    """Which images are measured."""

    split: Annotated[
        str | None,
        typer.Option(
            help="Which of them.", metavar="train|val|test", show_default="test, or all images if they are not split"
        ),
    ] = None
    reading: Reading = AS_USUAL
    against_unknown: Annotated[
        Path | None,
        typer.Option(
            "--against-unknown",
            help="Also how well the model tells them from the images in DIR, which belong to no class.",
            metavar="DIR",
            show_default=False,
        ),
    ] = None


@takes(chosen=Chosen, described=CardFlags)
def evaluate(
    model: Annotated[Path, typer.Argument(help="A .keras, .onnx or .tflite file, or a run folder.")],
    data: Annotated[
        Path,
        typer.Argument(
            help="Folder with one sub-folder per class, or with train/, val/ and test/ above them; or a .zip, .tar or .csv "
            "file."
        ),
    ],
    *,
    chosen: Chosen,
    described: CardFlags,
    device: Annotated[str, typer.Option(help="For exported models.", metavar=DEVICES)] = "auto",
    report: Annotated[
        Path | None, typer.Option(help="Write report.html and its figures to DIR.", metavar="DIR", show_default=False)
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print the metrics as JSON on stdout.")] = False,
) -> None:
    """Measure a model on labelled images: accuracy with its confidence interval, each class, calibration, worst mistakes."""
    from edgeclf.runtime.model.run_folder import model_in_run

    _check_report(report)
    measured = measure(model_in_run(model), data, chosen, parse_device(device), described.read())
    from edgeclf.train.results.doubts import doubts
    from edgeclf.train.results.separation import separation_sentence
    from edgeclf.train.results.table import headline, show

    show(measured.metrics)
    _list_failures(measured.images)
    note(headline(measured.metrics, "accuracy", measured.origin))
    if chosen.against_unknown:
        note(separation_sentence(measured.metrics["against_unknown"], str(chosen.against_unknown)))
    if report:
        note(f"report: {_write_report(report, measured)}")
    for sentence in doubts(measured.metrics):
        warn(sentence)
    if json_output:
        print_data(json.dumps(measured.to_json()))
    raise typer.Exit(ExitCode.SOME_INPUTS_FAILED if measured.images.failures else ExitCode.OK)


@dataclass(frozen=True, eq=False)
class Measured:
    """The result for a model on one split of a folder.

    trained_on: the number of these images that the model was trained on, or that stopped its training.
    """

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
        """What the images are, as the end of a sentence. It says how many of them the model knows from its training."""
        known = f", {self.trained_on:,} of which were used in its training" if self.trained_on else ""
        return f"in {self.data} ({self.split}){known}"

    def to_json(self) -> dict[str, Any]:
        """The metrics, and what was measured, as plain values."""
        failures = [
            {"path": path, "error": failure.reason, "detail": failure.detail} for path, failure in self.images.failures
        ]
        measured = {"model": str(self.model), "data": str(self.data), "part": self.split, "trained_on": self.trained_on}
        return {**measured, **self.metrics, "failures": failures}


def measure(
    model: Path,
    data: Path,
    chosen: Chosen = Chosen(),
    device: str = "auto",
    card: "ModelDescription | None" = None,
) -> Measured:
    """Classify every readable image in `data`, or in the chosen split of it.

    card: describes a model without one. Raises ModelError, DatasetError or the like.
    """
    from edgeclf.train.any_model import open_any
    from edgeclf.train.data.archives import unpacked
    from edgeclf.train.data.arrays import load
    from edgeclf.train.data.dataset import as_split, labelled

    with unpacked(data) as root:
        name, by_class = _find(root, chosen)
        opened = open_any(model, device, card)
        found = labelled(by_class, opened.card.classes, data)
        if not found:
            raise DatasetError(f"{data} holds no images; pass a folder with one sub-folder per class")
        images = load(as_split(found), opened.card.preprocess, name)
    from edgeclf.train.results.evaluation import count_probabilities

    unknown = _against_unknown(opened, model, images, chosen.against_unknown) if chosen.against_unknown else {}
    evaluation = count_probabilities(opened.probabilities(images.images), images.labels, opened.card.classes)
    return Measured(
        model=model,
        data=data,
        split=name,
        card=opened.card,
        images=images,
        evaluation=evaluation,
        metrics=evaluation.to_json() | unknown,
        trained_on=len(_trained_on(model, opened.card.classes).intersection(map(os.path.abspath, images.paths))),
    )


def _find(data: Path, chosen: Chosen) -> tuple[str, dict[str, list[str]]]:
    """The name of the split to measure, and its paths by class; for images that are not split, "all"."""
    from edgeclf.train.data.listing import SPLITS, list_images

    split = chosen.split
    require_choice("--split", split, SPLITS, is_optional=True)
    listing = list_images(data, chosen.reading)
    for sentence in listing.notes():
        note(sentence)
    found = listing.found
    if split is None and list(found) == ["train"]:
        return "all", found["train"]
    wanted = split or "test"
    if wanted not in found:
        raise DatasetError(f"{data} has no {wanted} split; choose another one with --split: {', '.join(found)}")
    return wanted, found[wanted]


def _against_unknown(opened: "AnyModel", model: Path, images: "Arrays", folder: Path) -> dict[str, Any]:
    from edgeclf.train.foreign_images import load_foreign, measure_separation

    known = {*images.paths, *_trained_on(model, opened.card.classes)}
    foreign = load_foreign(folder, opened.card.preprocess, known)
    return {"against_unknown": measure_separation(opened, model, images.images, foreign.images)}


def _trained_on(model: Path, classes: tuple[str, ...]) -> set[str]:
    """The images for training and validation in the `split.csv` beside the model."""
    from edgeclf.train.data.dataset import SPLIT_NAME, read_split

    path = model.with_name(SPLIT_NAME)
    seen: set[str] = set()
    if path.is_file():
        with suppress(DatasetError):  # the split.csv of another model
            seen.update(*(read_split(path, name, classes).paths for name in ("train", "val")))
    return seen


def _list_failures(images: "Arrays") -> None:
    failures = images.failures
    for path, failure in failures[:_MAX_LISTED]:
        note(f"{path}: {failure.detail}")
    if failures:
        more = f", {len(failures) - _MAX_LISTED:,} of them not listed" if len(failures) > _MAX_LISTED else ""
        note(f"skipped {plural(len(failures), 'unreadable image')}{more}")


def _check_report(report: Path | None) -> None:
    if report is None:
        return
    for name in ("report.html", *FIGURES):
        if (report / name).exists():
            raise OutputError(f"{report} already holds a {name}; choose another folder with --report, or remove it")


def _write_report(folder: Path, measured: Measured) -> Path:
    from edgeclf.train.results.doubts import doubts
    from edgeclf.train.results.report import ReportData, image_size, write_report

    preprocess = measured.card.preprocess
    data = ReportData(
        title=measured.data.resolve().name,
        evaluation=measured.evaluation,
        images=measured.images,
        subject="accuracy",
        origin=measured.origin,
        facts={"model": measured.model, "image size": image_size(preprocess), **measured.card.training},
        counts={measured.split: Counter(measured.card.classes[label] for label in measured.images.labels)},
        failures=measured.images.failures,
        warnings=doubts(measured.metrics),
    )
    return write_report(folder, data)
