"""The info of a model file, for a reader."""

import json
from typing import Any

from edgeclf.runtime.inspection.contract_check import ContractCheck
from edgeclf.runtime.inspection.model_info import ModelInfo
from edgeclf.runtime.inspection.parity_report import ParityEntry
from edgeclf.runtime.inspection.report import ReportLine, Section, counted, several, size
from edgeclf.runtime.inspection.structure import Structure
from edgeclf.runtime.model.card import ModelCard
from edgeclf.runtime.model.digest import SUMS_NAME

_VERSIONS: tuple[str, ...] = ("edgeclf", "tensorflow", "keras", "python")
_LISTED = {
    "agrees": ReportLine(f"  {SUMS_NAME}", "agrees", "good"),
    "differs": ReportLine(f"  {SUMS_NAME}", "DAMAGED: it lists another digest for this name", "bad"),
    "not listed": ReportLine(f"  {SUMS_NAME}", "does not list it"),
}
_INNER = {
    "agrees": ReportLine("  inside", "agrees", "good"),
    "differs": ReportLine("  inside", "DAMAGED: the digest inside is that of another file", "bad"),
    "missing": ReportLine("  inside", "DAMAGED: a card, but no digest", "bad"),
    "none": ReportLine("  inside", "none"),
}
_CHANGED = ReportLine("  inside", "differs: changed after its export, and listed as it is now")
_CHECKSUMS = ReportLine("  inside", "every member has its checksum", "good")
_SAME = {
    True: "made for this very file (its digest is in the report)",
    False: "made for ANOTHER file of this name: digest or size differ",
    None: "names a file like this; it holds no digest, so whether it was this very one cannot be known",
}


def model_sections(info: ModelInfo) -> list[Section]:
    structure = info.structure or Structure()
    return [
        [ReportLine("file", info.file), ReportLine("format", f"{info.format}, {size(info.bytes)} ({info.bytes:,} bytes)")],
        _card(info.card, structure.card_text is not None),
        _contract(info.contract, structure),
        _digests(info),
        _parity(info.parity),
        _contents(info.format, structure),
        _provenance(structure, info),
    ]


def _card(card: ModelCard | None, there: bool) -> Section:
    if card is None:
        absent = "it carries one that cannot be read" if there else "none; clf-run needs --classes and --imgsz for it"
        return [ReportLine("card", absent, "bad" if there else "plain")]
    how = card.preprocess
    return [
        ReportLine("classes", f"{len(card.classes):,}: {several(card.classes)}"),
        ReportLine("images", f"{how.size_hw[0]} x {how.size_hw[1]} (H x W), {'grey' if how.channels == 1 else 'RGB'}"),
        ReportLine("resize", f"{how.resize}, fit {how.fit}"),
        ReportLine("head", card.head),
        *(ReportLine("training" if not number else "", line) for number, line in enumerate(_facts(card.training))),
    ]


def _facts(training: dict[str, Any]) -> list[str]:
    """A line a fact; a table within is written in one. The versions come further down."""
    facts = [(name, value) for name, value in training.items() if name not in _VERSIONS]
    return [f"{name.replace('_', ' ')}: {_value(value)}" for name, value in facts[:40]]


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_value(inner)}" for name, inner in value.items() if inner not in (None, [], {}))
    return value if isinstance(value, str) else json.dumps(value)


def _contract(trial: ContractCheck, structure: Structure) -> Section:
    by = f" ({trial.engine} opened it and asked it one image)" if trial.engine else ""
    verdict = {
        "kept": ReportLine("contract", f"kept{by}{_other_names(structure)}", "good"),
        "broken": ReportLine("contract", f"NOT kept: {trial.detail}", "bad"),
        "unusable": ReportLine("contract", f"NOT kept: {trial.detail}", "bad"),
        "not tried": ReportLine("contract", f"not tried: {trial.detail}"),
    }[trial.verdict]
    inputs = [ReportLine("  input", str(tensor)) for tensor in structure.inputs[:8]]
    outputs = [ReportLine("  output", str(tensor)) for tensor in structure.outputs[:8]]
    return [verdict, *inputs, *outputs]


def _other_names(structure: Structure) -> str:
    names = [tensor.name for tensor in (*structure.inputs, *structure.outputs)]
    return "" if names in ([], ["image", "probabilities"]) else ", but for the names, which are image and probabilities"


def _digests(info: ModelInfo) -> Section:
    digests = info.digests
    inner = _INNER[digests.inner]
    if digests.inner == "differs" and digests.listed == "agrees":
        inner = _CHANGED
    if info.format == "Keras":
        inner = _CHECKSUMS if info.structure else ReportLine("  inside", "DAMAGED: not every member has its checksum", "bad")
    return [ReportLine("sha256", digests.sha256), _LISTED[digests.listed], inner]


def _parity(parity: ParityEntry | None) -> Section:
    if parity is None:
        return [ReportLine("parity", "no report beside it that names this file", "dim")]
    entry = parity.entry
    low, high = _pair(entry.get("accuracy_95_interval"))
    return [
        ReportLine("parity", f"{parity.report}: {_SAME[parity.same_file]}", "bad" if parity.same_file is False else "plain"),
        ReportLine(
            "  accuracy",
            f"{_percent(entry.get('accuracy'))} (95 % interval {_percent(low)} to {_percent(high)}); "
            f"Keras {_percent(entry.get('keras_accuracy'))}",
        ),
        ReportLine(
            "  agreement",
            f"{_percent(entry.get('agreement'))} the same answer as Keras; "
            f"largest difference of a probability {_value(entry.get('max_probability_difference'))}",
        ),
        ReportLine("  images", f"{_value(entry.get('images'))}: {parity.verified_on}"),
    ]


def _pair(value: Any) -> tuple[Any, Any]:
    return (value[0], value[1]) if isinstance(value, list) and len(value) == 2 else (None, None)


def _percent(value: Any) -> str:
    return f"{value:.2%}" if isinstance(value, int | float) and not isinstance(value, bool) else "unknown"


def _contents(format_name: str, structure: Structure) -> Section:
    rows = []
    if structure.operators:
        rows.append(ReportLine("graph", counted(structure.operators, "layers" if format_name == "Keras" else "nodes")))
    if structure.weights:
        rows.append(ReportLine("weights", counted(structure.weights, "values")))
    if structure.samples:
        rows.append(ReportLine("samples", counted(structure.samples, "images inside")))
    if structure.remark:
        rows.append(ReportLine("note", structure.remark))
    return rows


def _provenance(structure: Structure, info: ModelInfo) -> Section:
    training = info.card.training if info.card else {}
    made = {name: str(training[name]) for name in _VERSIONS if name in training}
    exported = {name: str(version) for name, version in (info.parity.made_with if info.parity else {}).items()}
    rows: dict[str, dict[str, str]] = {
        "made by": structure.provenance,
        "trained with": made,
        "exported with": exported,
    }
    return [
        ReportLine(label, ", ".join(f"{name} {value}" for name, value in facts.items()))
        for label, facts in rows.items()
        if facts
    ]
