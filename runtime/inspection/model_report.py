"""A model file as a report for people."""

import json
from typing import Any

from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.inspection.model_info import ModelInfo
from edgeclf.runtime.inspection.other_tool_report import other_tool_section
from edgeclf.runtime.inspection.parity_report import ParityEntry
from edgeclf.runtime.inspection.report import SHOWN_NAMES, ReportLine, Section, breakdown, first_few, format_size
from edgeclf.runtime.inspection.structure import Structure
from edgeclf.runtime.model.digest import SUMS_NAME
from edgeclf.runtime.model.further_outputs import EMBEDDING
from edgeclf.runtime.terminal.escaping import escape

_TRAINABLE = ("Keras", "HDF5")
_VERSIONS: tuple[str, ...] = ("edgeclf", "tensorflow", "keras", "python")
_LISTED = {
    "agrees": ReportLine(f"  {SUMS_NAME}", "agrees", "good"),
    "differs": ReportLine(f"  {SUMS_NAME}", "DAMAGED: it lists another digest for this name", "bad"),
    "not listed": ReportLine(f"  {SUMS_NAME}", "does not list it"),
}
_INNER = {
    "agrees": ReportLine("  inside", "agrees", "good"),
    "differs": ReportLine("  inside", "DAMAGED: the file does not match the digest inside", "bad"),
    "missing": ReportLine("  inside", "DAMAGED: a card, but no digest", "bad"),
    "none": ReportLine("  inside", "none"),
}
_CHANGED = ReportLine("  inside", "differs: the file was changed after its export, and is listed as it is now")
_CHECKSUMS = ReportLine("  inside", "the checksum of every member agrees", "good")
_SAME = {
    True: "made for this very file (its digest is in the report)",
    False: "made for ANOTHER file of this name: its digest or size differs",
    None: "names a file like this, but has no digest to prove that it is the same file",
}


def model_sections(info: ModelInfo) -> list[Section]:
    structure = info.structure or Structure()
    return [
        [
            ReportLine("file", info.file, names=(info.file,)),
            ReportLine("format", f"{info.format}, {format_size(info.bytes)} ({info.bytes:,} bytes)"),
        ],
        _card(info, structure.card_text is not None),
        other_tool_section(info.other_tool, info.file),
        _contract(info, structure),
        _metadata(structure),
        _digests(info),
        _parity(info.parity),
        _contents(info.format, structure),
        _provenance(structure, info),
    ]


def _card(info: ModelInfo, has_card: bool) -> Section:
    card = info.card
    if card is None:
        trained, exported = "clf-export FILE --classes labels.txt", "clf-run FILE --classes labels.txt"
        absent = f"none; name its classes: {trained if info.format in _TRAINABLE else exported}"
        absent = "none" if info.other_tool else absent
        absent = "present, but cannot be read" if has_card else absent
        return [ReportLine("card", absent, "bad" if has_card else "plain", (trained, exported))]
    preprocess = card.preprocess
    colours = "grey" if preprocess.channels == 1 else "RGB"
    return [
        ReportLine("classes", f"{len(card.classes):,}: {first_few(card.classes)}", names=card.classes[:SHOWN_NAMES]),
        ReportLine("images", f"{preprocess.size_hw[0]} x {preprocess.size_hw[1]} (H x W), {colours}"),
        ReportLine("resize", f"{preprocess.resize}, fit {preprocess.fit}{_crop(preprocess)}"),
        ReportLine("head", card.head),
        ReportLine(
            "unknown", "told from images of the classes" if card.novelty and EMBEDDING in card.outputs else "cannot be told"
        ),
        *([ReportLine("outputs", ", ".join(("probabilities", *map(escape, card.outputs))))] if card.outputs else []),
        *(ReportLine("training" if not number else "", line) for number, line in enumerate(_facts(card.training))),
    ]


def _crop(preprocess: Preprocess) -> str:
    crop = f", crop_pct {preprocess.crop_pct:g}" if preprocess.crop_pct else ""
    return f"{crop}, with a table of levels" if preprocess.levels else crop


def _facts(training: dict[str, Any]) -> list[str]:
    """One line per fact, with nested tables on the same line. `_provenance` has the versions."""
    facts = [(name, value) for name, value in training.items() if name not in _VERSIONS]
    return [f"{name.replace('_', ' ')}: {_value(value)}" for name, value in facts[:40]]


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_value(inner)}" for name, inner in value.items() if inner not in (None, [], {}))
    return value if isinstance(value, str) else json.dumps(value)


def _contract(info: ModelInfo, structure: Structure) -> Section:
    check = info.contract
    did = "classified test images with the adopted file" if info.other_tool else "opened it and classified the test images"
    by = f" ({check.engine} {did})" if check.engine else ""
    kept = f"kept once it is adopted{by}" if info.other_tool else f"kept{by}{_exceptions(structure)}"
    verdict = {
        "kept": ReportLine("contract", kept, "plain" if info.other_tool else "good"),
        "broken": ReportLine("contract", f"NOT kept: {check.detail}", "bad", (info.file,)),
        "unusable": ReportLine("contract", f"NOT kept: {check.detail}", "bad", (info.file,)),
        "not tried": ReportLine("contract", f"not tried: {check.detail}"),
    }[check.verdict]
    inputs = [ReportLine("  input", str(tensor), names=(tensor.name,)) for tensor in structure.inputs[:8]]
    outputs = [ReportLine("  output", str(tensor), names=(tensor.name,)) for tensor in structure.outputs[:8]]
    one_by_one = ReportLine("  batch", "images are run one by one, because the file takes one at a time")
    return [verdict, *inputs, *outputs, *([one_by_one] if check.one_by_one else [])]


def _exceptions(structure: Structure) -> str:
    """In what a file with a card that can be run is unlike one that edgeclf exports, as the end of a sentence."""
    names = [tensor.name for tensor in (*structure.inputs, *structure.outputs)]
    shape = structure.inputs[0].shape if structure.inputs else ()
    found = []
    if names not in ([], ["image", "probabilities"]):
        found.append("its names, which should be image and probabilities")
    if len(shape) == 4 and shape[1] in (1, 3) and shape[3] not in (1, 3):
        found.append("its channels, which should come last")
    return f", except for {', and '.join(found)}" if found else ""


def _metadata(structure: Structure) -> Section:
    """What the author of the file wrote into it."""
    return [
        ReportLine("metadata" if not number else "", f"{name}: {value}")
        for number, (name, value) in enumerate(structure.metadata.items())
    ]


def _digests(info: ModelInfo) -> Section:
    digests = info.digests
    inner = _INNER[digests.inner]
    if digests.inner == "differs" and digests.listed == "agrees":
        inner = _CHANGED
    if info.format == "Keras":
        inner = _CHECKSUMS if info.structure else ReportLine("  inside", "DAMAGED: the checksum of a member is wrong", "bad")
    return [ReportLine("sha256", digests.sha256), _LISTED[digests.listed], inner]


def _parity(parity: ParityEntry | None) -> Section:
    if parity is None:
        return [ReportLine("parity", "no report beside the file lists it", "dim")]
    entry = parity.entry
    reference = str(entry.get("reference", "Keras"))
    low, high = _pair(entry.get("accuracy_95_interval"))
    accuracy = (
        f"{_percent(entry.get('accuracy'))} (95 % interval {_percent(low)} to {_percent(high)}); "
        f"{reference} {_percent(entry.get('reference_accuracy'))}"
    )
    if "accuracy" in entry and entry["accuracy"] is None:
        accuracy = "not measured, as the images had no labels"
    return [
        ReportLine(
            "parity",
            f"{parity.report}: {_SAME[parity.same_file]}",
            "bad" if parity.same_file is False else "plain",
            (parity.report,),
        ),
        ReportLine("  accuracy", accuracy),
        ReportLine(
            "  agreement",
            f"{_percent(entry.get('agreement'))} the same classes as {reference}; "
            f"largest difference of a probability {_value(entry.get('max_probability_difference'))}",
        ),
        ReportLine("  images", f"{_value(entry.get('images'))}: {parity.verified_on}"),
    ]


def _pair(value: Any) -> tuple[Any, Any]:
    return (value[0], value[1]) if isinstance(value, list) and len(value) == 2 else (None, None)


def _percent(value: Any) -> str:
    return f"{value:.2%}" if isinstance(value, int | float) and not isinstance(value, bool) else "unknown"


def _contents(format_name: str, structure: Structure) -> Section:
    lines = []
    if structure.operators:
        lines.append(ReportLine("graph", breakdown(structure.operators, "layer" if format_name in _TRAINABLE else "node")))
    if structure.weights:
        lines.append(ReportLine("weights", breakdown(structure.weights, "value")))
    if structure.samples:
        lines.append(ReportLine("samples", breakdown(structure.samples, "image")))
    if structure.remark:
        lines.append(ReportLine("note", structure.remark))
    return lines


def _provenance(structure: Structure, info: ModelInfo) -> Section:
    training = info.card.training if info.card else {}
    made = {name: str(training[name]) for name in _VERSIONS if name in training}
    exported = {name: str(version) for name, version in (info.parity.made_with if info.parity else {}).items()}
    sources: dict[str, dict[str, str]] = {
        "made by": structure.provenance,
        "trained with": made,
        "exported with": exported,
    }
    return [
        ReportLine(label, ", ".join(f"{name} {value}" for name, value in facts.items()))
        for label, facts in sources.items()
        if facts
    ]
