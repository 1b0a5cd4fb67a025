"""Reads the classes of a model without a card from a text or JSON file."""

import json
from pathlib import Path
from typing import Any

from edgeclf.runtime.errors import OptionError


def read_classes(path: Path) -> tuple[str, ...]:
    """Class names in the order of the model's outputs. Raises OptionError.

    The file has one class per line, or is JSON: a list of names, or the `class_indices` of Keras, `{"cat": 0, "dog": 1}`.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, ValueError) as error:
        raise OptionError(f"cannot read the classes in {path}: {getattr(error, 'strerror', None) or error}") from None
    ends = text.strip()[:1] + text.strip()[-1:]
    is_json = path.suffix.lower() == ".json" or ends in ("[]", "{}")
    names = _from_json(text, path) if is_json else [line.strip() for line in text.splitlines() if line.strip()]
    if len(names) < 2 or len(set(names)) < len(names):
        repeated = next((name for name in names if names.count(name) > 1), None)
        count = "1 class" if len(names) == 1 else f"{len(names)} classes"
        problem = f"names {count}, but a classifier has at least two" if repeated is None else f"names {repeated!r} twice"
        raise OptionError(f"{path} {problem}; write one class per line, in the order of the model's outputs")
    return tuple(names)


def _from_json(text: str, path: Path) -> list[str]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise OptionError(f"cannot read the classes in {path}: it is not JSON ({error}); write one class per line") from None
    names = _in_order(value) if isinstance(value, dict) else value
    if not isinstance(names, list) or not all(isinstance(name, str) and name.strip() for name in names):
        raise OptionError(f'{path} must hold a list such as ["cat", "dog"] or numbers from 0 such as {{"cat": 0, "dog": 1}}')
    return [name.strip() for name in names]


def _in_order(indices: dict[str, Any]) -> list[str] | None:
    """The names sorted by their numbers; None unless the numbers are 0, 1, 2 and so on."""
    numbers = list(indices.values())
    if not all(type(number) is int for number in numbers) or sorted(numbers) != list(range(len(numbers))):
        return None
    return sorted(indices, key=indices.__getitem__)
