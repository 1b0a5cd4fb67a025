"""Digests of model files: a single flipped bit in one otherwise answers differently in silence.

`SHA256SUMS` beside the artefacts holds one for each. People copy a model alone, too, so every artefact also carries its own:
a field of fixed width in its metadata with the sha256 of the file, that field itself read as zeros.
"""

import hashlib
import re
from pathlib import Path

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.card import CARD_KEY, CARD_MEMBER

SUMS_NAME = "SHA256SUMS"
DIGEST_KEY = "edgeclf.sha256"
"""The key in ONNX `metadata_props`; the comment of the zip appended to a `.tflite` file is this, a colon and the digest."""
BLANK_DIGEST = "0" * 64
"""What an exporter writes into the field, for `embed_digest` to fill in."""

# In ONNX, between key and value stand the tag of the field "value" (0x12) and its length (0x40 = 64).
_FIELD = re.compile(rb"%s(?:\x12\x40|:)([0-9a-f]{64})" % re.escape(DIGEST_KEY.encode()))
_CARD_MARKS = (CARD_KEY.encode(), CARD_MEMBER.encode())


def model_id(path: Path) -> str:
    """How rows name a model: the first 16 hexadecimal digits of its file's sha256."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def embed_digest(data: bytes) -> bytes:
    """The file with its blank digest field filled in. Raises ValueError where it has none."""
    field = _field(data)
    if field is None or field[1] != BLANK_DIGEST.encode():
        raise ValueError(f"the file has no blank {DIGEST_KEY} field")
    return data[: field.start(1)] + content_digest(data).encode() + data[field.end(1) :]


def embedded_digest(data: bytes) -> str | None:
    """The digest that the file carries, or None where it carries none."""
    field = _field(data)
    return field[1].decode() if field else None


def content_digest(data: bytes) -> str:
    """The digest that the file ought to carry: the sha256 of it, the field, if there is one, read as zeros."""
    field = _field(data)
    if field is None:
        return hashlib.sha256(data).hexdigest()
    whole = memoryview(data)
    digest = hashlib.sha256(whole[: field.start(1)])
    digest.update(BLANK_DIGEST.encode())
    digest.update(whole[field.end(1) :])
    return digest.hexdigest()


def check_digest(path: Path, data: bytes) -> None:
    """Raise ModelError for a file that is not as it was exported.

    `SHA256SUMS` beside `path` goes first: a file that it lists with this digest passes, with another is refused. One that it
    does not list is held against its own digest; without one it passes only if it carries no card: then it is not ours.
    """
    if check_listed(path, data):
        return
    inner = embedded_digest(data)
    if inner is None and any(mark in data for mark in _CARD_MARKS):
        raise ModelError(f"{path} carries a model card but no digest, so it is damaged; copy or export it again")
    if inner not in (None, content_digest(data)):
        raise ModelError(f"{path} is damaged: the digest inside is that of another file; copy or export it again")


def check_listed(path: Path, data: bytes) -> bool:
    """Whether `SHA256SUMS` beside `path` lists the file. Raises ModelError when it does so with another digest."""
    try:
        listed = read_sums(path.with_name(SUMS_NAME)).get(path.name)
    except OSError:
        return False
    if listed is not None and listed != hashlib.sha256(data).hexdigest():
        raise ModelError(f"{path} is not the file that {SUMS_NAME} beside it describes; copy or export it again")
    return listed is not None


def read_sums(path: Path) -> dict[str, str]:
    """File name to hex digest, from the format of `sha256sum`."""
    lines = (line.split(" ", 1) for line in path.read_text("utf-8", "surrogateescape").split("\n") if " " in line)
    # Before the name stands a blank, or a star for "binary"; before the digest a backslash if the name is escaped.
    return {
        _unescape(name[1:]) if digest.startswith("\\") else name[1:]: digest.lstrip("\\").lower() for digest, name in lines
    }


def format_sums(digests: dict[str, str]) -> str:
    """The text that `sha256sum -c` accepts, sorted by file name."""
    escaped = {name: name.replace("\\", r"\\").replace("\n", r"\n").replace("\r", r"\r") for name in digests}
    return "".join(
        f"{'' if escaped[name] == name else chr(92)}{digest}  {escaped[name]}\n" for name, digest in sorted(digests.items())
    )


def _unescape(name: str) -> str:
    return re.sub(r"\\(.)", lambda match: {"n": "\n", "r": "\r"}.get(match[1], match[1]), name)


def _field(data: bytes) -> re.Match[bytes] | None:
    """The last field, if there are several: the card before it may hold any text."""
    last = None
    for last in _FIELD.finditer(data):  # noqa: B007 (wanted after the loop)
        pass
    return last
