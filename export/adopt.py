"""Adopts an ONNX or TFLite model from another tool: under the model contract, and verified against its own tool."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import PIL
from numpy.typing import NDArray

from edgeclf.export.adopted_targets import AdoptedContext, choose_adopted
from edgeclf.export.calibration import ExportImages, evenly_spaced, load_calibration
from edgeclf.export.data_images import read_data, with_classes
from edgeclf.export.gate import (
    Export,
    Subject,
    check_calibration,
    check_output_folder,
    check_reference_runs,
    export_files,
)
from edgeclf.export.known_facts import known_facts
from edgeclf.export.options import OPSET, ExportOptions, TargetOptions
from edgeclf.export.own_tool import OwnTool, has_own_pixels, open_own_tool, read_as_pillow
from edgeclf.export.parity import Reference
from edgeclf.export.reference_check import check_reference
from edgeclf.runtime.errors import DatasetError, ImageError, ModelError, OptionError
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.model.adoption.adopted_card import training_facts
from edgeclf.runtime.model.adoption.adopting import adopt, examine
from edgeclf.runtime.model.adoption.completion import GUESSED, QUESTIONS, complete, guess, is_guessable, missing
from edgeclf.runtime.model.adoption.network import Network
from edgeclf.runtime.model.adoption.on_the_fly import Knowledge
from edgeclf.runtime.model.backend import read_model_file
from edgeclf.runtime.model.card import ModelCard
from edgeclf.runtime.model.conventions.facts import Facts
from edgeclf.runtime.model.conventions.package import ModelPackage, package_name
from edgeclf.runtime.model.digest import is_exported
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.flags import flags_given
from edgeclf.runtime.terminal.plural import plural
from edgeclf.runtime.terminal.progress import Progress
from edgeclf.train.data.archives import unpacked
from edgeclf.train.data.arrays import Arrays, load
from edgeclf.train.data.dataset import Split

ADOPTED_SUFFIX = ".edge"
"""What the name of an adopted file adds to that of the original, which often lies in the same folder."""
MAX_IMAGES = 2_000
"""The original runs them one by one; more would hardly show more."""
_NAMES = {"scaling": "scale", "size_hw": "image size", "crop_pct": "crop", "crop_offset": "crop", "channels": "channels"}
_CHOICES = {
    "--scale": "--scale 1/255, -1..1, none, imagenet or caffe",
    "--imgsz": "--imgsz N",
    "--resize": "--resize",
    "--fit": "--fit stretch, crop or pad",
}
_GUESS = "that images are made as in torchvision is a guess, since the file comes from PyTorch and says nothing"


@dataclass(frozen=True)
class _Original:
    """The file as it came. facts: all but the classes. name: of the files that are made of it."""

    data: bytes
    network: Network
    facts: Facts
    name: str


def adopt_model(
    package: ModelPackage,
    named: Path,
    folder: Path,
    targets: TargetOptions,
    options: ExportOptions,
) -> Export:
    """Bring the model under the contract, compare it with its own tool, and publish it to `folder` if it passes.

    named: what the user named, such as a folder or an archive; the files are called after it.
    Raises ModelError, DatasetError, OptionError, OutputError, or GateError if the labelled images contradict the facts.
    """
    _refuse_keras_options(named, options)
    original = _read(package, named, options)
    network, path = original.network, package.path
    if options.data is None:
        raise OptionError(
            _without_images(Knowledge(path, named, network, original.facts, original.facts), original.data, options)
        )
    with unpacked(options.data) as root:
        chosen = choose_adopted(network.format.lower(), precision_of(network), targets)
        check_output_folder(folder, original.name, chosen)
        calibrate = any(target.calibrates for target in chosen)
        data = read_data(root, options.data, calibrate=calibrate)
        facts = with_classes(original.facts, network.outputs, data)
        _announce(facts)
        adopted = adopt(path, original.data, facts, training_facts(path, facts))
        own_tool = open_own_tool(path, network, adopted.card.head)
        verify, others = data.labelled_as(adopted.card.classes)
        reference = _reference(_at_most(verify, MAX_IMAGES), adopted.card, own_tool, facts)
        check_reference_runs(reference, named)
        remarks = _remarks(facts, adopted.card, own_tool, reference)
        images = ExportImages(_calibration(others, adopted.card, calibrate), reference.images, str(options.data))
        check_calibration(images, chosen, named)
    subject = Subject(
        original.name,
        images,
        reference,
        probabilities=lambda images: own_tool.probabilities(images, facts),
        context=partial(AdoptedContext, adopted, images),
        compared=_compared(named, facts, own_tool, adopted.card.preprocess),
        remarks=remarks,
    )
    return export_files(subject, chosen, folder, options.limits)


def precision_of(network: Network) -> str:
    """The precision of the file as it came, by its input and its weights."""
    is_quantised = network.is_quantised and (network.format == "TFLite" or network.scale != 1.0)
    if is_quantised or "int8" in (network.weights, network.dtype):
        return "int8"
    return "fp16" if "float16" in (network.weights, network.dtype) else "fp32"


def _refuse_keras_options(named: Path, options: ExportOptions) -> None:
    for flag, is_given in (("--opset", options.opset != OPSET), ("--outputs", bool(options.outputs))):
        if is_given:
            raise OptionError(f"{flag} is for Keras models, and {named} keeps its own; leave it out")


def _read(package: ModelPackage, named: Path, options: ExportOptions) -> _Original:
    """Raises ModelError, or OptionError if a fact is missing."""
    data = read_model_file(package.path)
    if is_exported(data):
        file = package.path if named.is_dir() else named
        raise ModelError(f"{file} carries a model card already, so there is nothing to adopt; run it with clf-run {file}")
    network = examine(package.path, data)
    facts = known_facts(package, options.external, data)
    if is_guessable(network, facts):
        facts = facts.over(guess())
    facts = complete(network, facts)
    unknown = [flag for flag in missing(network, facts) if flag != "--classes"]  # --data may have them
    if unknown and options.data is not None:
        questions = " and ".join(QUESTIONS[flag] for flag in unknown)
        flags = " and ".join(_CHOICES[flag] for flag in unknown)
        raise OptionError(f"{named} does not say {questions}; give {flags}, or its tool with --from")
    return _Original(data, network, facts, package_name(named) + ADOPTED_SUFFIX)


def _without_images(known: Knowledge, data: bytes, options: ExportOptions) -> str:
    """What is missing besides images, and the command that works. Raises ModelError or OptionError if none does."""
    known = known.tried(data)[1]
    says_all = f"{known.named} brings no images to verify with; name some, labelled or not"
    problem = f"{known.named} does not say {known.unknown}, and brings no images to verify with; name all of that"
    is_described = any(True for _ in flags_given(options.external))
    cure = f"add {known.flags}" if is_described else known.command
    return f"{problem if known.unknown else says_all}: {cure}"


def _announce(facts: Facts) -> None:
    """Say in one line where each fact comes from."""
    by_origin: dict[str, list[str]] = {}
    for name, fact in facts.known().items():
        by_origin.setdefault(fact.origin, []).append(_NAMES.get(name, name))
    note("; ".join(f"{', '.join(dict.fromkeys(names))}: {origin}" for origin, names in by_origin.items()))


def _at_most(split: Split, count: int) -> Split:
    if len(split) > count:
        note(f"verifying on {count:,} of the {plural(len(split), 'image')}, evenly spaced")
    return evenly_spaced(split, count)


def _reference(split: Split, card: ModelCard, own_tool: OwnTool, facts: Facts) -> Reference:
    """What the model's own tool answers for the images that both can read."""
    arrays = load(split, card.preprocess, "verification images")
    kept, rows = [], []
    with Progress("original model", len(arrays)) as progress:
        for number, path in enumerate(arrays.paths):
            progress.advance()
            try:
                pixels = read_as_pillow(path, card.preprocess)
            except (OSError, ValueError, ImageError, SyntaxError):  # Pillow raises a SyntaxError for a broken PNG
                continue
            kept.append(number)
            rows.append(own_tool.probabilities([pixels], facts)[0])
    if not kept:
        raise DatasetError("Pillow can read none of the images in --data, so there is nothing to compare with; name others")
    if len(kept) < len(split):
        note(f"{plural(len(split) - len(kept), 'image')} skipped, as edgeclf or Pillow cannot read them")
    images = Arrays(arrays.images[kept], arrays.labels[kept], tuple(arrays.paths[i] for i in kept))
    return Reference(images, np.stack(rows), "the original")


def _remarks(facts: Facts, card: ModelCard, own_tool: OwnTool, reference: Reference) -> tuple[str, ...]:
    """What the labels say. Raises GateError if they contradict the facts."""

    def answer(other: Facts, images: Pixels) -> NDArray[np.float32]:
        return own_tool.probabilities(images, other)

    remarks = check_reference(reference, card.classes, facts, answer)
    if facts.scaling and facts.scaling.origin == GUESSED:
        remarks += (f"{_GUESS}; {'the labels do not contradict it' if reference.is_labelled else 'nothing confirms it'}",)
    return remarks


def _calibration(split: Split, card: ModelCard, calibrate: bool) -> Arrays:
    if not calibrate:
        return Arrays(np.empty((0, *card.preprocess.shape), np.uint8), np.empty(0, np.int64))
    return load_calibration(split, card)


def _compared(named: Path, facts: Facts, own_tool: OwnTool, preprocess: Preprocess) -> str:
    """What was compared with what."""
    crop = f", crop_pct {preprocess.crop_pct:g}" if preprocess.crop_pct else ""
    how = f"{preprocess.resize}, {preprocess.fit}{crop}, in float"
    made = f"images made by Pillow {PIL.__version__}" if has_own_pixels(preprocess) else "edgeclf's own images"
    by = f"{made} as {facts.tool} makes them" if facts.tool else made
    own = f"{named} in {own_tool.engine}, with {by} ({how})"
    return f"{own}, with the adopted file behind edgeclf's own preprocessing"
