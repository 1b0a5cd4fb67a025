"""What `clf-check` can find, and how severe it is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path


class Severity(StrEnum):
    """Error: the result would be wrong, or training refuses. Warning: look at it. Notice: good to know."""

    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"


class Kind(StrEnum):
    """Every kind of finding, the worst first."""

    LEAKAGE = "leakage"
    UNREADABLE = "unreadable"
    EMPTY_CLASS = "empty_class"
    MISSING_CLASS = "missing_class"
    LAYOUT = "layout"
    LABEL_NOISE = "label_noise"
    LABEL_ERROR = "label_error"
    CASE_TWINS = "case_twins"
    DUPLICATE = "duplicate"
    NEAR_DUPLICATE = "near_duplicate"
    FEW_IMAGES = "few_images"
    IMBALANCE = "imbalance"
    FEW_LEVELS = "few_levels"
    UNIFORM = "uniform"
    TINY = "tiny"
    ODD_MODE = "odd_mode"
    EXIF_ROTATED = "exif_rotated"
    WRONG_EXTENSION = "wrong_extension"


MEANINGS = {
    Kind.LEAKAGE: "the same file in two splits; the measured accuracy would be wrong",
    Kind.UNREADABLE: "cannot be decoded; training leaves it out",
    Kind.EMPTY_CLASS: "a class folder without images",
    Kind.MISSING_CLASS: "a class that is in some splits only",
    Kind.LAYOUT: "folders that may be meant otherwise, or images that do not count",
    Kind.LABEL_NOISE: "the same file in two classes; one label is wrong",
    Kind.LABEL_ERROR: "probably the wrong label, by what the other images teach; look at it",
    Kind.CASE_TWINS: "class names that look the same; perhaps one class",
    Kind.DUPLICATE: "the same file twice; copies could end up in two splits",
    Kind.NEAR_DUPLICATE: "a photograph that was saved twice, or taken twice in a row",
    Kind.FEW_IMAGES: "too few images to learn a class from",
    Kind.IMBALANCE: "one class has far more images than another",
    Kind.FEW_LEVELS: "few levels of brightness: sensor values in 16-bit files",
    Kind.UNIFORM: "a single colour; perhaps a covered lens or a black frame",
    Kind.TINY: "far smaller than the rest, or smaller than 32 pixels",
    Kind.ODD_MODE: "not plain colour, or unlike the rest; training converts it",
    Kind.EXIF_ROTATED: "stored rotated; edgeclf rotates it back, others may not",
    Kind.WRONG_EXTENSION: "the suffix does not match the contents",
}
"""What each kind of finding means, for people."""
_ERRORS = {Kind.LEAKAGE, Kind.UNREADABLE, Kind.EMPTY_CLASS, Kind.MISSING_CLASS}
_NOTICES = {Kind.TINY, Kind.ODD_MODE, Kind.EXIF_ROTATED, Kind.WRONG_EXTENSION}


@dataclass(frozen=True, slots=True)
class WrongLabel:
    """A label that the other images speak against. label, suggested: names of classes.

    label_probability, suggested_probability: what a model that has not seen the image says of both, 0 to 1.
    """

    label: str
    suggested: str
    label_probability: float
    suggested_probability: float


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem with these files, or with the whole dataset if `paths` is empty. detail: printable text."""

    kind: Kind
    severity: Severity
    paths: tuple[str, ...]
    detail: str
    parts: tuple[str, ...] = ()
    """The splits that the files are in, for copies."""
    wrong_label: WrongLabel | None = None
    """For label errors."""

    @classmethod
    def of(cls, kind: Kind, detail: str, *paths: str) -> "Finding":
        """A finding with the usual severity of its kind."""
        severity = Severity.ERROR if kind in _ERRORS else Severity.NOTICE if kind in _NOTICES else Severity.WARNING
        return cls(kind, severity, paths, detail)

    def moved(self, root: Path, home: Path) -> "Finding":
        """The same finding with `home` instead of `root` in its paths."""
        return replace(self, paths=tuple(str(home / Path(path).relative_to(root)) for path in self.paths))


@dataclass(frozen=True, slots=True)
class Checkup:
    """counts: images by split and class. others: files without an image extension, by kind. passed_over: the sentence about
    folders that hold no images of the data set; empty if there are none.
    split_by: the value of `--split-by` that keeps near-duplicates in one split; empty if they have a split, or without one.
    """

    counts: dict[str, dict[str, int]]
    findings: tuple[Finding, ...]
    others: Mapping[str, int]
    passed_over: str = ""
    split_by: str = ""

    def adding(self, findings: Iterable[Finding]) -> "Checkup":
        """The same with further findings, the worst kind first; within a kind and a severity, they keep their order."""
        return replace(self, findings=ranked([*self.findings, *findings]))

    @property
    def skipped(self) -> int:
        """The number of files that are not images."""
        return sum(self.others.values())

    @property
    def images(self) -> int:
        return sum(sum(by_class.values()) for by_class in self.counts.values())

    def moved(self, root: Path, home: Path) -> "Checkup":
        """The same with `home` instead of `root` in every path."""
        if home == root:
            return self
        return replace(self, findings=tuple(finding.moved(root, home) for finding in self.findings))

    def having(self, severity: Severity) -> int:
        """The number of findings with this severity."""
        return sum(finding.severity is severity for finding in self.findings)


def ranked(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The worst kind first, and the most severe of a kind."""
    kinds, severities = list(Kind), list(Severity)
    return tuple(sorted(findings, key=lambda finding: (kinds.index(finding.kind), severities.index(finding.severity))))
