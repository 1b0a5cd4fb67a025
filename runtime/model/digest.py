"""`SHA256SUMS` beside the artefacts: a single flipped bit in a model file otherwise answers differently in silence."""

import hashlib
import re
from pathlib import Path

from edgeclf.runtime.errors import ModelError

SUMS_NAME = "SHA256SUMS"


def check_digest(path: Path, data: bytes) -> None:
    """Raise ModelError when `SHA256SUMS` beside `path` lists the file with another digest; unlisted files pass."""
    try:
        listed = read_sums(path.with_name(SUMS_NAME)).get(path.name)
    except OSError:
        return
    if listed is not None and listed != hashlib.sha256(data).hexdigest():
        raise ModelError(f"{path} is not the file that {SUMS_NAME} beside it describes; copy or export it again")


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
