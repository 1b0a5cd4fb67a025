"""What a model from another tool says about itself: one set of facts from its file and from the files beside it."""

import re
from dataclasses import replace
from pathlib import Path

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.conventions.convention import Convention
from edgeclf.runtime.model.conventions.custom_vision import CUSTOM_VISION
from edgeclf.runtime.model.conventions.edge_impulse import EDGE_IMPULSE
from edgeclf.runtime.model.conventions.evidence import Evidence, gather, look_inside
from edgeclf.runtime.model.conventions.facts import Fact, Facts
from edgeclf.runtime.model.conventions.frigate import FRIGATE
from edgeclf.runtime.model.conventions.huggingface import HUGGINGFACE
from edgeclf.runtime.model.conventions.lobe import LOBE
from edgeclf.runtime.model.conventions.luxonis import LUXONIS
from edgeclf.runtime.model.conventions.openvino import OPENVINO
from edgeclf.runtime.model.conventions.package import ModelPackage
from edgeclf.runtime.model.conventions.teachable_machine import TEACHABLE_MACHINE
from edgeclf.runtime.model.conventions.tflite_metadata import read_tflite_metadata
from edgeclf.runtime.model.conventions.timm import TIMM
from edgeclf.runtime.model.conventions.ultralytics import ULTRALYTICS
from edgeclf.runtime.model.conventions.undeclared import CORAL, KERAS, TORCHVISION
from edgeclf.runtime.model.formats import model_format
from edgeclf.runtime.model.labels import read_classes
from edgeclf.runtime.terminal.plural import plural

CONVENTIONS: dict[str, Convention] = {
    "ultralytics": ULTRALYTICS,
    "openvino": OPENVINO,
    "custom-vision": CUSTOM_VISION,
    "timm": TIMM,
    "huggingface": HUGGINGFACE,
    "lobe": LOBE,
    "luxonis": LUXONIS,
    "edge-impulse": EDGE_IMPULSE,
    "teachable-machine": TEACHABLE_MACHINE,
    "frigate": FRIGATE,
    "torchvision": TORCHVISION,
    "coral": CORAL,
    "keras": KERAS,
}
"""By the name that `--from` takes. Those that describe themselves inside the model file are asked first."""
_Classes = Fact[tuple[str, ...]]
_PLACEHOLDER = re.compile("LABEL_[0-9]+")
"""What Transformers calls a class without a name."""


def read_facts(package: ModelPackage, data: bytes | None = None, classes_given: bool = False) -> Facts:
    """The facts from inside the file, then from the tool's own description, then from plain lists of classes.

    Files named after the model count before those that are merely beside it. Facts of two tools are not mixed.
    data: the bytes of the model file, if the caller has them. classes_given: the user names the classes: no source is asked.
    Raises ModelError or OptionError, also if two sources contradict each other about the classes.
    """
    if data is None and model_format(package.path) in ("ONNX", "TFLite"):
        data = package.read()
    evidence = gather(package, data)
    inside = read_tflite_metadata(data) if data and model_format(package.path) == "TFLite" else Facts()
    own, shared = _recognize(evidence.only_own()), _recognize(evidence)
    facts = inside.over(own)
    if own.tool in ("", shared.tool):
        facts = facts.over(shared)
    if classes_given:
        return replace(facts, classes=None)
    claims = [inside.classes, own.classes, *map(_plain, evidence.own_labels)]
    if not any(claims):  # otherwise a list in the same folder may belong to another model
        claims = [shared.classes, *map(_plain, evidence.labels)]
    return replace(facts, classes=_agreed(package, [claim for claim in claims if claim]))


def facts_inside(package: ModelPackage, data: bytes) -> Facts:
    """The facts from inside an ONNX or TFLite file. Raises ModelError."""
    inside = read_tflite_metadata(data) if model_format(package.path) == "TFLite" else Facts()
    return inside.over(_recognize(look_inside(package, data)))


def _recognize(evidence: Evidence) -> Facts:
    """The facts of the first convention that the model follows, and before them those that belong to no tool."""
    found = Facts()
    for convention in CONVENTIONS.values():
        found = found.over(convention.read(evidence) or Facts())
        if found.tool:
            break
    return found


def _plain(path: Path) -> _Classes:
    return Fact(read_classes(path), path.name)


def _agreed(package: ModelPackage, claims: list[_Classes]) -> _Classes | None:
    """The first of the claims, which must agree in number and order. Placeholders give way to names."""
    named = [claim for claim in claims if not all(map(_PLACEHOLDER.fullmatch, claim.value))]
    first = next(iter(named or claims), None)
    for other in claims:
        if first is None or first is other:
            continue
        cure = "remove the wrong one, or say which is right with --classes"
        numbers = [f"{claim.origin} names {plural(len(claim.value), 'class')}" for claim in (first, other)]
        if len(first.value) != len(other.value):
            raise ModelError(f"{package.name}: {numbers[0]}, but {numbers[1]}; {cure}")
        if first.value != other.value and set(first.value) == set(other.value):
            raise ModelError(
                f"{package.name}: {first.origin} and {other.origin} have the classes in different orders; {cure}"
            )
    return first
