"""Everything that can be said about a model file without images."""

import hashlib
import json
import stat
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
from edgeclf.runtime.model.backend import export_advice
from edgeclf.runtime.model.card import ModelCard
from edgeclf.runtime.model.conventions.package import ModelPackage, find_model
from edgeclf.runtime.model.digest import check_digest, check_listed, content_digest, embedded_digest
from edgeclf.runtime.model.formats import ModelFormat, check_content, is_runnable, model_format

Inner = Literal["agrees", "differs", "missing", "none"]

_READERS: dict[ModelFormat, Callable[[bytes], Structure]] = {
    "Keras": read_keras,
    "HDF5": read_hdf5,
    "ONNX": read_onnx,
    "TFLite": read_tflite,
}
_MAX_BYTES = 2 << 30  # the limit of protobuf and flatbuffers


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

    other_tool: what a model without a card says about itself.
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
    if model_format(path) and path.is_file():
        return _inspect(path, None)
    with find_model(path) as package:
        return _inspect(package.path, package)


def _inspect(path: Path, package: ModelPackage | None) -> ModelInfo:
    """package: how the file was found; None if the user named it."""
    format_name = model_format(path)
    if format_name is None:
        raise ModelError(
            f"{path} is not a .onnx, .tflite, .keras or .h5 file; without a file, clf-inspect shows this machine"
        )
    data = _read(path)
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
    other_tool = None
    if not problem and card is None and (structure is None or structure.card_text is None):
        other_tool = _other_tool(path, package, data)
    contract = _check_contract(path, problem)
    if contract.verdict == "unusable":
        problem = contract.detail
    parity = find_parity(path, digests.sha256, len(data))
    return ModelInfo(
        file=str(path),
        format=format_name,
        bytes=len(data),
        digests=digests,
        structure=structure,
        card=card,
        contract=contract,
        parity=parity,
        problem=problem,
        other_tool=other_tool,
    )


def _other_tool(path: Path, package: ModelPackage | None, data: bytes) -> OtherTool:
    if package is not None:
        return look_at_other_tool(package, data)
    with find_model(path) as found:
        return look_at_other_tool(found, data)


def _read(path: Path) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ModelError(f"{path} is not a file")
        if status.st_size > _MAX_BYTES:
            raise ModelError(f"{path} is larger than {_MAX_BYTES >> 30} GB, which no engine of edgeclf can run")
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read the model {path}: {error.strerror}") from None
    check_content(path, data)
    return data


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


def _check_contract(path: Path, problem: str) -> ContractCheck:
    if problem:
        return ContractCheck("not tried", detail="a damaged file is not loaded")
    if not is_runnable(path):
        return ContractCheck("not tried", detail=f"a Keras file is for training; {export_advice(path)}")
    return check_contract(path)
