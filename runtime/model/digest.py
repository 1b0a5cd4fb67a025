"""Digests of model files: without them, a single flipped bit silently changes the predictions.

`SHA256SUMS` beside the model files lists the digest of each. Since a model may be copied without that file, every model file
also carries its own digest: a field of fixed width in its metadata with the sha256 of the file, computed with the field set
to zeros.
"""

import hashlib
import re
from pathlib import Path

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.card import CARD_KEY, CARD_MEMBER

SUMS_NAME = "SHA256SUMS"
DIGEST_KEY = "edgeclf.sha256"
"""The key in ONNX `metadata_props`. The zip appended to a `.tflite` file has the comment `edgeclf.sha256:<digest>`."""
BLANK_DIGEST = "0" * 64
"""The placeholder that an exporter writes into the field and `embed_digest` replaces."""

# In ONNX, the tag of the field "value" (0x12) and its length (0x40 = 64) stand between key and value.
_FIELD = re.compile(rb"%s(?:\x12\x40|:)([0-9a-f]{64})" % re.escape(DIGEST_KEY.encode()))
_CARD_MARKS = (CARD_KEY.encode(), CARD_MEMBER.encode())


def model_id(path: Path) -> str:
    """The name of a model in result rows: the first 16 hexadecimal digits of its file's sha256."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def is_exported(data: bytes) -> bool:
    """Whether a model file, damaged or not, was made by edgeclf."""
    return any(mark in data for mark in _CARD_MARKS)


def embed_digest(data: bytes) -> bytes:
    """Fill in the blank digest field of a model file. Raises ValueError if there is no blank field."""
    field = _field(data)
    if field is None or field[1] != BLANK_DIGEST.encode():
        raise ValueError(f"the file has no blank {DIGEST_KEY} field")
    return data[: field.start(1)] + content_digest(data).encode() + data[field.end(1) :]


def embedded_digest(data: bytes) -> str | None:
    """The digest inside the file; None without one."""
    field = _field(data)
    return field[1].decode() if field else None


def content_digest(data: bytes) -> str:
    """The digest that the file should carry: its sha256, with the digest field, if any, read as zeros."""
    field = _field(data)
    if field is None:
        return hashlib.sha256(data).hexdigest()
    whole = memoryview(data)
    digest = hashlib.sha256(whole[: field.start(1)])
    digest.update(BLANK_DIGEST.encode())
    digest.update(whole[field.end(1) :])
    return digest.hexdigest()


def check_digest(path: Path, data: bytes) -> None:
    """Raise ModelError if the file has changed since its export.

    `SHA256SUMS` beside `path` comes first: a listed file passes if its digest agrees, and is refused otherwise. A file that
    is not listed must agree with its embedded digest. A file without an embedded digest passes only if it has no card
    either, as it then was not made by edgeclf.
    """
    if check_listed(path, data):
        return
    inner = embedded_digest(data)
    if inner is None and is_exported(data):
        raise ModelError(f"{path} carries a model card but no digest, so it is damaged; copy or export it again")
    if inner not in (None, content_digest(data)):
        raise ModelError(f"{path} is damaged: it does not match the digest inside; copy or export it again")


def check_listed(path: Path, data: bytes) -> bool:
    """Whether `SHA256SUMS` beside `path` lists the file. Raises ModelError if it lists another digest."""
    try:
        listed = read_sums(path.with_name(SUMS_NAME)).get(path.name)
    except OSError:
        return False
    if listed is not None and listed != hashlib.sha256(data).hexdigest():
        raise ModelError(f"{path} does not match its digest in {SUMS_NAME}; copy or export it again")
    return listed is not None


def read_sums(path: Path) -> dict[str, str]:
    """Digests by file name, from a file in the format of `sha256sum`."""
    lines = (line.split(" ", 1) for line in path.read_text("utf-8", "surrogateescape").split("\n") if " " in line)
    # The name has a blank or a star ("binary") in front, and the digest a backslash if the name is escaped.
    return {
        _unescape(name[1:]) if digest.startswith("\\") else name[1:]: digest.lstrip("\\").lower() for digest, name in lines
    }


def format_sums(digests: dict[str, str]) -> str:
    """Text for `sha256sum -c`, sorted by file name."""
    escaped = {name: name.replace("\\", r"\\").replace("\n", r"\n").replace("\r", r"\r") for name in digests}
    return "".join(
        f"{'' if escaped[name] == name else chr(92)}{digest}  {escaped[name]}\n" for name, digest in sorted(digests.items())
    )


def _unescape(name: str) -> str:
    return re.sub(r"\\(.)", lambda match: {"n": "\n", "r": "\r"}.get(match[1], match[1]), name)


def _field(data: bytes) -> re.Match[bytes] | None:
    """The last digest field, as the card in front of it may contain any text."""
    last = None
    for last in _FIELD.finditer(data):  # noqa: B007 (wanted after the loop)
        pass
    return last
