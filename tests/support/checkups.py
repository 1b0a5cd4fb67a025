"""What the tests of `clf-check` ask of a checkup, and the images that they add to a folder."""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeclf.train.data.findings import Checkup, Finding, Kind


def found(checkup: Checkup, kind: Kind) -> list[tuple[str, list[str]]]:
    """The severity and the file names (with at most two folders) of each finding of this kind."""
    findings = [finding for finding in checkup.findings if finding.kind is kind]
    return [(finding.severity, ["/".join(Path(path).parts[-3:]) for path in finding.paths]) for finding in findings]


def details(findings: Iterable[Finding], kind: Kind) -> list[str]:
    return [finding.detail for finding in findings if finding.kind is kind]


def details_by_name(checkup: Checkup, kind: Kind) -> dict[str, str]:
    """The detail of each finding of this kind, by the name of its file. All of them are notices."""
    findings = [finding for finding in checkup.findings if finding.kind is kind]
    assert {finding.severity for finding in findings} <= {"notice"}
    return {Path(path).name: finding.detail for finding in findings for path in finding.paths}


def kinds(checkup: Checkup) -> set[Kind]:
    return {finding.kind for finding in checkup.findings}


def noise(seed: int = 99, *shape: int) -> NDArray[np.uint8]:
    """uint8 noise, 40 x 48 RGB pixels by default. The images of `lay_out` have other seeds."""
    return np.random.default_rng(seed).integers(0, 256, shape or (40, 48, 3), dtype=np.uint8)


def photograph(seed: int = 5) -> NDArray[np.uint8]:
    """Soft shapes in 160 x 160 pixels, as in a photograph."""
    return np.asarray(cv2.resize(noise(seed, 6, 6, 3), (160, 160), interpolation=cv2.INTER_LINEAR), np.uint8)
