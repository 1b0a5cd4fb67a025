"""What determines the rows of a run: a later run continues an earlier one only if all of it is the same."""

from pathlib import Path
from typing import Any

from edgeclf.runtime.errors import OutputError

Fingerprint = dict[str, Any]
"""`model`, and every option that affects the rows, by its name on the command line."""
SOURCES = "--source"
"""The entry that may differ if the sources have moved."""


def check_fingerprint(made_with: Fingerprint, fingerprint: Fingerprint, where: str | Path, *, sources_moved: bool) -> None:
    """Raise OutputError if existing rows, made with `made_with`, differ from `fingerprint`; it names the first difference.

    where: what holds the rows. sources_moved: the sources may have other names, but must be as many.
    """
    different = [name for name in {**made_with, **fingerprint} if made_with.get(name) != fingerprint.get(name)]
    if sources_moved and SOURCES in different and len(made_with.get(SOURCES, ())) == len(fingerprint[SOURCES]):
        different.remove(SOURCES)
    if different:
        name = different[0]
        moved = "; if they are the same images in a new place, add --sources-moved" if name == SOURCES else ""
        then, now = _as_flag(name, made_with.get(name)), _as_flag(name, fingerprint.get(name))
        raise OutputError(
            f"{where} was made with {then}, not {now}{moved}; use the same options, choose another -o, or start again with "
            "--restart"
        )


def _as_flag(name: str, value: Any) -> str:
    if value is None or value is False:
        return f"no {name}"
    values = value if isinstance(value, list) else [value]
    return name if value is True else " ".join(f"{name} {one}" for one in values)
