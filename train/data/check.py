"""Finds what is wrong with a folder of labelled images, file by file, before training."""

import statistics
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from edgeclf.runtime.cores import usable_cores
from edgeclf.runtime.errors import DatasetError, ImageError
from edgeclf.runtime.images.decode import Checks, Pixels, read_file
from edgeclf.runtime.images.formats.header import TRUNCATION_ERRORS, Header, read_header
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.model.prediction import Failure
from edgeclf.runtime.pipeline import ordered_map
from edgeclf.runtime.terminal.escaping import escape
from edgeclf.runtime.terminal.plural import plural
from edgeclf.runtime.terminal.progress import Progress
from edgeclf.train.data.alignment import SIDE
from edgeclf.train.data.class_folders import holds_images
from edgeclf.train.data.copy_findings import copy_findings, in_words, near_findings, places_of
from edgeclf.train.data.dataset import Dataset
from edgeclf.train.data.duplicates import exact_duplicates, joined, look_alikes
from edgeclf.train.data.findings import Checkup, Finding, Kind, Severity, ranked
from edgeclf.train.data.levels import brightest, too_dark
from edgeclf.train.data.listing import Found, Listing, class_name, describe_merged, list_images
from edgeclf.train.data.model_copies import ByModel
from edgeclf.train.data.modes import modes, orientation
from edgeclf.train.data.near_leaks import split_by_for
from edgeclf.train.data.reading import AS_USUAL, NO_CLASSES_CURE, Reading
from edgeclf.train.data.splitting import Splitting

FEW_IMAGES = 20
"""A class with fewer training images is reported."""
TINY_SIDE = 32
_QUICK = Checks()
_UNIFORM_DEVIATION = 2.0
"""Standard deviation, in levels of 255. The lowest value among 2,624 dark solar cells and 848 photographs is 4.2."""
_EXTENSIONS = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png",),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "TIFF": (".tif", ".tiff"),
    "WebP": (".webp",),
}
_PREPROCESS = Preprocess(
    (128, 128), 1
)  # four times the thumbnail: shrinking by a whole factor shifts small images by a pixel


def check(root: Path, reading: Reading = AS_USUAL, checks: Checks = _QUICK, model: Path | None = None) -> Checkup:
    """Look at every image once, on all cores, with progress. Writes nothing.

    model: an exported file with the output `embedding`, which finds more near-duplicates. Raises ModelError for another,
    and DatasetError if there is nothing to check: no folder, no images, fewer than two classes, no train split.
    """
    listing = list_images(root, reading)
    found = listing.found
    _check_usable(root, found)
    by_model = ByModel.open(model, checks) if model else None
    places = places_of(found)
    copies = exact_duplicates([path for path, everywhere in places.items() for _ in everywhere])
    images, findings = _inspect_all(list(places), checks, detailed=by_model is not None)
    findings += [finding for group in copies for finding in copy_findings(group, places)]
    findings += [
        *_check_classes(found),
        *_check_images(images),
        *near_findings(_near_groups(images, copies, by_model), places),
    ]
    findings += [*_check_layout(listing)]
    split_by = "" if listing.is_split else _split_by(listing, findings, copies)
    counts = {split: {name: len(paths) for name, paths in by_class.items()} for split, by_class in found.items()}
    return Checkup(counts, ranked(findings), listing.others, listing.passed_over, split_by)


def check_dataset(dataset: Dataset) -> list[Finding]:
    """Findings that need no further reading: copies, rare classes, classes with nearly the same name."""
    found = dataset.by_class()
    places = places_of(found)
    groups = [tuple(path for path in group if path in places) for group in dataset.copies]  # --limit leaves some out
    copies = [finding for group in groups if len(group) > 1 for finding in copy_findings(group, places)]
    return copies + _check_classes(found)


@dataclass(frozen=True, slots=True, eq=False)
class _Image:
    path: str
    header: Header
    modes: frozenset[str]
    orientation: int
    thumbnail: Pixels
    detail: Pixels | None
    """A larger one, only for a check by a model."""
    brightest: int | None = None
    """The largest value of an image of 16 bits."""

    @property
    def side(self) -> int:
        return min(self.header.width, self.header.height)

    @property
    def is_uniform(self) -> bool:
        return float(self.thumbnail.std()) < _UNIFORM_DEVIATION


def _check_usable(root: Path, found: Found) -> None:
    if not any(paths for by_class in found.values() for paths in by_class.values()):
        if root.is_dir() and holds_images(root):
            raise DatasetError(f"{root} holds images but no class folders; {NO_CLASSES_CURE}")
        raise DatasetError(f"{root} holds no class folders with images; name a folder with one sub-folder per class")
    if "train" not in found:
        raise DatasetError(f"{root} has {', '.join(found)} but no train folder")
    if len({name for by_class in found.values() for name in by_class}) < 2:
        raise DatasetError(f"{root} has only one class folder ({', '.join(found['train'])}); make one sub-folder per class")


def _near_groups(images: list[_Image], copies: list[tuple[str, ...]], by_model: ByModel | None) -> list[tuple[str, ...]]:
    """Compare one image of each group of exact copies. Uniform images are left out: all of them look alike."""
    repeated = {path for group in copies for path in group[1:] if path != group[0]}
    distinct = [image for image in images if image.path not in repeated and not image.is_uniform]
    groups = look_alikes(np.array([image.thumbnail for image in distinct], np.uint8).reshape(-1, 32, 32))
    if by_model:
        details = np.array([image.detail for image in distinct], np.uint8).reshape(-1, SIDE, SIDE)
        groups = joined([*groups, *by_model.pairs([image.path for image in distinct], details)], len(distinct))
    return [tuple(distinct[index].path for index in indexes) for indexes in groups]


def _split_by(listing: Listing, findings: list[Finding], copies: list[tuple[str, ...]]) -> str:
    """What keeps the near-duplicates together when the images are split."""
    groups = [finding.paths for finding in findings if finding.kind is Kind.NEAR_DUPLICATE]
    pairs = [(group[0], other) for group in groups for other in group[1:]]
    if not pairs:
        return ""
    by_class = listing.found["train"]
    classes = tuple(sorted(by_class))
    images = sorted((path, label) for label, name in enumerate(classes) for path in by_class[name])
    return split_by_for(images, pairs, classes, listing.top, copies, splitting=Splitting())


def _check_classes(found: Found) -> list[Finding]:
    names = sorted({name for by_class in found.values() for name in by_class})
    findings = []
    for split, by_class in found.items():
        for name in names:
            if name not in by_class:
                findings.append(
                    Finding.of(Kind.MISSING_CLASS, f"{escape(name)} is missing from {split}, but is a class elsewhere")
                )
            elif not by_class[name]:
                findings.append(Finding.of(Kind.EMPTY_CLASS, f"{escape(name)} has no images in {split}"))
    return findings + list(_twins(names)) + list(_rare(found.get("train", {})))


def _check_layout(listing: Listing) -> Iterator[Finding]:
    for doubt in listing.doubts:
        yield Finding.of(Kind.LAYOUT, doubt)
    for label in listing.merged:
        yield replace(Finding.of(Kind.CASE_TWINS, describe_merged(label)), severity=Severity.NOTICE)


def _twins(names: list[str]) -> Iterator[Finding]:
    """Class names that look the same."""
    alike = defaultdict(list)
    for name in names:
        alike[class_name(name.strip().casefold())].append(escape(name))
    for twins in alike.values():
        if len(twins) > 1:
            listed = in_words([f"'{name}'" for name in twins])
            yield Finding.of(Kind.CASE_TWINS, f"{listed} differ only in letter case or spaces")


def _rare(train: dict[str, list[str]]) -> Iterator[Finding]:
    counts = {escape(name): len(paths) for name, paths in train.items() if paths}
    for name, count in counts.items():
        if count < FEW_IMAGES:
            detail = f"{name} has {plural(count, 'training image')}; fewer than {FEW_IMAGES} teach little"
            yield Finding.of(Kind.FEW_IMAGES, detail)
    if not counts:
        return
    least, most = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
    ratio = counts[most] / counts[least]
    detail = f"{most} has {counts[most]:,} training images, {least} has {counts[least]:,}: {ratio:,.1f} times as many"
    if ratio > 10:
        yield Finding.of(Kind.IMBALANCE, detail)
    elif ratio > 3:
        yield replace(Finding.of(Kind.IMBALANCE, detail), severity=Severity.NOTICE)


def _inspect_all(paths: list[str], checks: Checks, *, detailed: bool) -> tuple[list[_Image], list[Finding]]:
    images: list[_Image] = []
    unreadable: list[Finding] = []
    inspect = partial(_inspect, checks=checks, detailed=detailed)
    with Progress("checking", len(paths)) as progress:
        for path, seen in zip(paths, ordered_map(inspect, paths, usable_cores()), strict=True):
            if isinstance(seen, Failure):
                unreadable.append(Finding.of(Kind.UNREADABLE, f"{seen.reason}: {escape(seen.detail)}", path))
            else:
                images.append(seen)
            progress.advance()
    return images, unreadable


def _inspect(path: str, checks: Checks, *, detailed: bool) -> _Image | Failure:
    try:
        data = read_file(path)
        pixels = _PREPROCESS.prepare(data, checks).pixels
        header = read_header(data)
    except ImageError as error:
        return Failure.of(error)
    thumbnail, detail = _shrunk(pixels, 32), _shrunk(pixels, SIDE) if detailed else None
    try:
        turned = orientation(data) if header.format == "JPEG" else 1
        kinds = modes(data, header)
        value = brightest(data, header) if "16-bit" in kinds else None
        return _Image(path, header, kinds, turned, thumbnail=thumbnail, detail=detail, brightest=value)
    except TRUNCATION_ERRORS:  # the image decodes despite its odd header
        return _Image(path, header, frozenset(), 1, thumbnail=thumbnail, detail=detail)


def _shrunk(grey: Pixels, side: int) -> Pixels:
    return np.asarray(cv2.resize(grey, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def _check_images(images: list[_Image]) -> list[Finding]:
    if not images:
        return []
    median = statistics.median(image.side for image in images)
    greys = sum("grey" in image.modes for image in images)
    usual = "grey" if 2 * greys > len(images) else "colour"
    findings = [finding for image in images for finding in _check_image(image, median, usual)]
    if problem := too_dark([image.brightest for image in images if image.brightest is not None]):
        findings.append(Finding.of(Kind.FEW_LEVELS, problem))
    if median < TINY_SIDE:
        findings.append(Finding.of(Kind.TINY, f"half of the images have a side of at most {median:g} pixels"))
    return findings


def _check_image(image: _Image, median: float, usual: str) -> Iterator[Finding]:
    path, header = image.path, image.header
    colours = "grey" if "grey" in image.modes else "colour"
    modes = sorted(image.modes - {"grey"}) + ([f"{colours} among {usual} images"] if colours != usual else [])
    if modes:
        yield Finding.of(Kind.ODD_MODE, ", ".join(modes), path)
    if image.orientation != 1:
        yield Finding.of(Kind.EXIF_ROTATED, f"EXIF orientation {image.orientation}", path)
    if image.side < TINY_SIDE <= median or image.side < median / 4:
        detail = f"{header.width} x {header.height} pixels; half of all images have sides of {median:g} or more"
        yield Finding.of(Kind.TINY, detail, path)
    if image.is_uniform:
        yield Finding.of(Kind.UNIFORM, f"one level of brightness (about {image.thumbnail.mean():.0f} of 255)", path)
    if not path.lower().endswith(_EXTENSIONS[header.format]):
        yield Finding.of(Kind.WRONG_EXTENSION, f"is a {header.format} file", path)
