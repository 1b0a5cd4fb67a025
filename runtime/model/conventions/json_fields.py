"""Descriptions of models in JSON that other tools wrote: reading them within limits, and checked access to their fields."""

import json
import math
import reprlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.conventions.facts import Fact
from edgeclf.runtime.model.label_formats import names_in_value
from edgeclf.runtime.model.labels import distinct_classes

MAX_BYTES = 16 << 20
"""Of a text file beside a model."""
_LARGEST = 1e6
"""No mean, deviation or side of an image is larger."""
_SMALL = 1_000


def read_text(path: Path) -> str:
    """The text of a small file. Raises ModelError."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ModelError(
                f"{path} is larger than {MAX_BYTES >> 20} MB; a description of a model is much smaller, remove it"
            )
        return data.decode("utf-8-sig")
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ModelError(f"{path} is not UTF-8 text; repair or remove it") from None


def read_fields(path: Path) -> "Fields | None":
    """The fields of a JSON object; None for JSON of another kind. Raises ModelError."""
    return parse_fields(read_text(path), path.name, str(path))


def parse_fields(text: str, name: str, where: str) -> "Fields | None":
    """The same for a text. name: of its source, for origins. where: the same for messages."""
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:  # ValueError: also numbers of more than 4300 digits
        raise ModelError(f"{where} is not JSON that can be read ({error}); repair or remove it") from None
    return Fields(value, name, where) if isinstance(value, dict) else None


@dataclass(frozen=True)
class Fields:
    """Checked access to the fields of a JSON object. A field that is missing or null is None.

    All methods raise ModelError, with the source and the value, for a field of the wrong type. name: of the source, such as
    `config.json`. where: what to call it in messages.
    """

    values: dict[str, Any]
    name: str
    where: str

    def __contains__(self, key: str) -> bool:
        return self.values.get(key) is not None

    def value(self, key: str) -> Any:
        return self.values.get(key)

    def text(self, key: str) -> str | None:
        value = self.values.get(key)
        if value is not None and not (isinstance(value, str) and len(value) <= _SMALL):
            self.refuse(key, "a short text")
        return value

    def flag(self, key: str) -> bool | None:
        value = self.values.get(key)
        if value is not None and not isinstance(value, bool):
            self.refuse(key, "true or false")
        return value

    def number(self, key: str) -> float | None:
        value = self.values.get(key)
        if value is None:
            return None
        if not _is_number(value):
            self.refuse(key, "a number")
        return float(value)

    def numbers(self, key: str) -> tuple[float, ...] | None:
        """One number, or one for each of up to four channels."""
        value = self.values.get(key)
        if value is None:
            return None
        listed = value if isinstance(value, list) else [value]
        if not (1 <= len(listed) <= 4 and all(map(_is_number, listed))):
            self.refuse(key, "one number, or one per channel")
        return tuple(map(float, listed))

    def side(self, key: str) -> int | None:
        """The side of an image in pixels."""
        value = self.values.get(key)
        if value is not None and not is_side(value):
            self.refuse(key, "a number of pixels")
        return value

    def inner(self, key: str) -> "Fields | None":
        """The fields of an object inside this one."""
        value = self.values.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.refuse(key, "an object with fields")
        return Fields(value, self.name, f"{self.where} ({key})")

    def first(self, key: str) -> "Fields | None":
        """The fields of the first object in a list; None if the list is empty."""
        value = self.values.get(key)
        if value is None or value == []:
            return None
        if not isinstance(value, list) or not isinstance(value[0], dict):
            self.refuse(key, "a list of objects with fields")
        return Fields(value[0], self.name, f"{self.where} ({key})")

    def classes(self, key: str) -> Fact[tuple[str, ...]] | None:
        """Names in the order of the outputs: a list, or an object with numbers. Raises OptionError, too."""
        value = self.values.get(key)
        if value is None:
            return None
        names = names_in_value(value)
        if names is None:
            self.refuse(key, "a list of names, or names by numbers from 0")
        return Fact(distinct_classes(names, f"{self.where} ({key})"), f"{self.name} ({key})")

    def refuse(self, key: str, wanted: str) -> NoReturn:
        found = reprlib.repr(self.values.get(key))
        raise ModelError(f"{self.where} gives {key} as {found}, which is not {wanted}; repair or remove it")


def is_side(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _LARGEST


def _is_number(value: object) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and -_LARGEST <= value <= _LARGEST and math.isfinite(value)  # type: ignore[operator,arg-type]


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number in JSON")
