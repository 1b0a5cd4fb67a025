"""Images that are in two splits: training refuses them, leaves them out of the training, or out of the score."""

from collections.abc import Iterable
from dataclasses import replace

from edgeclf.runtime.errors import DatasetError, ImageError
from edgeclf.runtime.images.decode import read_file
from edgeclf.runtime.images.formats.header import read_header
from edgeclf.runtime.terminal.plural import plural
from edgeclf.train.data.dataset import Dataset, Dropped, Split, as_split
from edgeclf.train.data.findings import Finding, Kind
from edgeclf.train.data.listing import SPLITS


def refusals(findings: Iterable[Finding]) -> list[Finding]:
    """The findings that make the test accuracy wrong: test images that are in another split as well."""
    leaks = [finding for finding in findings if finding.kind is Kind.LEAKAGE and "test" in finding.parts]
    return [leak for leak in leaks if _is_image(leak.paths[0])]  # not two copies of one error page: training skips both


def refusal(leaks: list[Finding]) -> str:
    """The sentence that explains why training refuses these leaks."""
    splits = sorted({split for leak in leaks for split in leak.parts}, key=SPLITS.index)
    count = f"{plural(len(leaks), 'image')} {'is' if len(leaks) == 1 else 'are'}"
    where = f"both {_and(splits)}" if len(splits) == 2 else f"more than one of {_and(splits)}"
    first, last = leaks[0].paths[0], leaks[0].paths[-1]  # from the first and the last split
    if "train" in splits:
        cure = "pass --drop-leaks to leave them out of the training, or --allow-leakage to leave them out of the score"
    else:
        cure = "remove one of each, or pass --allow-leakage to leave them out of the score"
    return f"{count} in {where} (first: {first} = {last}); {cure}"


def drop_leaks(dataset: Dataset) -> Dataset:
    """The dataset without training images that are copies of validation or test images; `dropped` lists them.

    Raises DatasetError if a class has no training image left.
    """
    split_of = {path: name for name in ("val", "test") for path in dataset.splits()[name].paths}
    original = {
        path: kept[-1]
        for group in dataset.copies
        if (kept := [path for path in group if path in split_of])
        for path in group
    }
    labelled = list(zip(dataset.train.paths, dataset.train.labels, strict=True))
    dropped = tuple(Dropped(path, label, original[path]) for path, label in labelled if path in original)
    train = as_split([(path, label) for path, label in labelled if path not in original])
    for label, name in enumerate(dataset.classes):
        if label not in train.labels:
            raise DatasetError(
                f"every training image of class {name!r} is a copy of a validation or test image; add others, or leave out "
                "--drop-leaks and pass --allow-leakage"
            )
    if not dropped:
        return dataset
    others = _and(sorted({split_of[image.copy_of] for image in dropped}, key=SPLITS.index))
    count = plural(len(dropped), "image")
    sentence = f"{count} left out of the training, because {others} holds the same files; split.csv lists them as dropped"
    return replace(dataset, train=train, dropped=dropped, notes=(*dataset.notes, sentence))


def without_leaks(dataset: Dataset) -> Dataset:
    """The dataset without validation images that are trained on, and without test images that training uses.

    Its notes and `left_out` say how many. A validation split that would be empty is kept, and a note says what that means.
    Raises DatasetError if no test image is left.
    """
    trained = set(dataset.train.paths)
    seen = trained | set(dataset.val.paths)
    repeated = [set(group) for group in dataset.copies]
    val = _without(dataset.val, [group for group in repeated if group & trained])
    test = _without(dataset.test, [group for group in repeated if group & seen])
    if not len(test):
        raise DatasetError("every test image is used in training as well; name other images with --test")
    notes = []
    if not len(val):
        notes.append("every validation image is trained on, so the validation accuracy is too high")
        val = dataset.val
    left_out = {"test": len(dataset.test) - len(test), "validation": len(dataset.val) - len(val)}
    for split, count in left_out.items():
        of_score = " of the score" if split == "test" else ""
        if count:
            notes.append(f"{plural(count, f'{split} image')} left out{of_score}, because training uses the same files")
    return replace(dataset, val=val, test=test, notes=(*dataset.notes, *notes), left_out=left_out)


def _without(split: Split, groups: list[set[str]]) -> Split:
    dropped = set().union(*groups)
    return as_split([(path, label) for path, label in zip(split.paths, split.labels, strict=True) if path not in dropped])


def _is_image(path: str) -> bool:
    try:
        read_header(read_file(path))
    except ImageError:
        return False
    return True


def _and(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if names[1:] else names[0]
