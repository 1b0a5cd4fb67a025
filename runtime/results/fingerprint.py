"""What rows are made with: an earlier run's are gone on with only where that is the same."""

from pathlib import Path
from typing import Any

from edgeclf.runtime.errors import OutputError

Fingerprint = dict[str, Any]
"""What the rows are made with: `model`, and every option that makes a difference, by its name on the command line."""
SOURCES = "--source"
"""The part of a fingerprint that may differ where an earlier run is taken up elsewhere."""


def check_fingerprint(made_with: Fingerprint, fingerprint: Fingerprint, where: str | Path, *, elsewhere: bool) -> None:
    """Raise OutputError when the rows that are there were made with something else than `fingerprint`; it names the first.

    where: what holds the rows, for the sentence. elsewhere: the sources, as many as they were, may be named otherwise.
    """
    different = [name for name in {**made_with, **fingerprint} if made_with.get(name) != fingerprint.get(name)]
    if elsewhere and SOURCES in different and len(made_with.get(SOURCES, ())) == len(fingerprint[SOURCES]):
        different.remove(SOURCES)
    if different:
        name = different[0]
        moved = "; if they are the same images, moved, add --resume" if name == SOURCES else ""
        raise OutputError(
            f"{where} was made with {_spelt(name, made_with.get(name))}, not {_spelt(name, fingerprint.get(name))}{moved}; "
            f"repeat that, choose another -o, or begin anew with --restart"
        )


def _spelt(name: str, value: Any) -> str:
    if value is None or value is False:
        return f"no {name}"
    values = value if isinstance(value, list) else [value]
    return name if value is True else " ".join(f"{name} {one}" for one in values)
