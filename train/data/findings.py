"""What the dataset doctor can find, and how bad each of it is."""

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path


class Severity(StrEnum):
    """Error: the result would be wrong, or training refuses. Warning: look at it. Notice: good to know."""

    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"


class Kind(StrEnum):
    """Everything that is looked for, the worst first."""

    LEAKAGE = "leakage"
    UNREADABLE = "unreadable"
    EMPTY_CLASS = "empty_class"
    MISSING_CLASS = "missing_class"
    LABEL_NOISE = "label_noise"
    CASE_TWINS = "case_twins"
    DUPLICATE = "duplicate"
    NEAR_DUPLICATE = "near_duplicate"
    FEW_IMAGES = "few_images"
    IMBALANCE = "imbalance"
    UNIFORM = "uniform"
    TINY = "tiny"
    ODD_MODE = "odd_mode"
    EXIF_ROTATED = "exif_rotated"
    WRONG_EXTENSION = "wrong_extension"


_ERRORS = {Kind.LEAKAGE, Kind.UNREADABLE, Kind.EMPTY_CLASS, Kind.MISSING_CLASS}
_NOTICES = {Kind.TINY, Kind.ODD_MODE, Kind.EXIF_ROTATED, Kind.WRONG_EXTENSION}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: with these files, or with the dataset where `paths` is empty. `detail` is printable text."""

    kind: Kind
    severity: Severity
    paths: tuple[str, ...]
    detail: str
    parts: tuple[str, ...] = ()
    """The splits that the files are in, for copies."""

    @classmethod
    def of(cls, kind: Kind, detail: str, *paths: str) -> "Finding":
        """With the severity that the kind usually has."""
        severity = Severity.ERROR if kind in _ERRORS else Severity.NOTICE if kind in _NOTICES else Severity.WARNING
        return cls(kind, severity, paths, detail)

    def moved(self, root: Path, home: Path) -> "Finding":
        """The same, with `home` in place of `root` in its paths."""
        return replace(self, paths=tuple(str(home / Path(path).relative_to(root)) for path in self.paths))


@dataclass(frozen=True, slots=True)
class Checkup:
    """How many images each split has of each class, what was found, and how many files were no images by extension."""

    counts: dict[str, dict[str, int]]
    findings: tuple[Finding, ...]
    skipped: int

    @property
    def images(self) -> int:
        return sum(sum(by_class.values()) for by_class in self.counts.values())

    def moved(self, root: Path, home: Path) -> "Checkup":
        """The same, with `home` in place of `root` in every path."""
        if home == root:
            return self
        return replace(self, findings=tuple(finding.moved(root, home) for finding in self.findings))

    def having(self, severity: Severity) -> int:
        """How many findings have this severity."""
        return sum(finding.severity is severity for finding in self.findings)
