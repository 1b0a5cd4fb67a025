"""What copies of images mean: a leak between splits, a wrong label, or only a copy."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from edgeclf.runtime.terminal.escaping import escape
from edgeclf.train.data.findings import Finding, Kind, Severity
from edgeclf.train.data.listing import SPLITS, Found


class Place(NamedTuple):
    """Where a file is; it may be in several places, as a link."""

    split: str
    label: str


Places = dict[str, list[Place]]


def places_of(found: Found) -> Places:
    """The places of each path."""
    places = defaultdict(list)
    for split in sorted(found, key=SPLITS.index):
        for label, paths in found[split].items():
            for path in paths:
                places[path].append(Place(split, label))
    return places


def copy_findings(group: tuple[str, ...], places: Places) -> Iterator[Finding]:
    """What a group of files with the same bytes is, by their splits and classes."""
    splits, labels = _where(group, places)
    if len(labels) > 1:
        yield replace(Finding.of(Kind.LABEL_NOISE, f"the same file is labelled {in_words(labels)}", *group), parts=splits)
    if len(splits) > 1:
        yield replace(Finding.of(Kind.LEAKAGE, f"the same file is in {in_words(splits)}", *group), parts=splits)
    if len(labels) == len(splits) == 1:
        detail = f"{len(group)} copies in {splits[0]}: {labels[0]}"
        yield replace(Finding.of(Kind.DUPLICATE, detail, *group), parts=splits)


def near_findings(groups: Iterable[tuple[str, ...]], places: Places) -> Iterator[Finding]:
    """What groups of images that look alike are: worth a look across splits or classes, else good to know."""
    for group in groups:
        splits, labels = _where(group, places)
        detail = f"look alike; in {in_words(splits)}: {in_words(labels)}"
        finding = replace(Finding.of(Kind.NEAR_DUPLICATE, detail, *group), parts=splits)
        yield finding if len(splits) + len(labels) > 2 else replace(finding, severity=Severity.NOTICE)


def in_words(names: Iterable[str]) -> str:
    """`a, b and c`."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _where(group: tuple[str, ...], places: Places) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The splits and the (escaped) classes of these files."""
    here = {place for path in group for place in places[path]}
    splits = sorted({split for split, _ in here}, key=SPLITS.index)
    return tuple(splits), tuple(sorted({escape(label) for _, label in here}))
