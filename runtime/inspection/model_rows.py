"""The anatomy of a model file, for a reader."""

import json
from typing import Any

from edgeclf.runtime.inspection.contract_check import Trial
from edgeclf.runtime.inspection.model_info import Anatomy
from edgeclf.runtime.inspection.parity_report import ParityEntry
from edgeclf.runtime.inspection.rows import Row, Section, counted, several, size
from edgeclf.runtime.inspection.structure import Structure
from edgeclf.runtime.model.card import ModelCard
from edgeclf.runtime.model.digest import SUMS_NAME

_VERSIONS: tuple[str, ...] = ("edgeclf", "tensorflow", "keras", "python")
_LISTED = {
    "agrees": Row(f"  {SUMS_NAME}", "agrees", "good"),
    "differs": Row(f"  {SUMS_NAME}", "DAMAGED: it lists another digest for this name", "bad"),
    "not listed": Row(f"  {SUMS_NAME}", "does not list it"),
}
_INNER = {
    "agrees": Row("  inside", "agrees", "good"),
    "differs": Row("  inside", "DAMAGED: the digest inside is that of another file", "bad"),
    "missing": Row("  inside", "DAMAGED: a card, but no digest", "bad"),
    "none": Row("  inside", "none"),
}
_CHANGED = Row("  inside", "differs: changed after its export, and listed as it is now")
_CHECKSUMS = Row("  inside", "every member has its checksum", "good")
_SAME = {
    True: "made for this very file (its digest is in the report)",
    False: "made for ANOTHER file of this name: digest or size differ",
    None: "names a file like this; it holds no digest, so whether it was this very one cannot be known",
}


def model_sections(anatomy: Anatomy) -> list[Section]:
    structure = anatomy.structure or Structure()
    return [
        [Row("file", anatomy.file), Row("format", f"{anatomy.format}, {size(anatomy.bytes)} ({anatomy.bytes:,} bytes)")],
        _card(anatomy.card, structure.card_text is not None),
        _contract(anatomy.contract, structure),
        _digests(anatomy),
        _parity(anatomy.parity),
        _contents(anatomy.format, structure),
        _provenance(structure, anatomy),
    ]


def _card(card: ModelCard | None, there: bool) -> Section:
    if card is None:
        absent = "it carries one that cannot be read" if there else "none; clf-run needs --classes and --imgsz for it"
        return [Row("card", absent, "bad" if there else "plain")]
    how = card.preprocess
    return [
        Row("classes", f"{len(card.classes):,}: {several(card.classes)}"),
        Row("images", f"{how.size_hw[0]} x {how.size_hw[1]} (H x W), {'grey' if how.channels == 1 else 'RGB'}"),
        Row("resize", f"{how.resize}, fit {how.fit}"),
        Row("head", card.head),
        *(Row("training" if not number else "", line) for number, line in enumerate(_facts(card.training))),
    ]


def _facts(training: dict[str, Any]) -> list[str]:
    """A line a fact; a table within is written in one. The versions come further down."""
    facts = [(name, value) for name, value in training.items() if name not in _VERSIONS]
    return [f"{name.replace('_', ' ')}: {_value(value)}" for name, value in facts[:40]]


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_value(inner)}" for name, inner in value.items() if inner not in (None, [], {}))
    return value if isinstance(value, str) else json.dumps(value)


def _contract(trial: Trial, structure: Structure) -> Section:
    by = f" ({trial.engine} opened it and asked it one image)" if trial.engine else ""
    verdict = {
        "kept": Row("contract", f"kept{by}{_other_names(structure)}", "good"),
        "broken": Row("contract", f"NOT kept: {trial.detail}", "bad"),
        "unusable": Row("contract", f"NOT kept: {trial.detail}", "bad"),
        "not tried": Row("contract", f"not tried: {trial.detail}"),
    }[trial.verdict]
    inputs = [Row("  input", str(tensor)) for tensor in structure.inputs[:8]]
    outputs = [Row("  output", str(tensor)) for tensor in structure.outputs[:8]]
    return [verdict, *inputs, *outputs]


def _other_names(structure: Structure) -> str:
    names = [tensor.name for tensor in (*structure.inputs, *structure.outputs)]
    return "" if names in ([], ["image", "probabilities"]) else ", but for the names, which are image and probabilities"


def _digests(anatomy: Anatomy) -> Section:
    digests = anatomy.digests
    inner = _INNER[digests.inner]
    if digests.inner == "differs" and digests.listed == "agrees":
        inner = _CHANGED
    if anatomy.format == "Keras":
        inner = _CHECKSUMS if anatomy.structure else Row("  inside", "DAMAGED: not every member has its checksum", "bad")
    return [Row("sha256", digests.sha256), _LISTED[digests.listed], inner]


def _parity(parity: ParityEntry | None) -> Section:
    if parity is None:
        return [Row("parity", "no report beside it that names this file", "dim")]
    entry = parity.entry
    low, high = _pair(entry.get("accuracy_95_interval"))
    return [
        Row("parity", f"{parity.report}: {_SAME[parity.same_file]}", "bad" if parity.same_file is False else "plain"),
        Row(
            "  accuracy",
            f"{_percent(entry.get('accuracy'))} (95 % interval {_percent(low)} to {_percent(high)}); "
            f"Keras {_percent(entry.get('keras_accuracy'))}",
        ),
        Row(
            "  agreement",
            f"{_percent(entry.get('agreement'))} the same answer as Keras; "
            f"largest difference of a probability {_value(entry.get('max_probability_difference'))}",
        ),
        Row("  images", f"{_value(entry.get('images'))}: {parity.verified_on}"),
    ]


def _pair(value: Any) -> tuple[Any, Any]:
    return (value[0], value[1]) if isinstance(value, list) and len(value) == 2 else (None, None)


def _percent(value: Any) -> str:
    return f"{value:.2%}" if isinstance(value, int | float) and not isinstance(value, bool) else "unknown"


def _contents(format_name: str, structure: Structure) -> Section:
    rows = []
    if structure.operators:
        rows.append(Row("graph", counted(structure.operators, "layers" if format_name == "Keras" else "nodes")))
    if structure.weights:
        rows.append(Row("weights", counted(structure.weights, "values")))
    if structure.samples:
        rows.append(Row("samples", counted(structure.samples, "images inside")))
    if structure.remark:
        rows.append(Row("note", structure.remark))
    return rows


def _provenance(structure: Structure, anatomy: Anatomy) -> Section:
    training = anatomy.card.training if anatomy.card else {}
    made = {name: str(training[name]) for name in _VERSIONS if name in training}
    exported = {name: str(version) for name, version in (anatomy.parity.made_with if anatomy.parity else {}).items()}
    rows: dict[str, dict[str, str]] = {
        "made by": structure.provenance,
        "trained with": made,
        "exported with": exported,
    }
    return [
        Row(label, ", ".join(f"{name} {value}" for name, value in facts.items())) for label, facts in rows.items() if facts
    ]
