"""Reads the classes of a model without a card from a file, in the formats in which people and other tools write them."""

import codecs
from collections import Counter
from pathlib import Path

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.model.label_formats import names_in_json, names_in_text
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.plural import plural


def read_classes(path: Path) -> tuple[str, ...]:
    """Class names in the order of the model's outputs. Raises OptionError.

    The file has one class per line, with or without its number; or is a table with a column of numbers; or is JSON: a list
    of names, numbers by name or names by number, also inside Hugging Face's `config.json` or Lobe's `signature.json`.
    Numbers must run from 0. Names that occur twice get their number behind them, and a note says so.
    """
    text = _read(path)
    ends = text.strip()[:1] + text.strip()[-1:]
    is_json = path.suffix.lower() == ".json" or ends in ("[]", "{}")
    try:
        names = [name.strip() for name in (names_in_json(text) if is_json else names_in_text(text, path.suffix.lower()))]
    except ValueError as error:
        raise OptionError(f"cannot read the classes in {path}: {error}") from None
    if len(names) < 2:
        problem = f"{path} names {plural(len(names), 'class')}, but a classifier has at least two"
        raise OptionError(f"{problem}; write one class per line, in the order of the model's outputs")
    return _distinct(names, path)


def count_advice(named: int, outputs: int) -> str:
    """What to do if the number of classes that are named is not the model's number of outputs.

    >>> count_advice(1000, 1001)
    'the model probably has a background class, often as its first output: name it in the list, too'
    """
    if min(named, outputs) > 1 and outputs == named + 1:
        return "the model probably has a background class, often as its first output: name it in the list, too"
    if min(named, outputs) > 1 and outputs == named - 1:
        return "the list probably names a background class that the model does not have: take it out"
    return "name one class per output, in order"


def _read(path: Path) -> str:
    """The text, from UTF-8 or, if it starts with a byte order mark, UTF-16."""
    try:
        data = path.read_bytes()
        is_utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        text = data.decode("utf-16" if is_utf16 else "utf-8-sig")
    except OSError as error:
        raise OptionError(f"cannot read the classes in {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise _not_utf8(path, f" (byte 0x{error.object[error.start]:02x} in line {line})") from None
    if "\0" in text:
        raise _not_utf8(path, " (it holds zero bytes)")
    return text


def _not_utf8(path: Path, where: str) -> OptionError:
    return OptionError(f"cannot read the classes in {path}: it is not UTF-8 text{where}; save it as UTF-8")


def _distinct(names: list[str], path: Path) -> tuple[str, ...]:
    """The names; those that occur more than once with their number behind them, as ImageNet has two cranes."""
    counts = Counter(names)
    distinct = [f"{name} {number}" if counts[name] > 1 else name for number, name in enumerate(names)]
    repeated = [name for name in counts if counts[name] > 1]
    if len(set(distinct)) < len(distinct):
        raise OptionError(f"{path} names {repeated[0]!r} twice; give each class a name of its own")
    if repeated:
        example = next(new for new, old in zip(distinct, names, strict=True) if old == repeated[0])
        note(f"{path} names {_first(repeated)} more than once; each gets its number behind it, as in {example!r}")
    return tuple(distinct)


def _first(names: list[str]) -> str:
    more = f" and {plural(len(names) - 3, 'other name')}" if len(names) > 3 else ""
    return ", ".join(map(repr, names[:3])) + more
