"""Files that exist already: only those that edgeclf wrote itself may be replaced."""

import json
import os
from collections.abc import Callable
from pathlib import Path

from edgeclf.runtime.errors import OutputError


def refuse_foreign(path: Path, is_own: Callable[[Path], bool], advice: str = "choose another -o") -> None:
    """Raise OutputError if `path` is a file with content that `is_own` does not recognise. It may raise OSError.

    advice: what the user can do instead of removing the file.
    """
    if not os.path.isfile(path) or not os.path.getsize(path):
        return
    try:
        found_own = is_own(path)
    except OSError:  # what cannot be read cannot be recognised
        found_own = False
    if not found_own:
        raise OutputError(f"{path} exists already and is no earlier result of this command; {advice}, or move the file away")


def is_json_object(path: Path, *keys: str) -> bool:
    """Whether the file holds a JSON object with these keys. False without a file; raises OSError if it cannot be read."""
    try:
        with open(path, "rb") as file:
            content = json.loads(file.read() if file.peek(1).startswith(b"{") else b"")
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and content.keys() >= set(keys)
