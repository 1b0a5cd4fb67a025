"""Everything that can be said about a model file without images."""

import hashlib
import json
import shlex
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.inspection.contract_check import ContractCheck, check_contract
from edgeclf.runtime.inspection.hdf5_file import read_hdf5
from edgeclf.runtime.inspection.keras_file import read_keras
from edgeclf.runtime.inspection.onnx_file import read_onnx
from edgeclf.runtime.inspection.other_tool import OtherTool, look_at_other_tool
from edgeclf.runtime.inspection.parity_report import ParityEntry, find_parity
from edgeclf.runtime.inspection.structure import Structure, json_safe
from edgeclf.runtime.inspection.tflite_file import read_tflite
from edgeclf.runtime.model.card import ModelCard
from edgeclf.runtime.model.conventions.package import ModelPackage, find_model
from edgeclf.runtime.model.digest import check_digest, check_listed, content_digest, embedded_digest
from edgeclf.runtime.model.formats import SAVED_MODEL, ModelFormat, is_runnable, model_format
from edgeclf.runtime.model.model_file import read_bytes
from edgeclf.runtime.sources.archives import is_archive

Inner = Literal["agrees", "differs", "missing", "none"]

_READERS: dict[ModelFormat, Callable[[bytes], Structure]] = {
    "SavedModel": lambda _: Structure(remark="clf-export reads its network and its weights"),
    "Keras": read_keras,
    "HDF5": read_hdf5,
    "ONNX": read_onnx,
    "TFLite": read_tflite,
}


@dataclass(frozen=True)
class Digests:
    """listed: the verdict of `SHA256SUMS` beside the file. inner: the verdict of the digest inside; `missing` if there
    should be one, `none` for a file from elsewhere and for a `.keras` file, whose members have checksums.
    """

    sha256: str
    listed: Literal["agrees", "differs", "not listed"]
    inner: Inner


@dataclass(frozen=True)
class ModelInfo:
    """problem: a sentence that says why the file cannot be used, or "". The other fields hold what is known anyway.

    file: what the user named, and where the model is in it. other_tool: what a model without a card says about itself.
    """

    file: str
    format: str
    bytes: int
    digests: Digests
    structure: Structure | None
    card: ModelCard | None
    contract: ContractCheck
    parity: ParityEntry | None
    problem: str
    other_tool: OtherTool | None = None

    def to_json(self) -> dict[str, Any]:
        """JSON values. The card is written as in the file."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in ("digests", "structure", "contract", "parity", "other_tool"):
            values[name] = asdict(values[name]) if values[name] is not None else None
        if values["structure"]:
            del values["structure"]["card_text"]
        values["card"] = json.loads(self.card.to_json()) if self.card else None
        return values


def inspect_model(path: Path) -> ModelInfo:
    """path: a model file, or a folder or an archive with one. Raises ModelError if nothing can be said about it."""
    with find_model(path) as package:
        return _inspect(package, path)


def _inspect(package: ModelPackage, named: Path) -> ModelInfo:
    path = package.path
    format_name = model_format(path)
    if format_name is None:  # find_model gives no other file
        raise ModelError(f"{path} is not a model file that can be read")
    data = read_bytes(path / SAVED_MODEL if format_name == "SavedModel" else path)
    digests, problem = _digests(path, data)
    structure, card = None, None
    try:
        structure = _READERS[format_name](data)
        if structure.card_text is not None:
            card = ModelCard.from_json(structure.card_text)
            card = replace(card, training=json_safe(card.training))
    except ModelError as error:
        problem = problem or f"{path}: {error}"
    if problem and structure is None and digests == Digests(digests.sha256, "not listed", "none"):
        raise ModelError(problem)
    other_tool, contract = None, ContractCheck("not tried", detail="a damaged file is not loaded")
    if not problem and card is None and (structure is None or structure.card_text is None):
        other_tool, contract = look_at_other_tool(package, named, data)
        problem = other_tool.problem if other_tool else ""
    elif not problem:
        contract = _check_contract(path)
    if contract.verdict == "unusable":
        problem = contract.detail
    info = ModelInfo(
        file=package.name,
        format=format_name,
        bytes=len(data),
        digests=digests,
        structure=structure,
        card=card,
        contract=contract,
        parity=find_parity(path, digests.sha256, len(data)),
        problem=problem,
        other_tool=other_tool,
    )
    return _as_in_archive(info, package, named) if is_archive(named) else info


def _as_in_archive(info: ModelInfo, package: ModelPackage, named: Path) -> ModelInfo:
    """The same, with the name of the model inside the archive instead of the file that was unpacked for a moment."""
    member = f"{named}: {package.name.removeprefix(str(named))[1:]}"

    def renamed(text: str) -> str:
        return text.replace(str(package.path), member)

    contract = replace(info.contract, detail=renamed(info.contract.detail))
    other_tool = info.other_tool and replace(info.other_tool, problem=renamed(info.other_tool.problem))
    return replace(info, file=member, parity=None, contract=contract, other_tool=other_tool, problem=renamed(info.problem))


def _digests(path: Path, data: bytes) -> tuple[Digests, str]:
    """The digests, and a sentence about what is wrong with them."""
    sha256 = hashlib.sha256(data).hexdigest()
    carried = embedded_digest(data) if is_runnable(path) else None
    inner: Inner = "none" if carried is None else "agrees" if carried == content_digest(data) else "differs"
    try:
        listed = check_listed(path, data)
    except ModelError as error:
        return Digests(sha256, "differs", inner), str(error)
    digests = Digests(sha256, "agrees" if listed else "not listed", inner)
    try:
        if is_runnable(path):
            check_digest(path, data)
    except ModelError as error:
        return replace(digests, inner="missing" if carried is None else "differs"), str(error)
    return digests, ""


def _check_contract(path: Path) -> ContractCheck:
    """For a file with a card."""
    if not is_runnable(path):
        return ContractCheck(
            "not tried", detail=f"a Keras file is for training; export it: clf-export {shlex.quote(str(path))}"
        )
    return check_contract(path)
