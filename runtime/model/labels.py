"""Reads the classes of a model without a card from a file, in the formats in which people and other tools write them."""

import codecs
import re
import reprlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePath

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.model.label_formats import names_in_json, names_in_text
from edgeclf.runtime.spelling import near
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.plural import plural

_MAX_BYTES = 16 << 20
_MAX_CLASSES = 100_000


def read_classes(path: Path) -> tuple[str, ...]:
    """Class names in the order of the model's outputs. Raises OptionError.

    The file has one class per line, with or without its number; or is a table with a column of numbers; or is JSON: a list
    of names, numbers by name or names by number, also inside Hugging Face's `config.json` or Lobe's `signature.json`.
    Numbers must run from 0. Names that occur twice get their number behind them, and a note says so.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        cure = near(path) or "write the names of the classes into it, one per line"
        raise OptionError(f"the list of classes {path} does not exist; {cure}") from None
    except OSError as error:
        cure = "name a file with one class per line"
        raise OptionError(f"cannot read the classes in {path}: {error.strerror}; {cure}") from None
    if len(data) > _MAX_BYTES:
        raise OptionError(f"{path} is larger than {_MAX_BYTES >> 20} MB; name a file that holds only the names of classes")
    return classes_in(data, str(path))


def classes_in(data: bytes, name: str) -> tuple[str, ...]:
    """The same for the bytes of a file. name: of the file, for messages; its suffix says what kind of file it is."""
    text, suffix = _decode(data, name), PurePath(name).suffix.lower()
    ends = text.strip()[:1] + text.strip()[-1:]
    is_json = suffix == ".json" or ends in ("[]", "{}")
    try:
        names = names_in_json(text) if is_json else names_in_text(text, suffix)
    except ValueError as error:
        raise OptionError(f"cannot read the classes in {name}: {error}") from None
    return distinct_classes(names, name)


def distinct_classes(names: Sequence[object], source: str) -> tuple[str, ...]:
    """The names without spaces around them; those that occur twice with their number. source: of the names, for messages.

    Raises OptionError unless there are from 2 to 100,000 names, all of them texts that can be written.
    """
    if not 2 <= len(names) <= _MAX_CLASSES:
        limit = "at least two" if len(names) < 2 else f"at most {_MAX_CLASSES:,}"
        problem = f"{source} names {plural(len(names), 'class')}, but a classifier has {limit}"
        raise OptionError(f"{problem}; write one class per line, in the order of the model's outputs")
    wrong = next((name for name in names if not _is_text(name)), None)
    if wrong is not None or None in names:
        raise OptionError(f"{source} has the class {reprlib.repr(wrong)}, which is not a text; write names of classes")
    return _distinct([str(name).strip() for name in names], source)


def _is_text(name: object) -> bool:
    """Half of a surrogate pair, as JSON can hold it, cannot be written anywhere."""
    return isinstance(name, str) and bool(name.strip()) and not re.search("[\ud800-\udfff]", name)


def count_advice(named: int, outputs: int) -> str:
    """What to do if the number of classes that are named is not the model's number of outputs.

    >>> count_advice(1000, 1001)
    'name one per output; perhaps the model has a background class, often as its first output'
    """
    if min(named, outputs) > 1 and outputs == named + 1:
        return "name one per output; perhaps the model has a background class, often as its first output"
    if min(named, outputs) > 1 and outputs == named - 1:
        return "name one per output; perhaps the list names a background class that the model does not have"
    return "name one class per output, in order"


def _decode(data: bytes, name: str) -> str:
    """The text, from UTF-8 or, if it starts with a byte order mark, UTF-16."""
    is_utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if is_utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise _not_utf8(name, f" (byte 0x{error.object[error.start]:02x} in line {line})") from None
    if "\0" in text:
        raise _not_utf8(name, " (it holds zero bytes)")
    return text


def _not_utf8(name: str, where: str) -> OptionError:
    return OptionError(f"cannot read the classes in {name}: it is not UTF-8 text{where}; save it as UTF-8")


def _distinct(names: list[str], file: str) -> tuple[str, ...]:
    """The names; those that occur more than once with their number behind them, as ImageNet has two cranes."""
    counts = Counter(names)
    distinct = [f"{name} {number}" if counts[name] > 1 else name for number, name in enumerate(names)]
    repeated = [name for name in counts if counts[name] > 1]
    if len(set(distinct)) < len(distinct):
        raise OptionError(f"{file} names {repeated[0]!r} twice; give each class a name of its own")
    if repeated:
        example = next(new for new, old in zip(distinct, names, strict=True) if old == repeated[0])
        note(f"{file} names {_first(repeated)} more than once; each gets its number behind it, as in {example!r}")
    return tuple(distinct)


def _first(names: list[str]) -> str:
    more = f" and {plural(len(names) - 3, 'other name')}" if len(names) > 3 else ""
    return ", ".join(map(repr, names[:3])) + more
