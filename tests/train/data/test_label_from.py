"""Flat folders, whose file names begin with the class."""

from collections.abc import Callable
from pathlib import Path

import pytest

from edgeclf.runtime.errors import DatasetError, OptionError
from edgeclf.train.data.check import check
from edgeclf.train.data.dataset import scan
from edgeclf.train.data.reading import Reading
from tests.support.datasets import counts, write_csv

LayOut = Callable[..., Path]
BY_NAME = Reading(label_from=r"(\w+)\.")


@pytest.fixture
def flat(lay_out: LayOut) -> Path:
    """10 cats and 10 dogs in one folder, some of them in a folder below."""
    root = lay_out({"": 12, "more": 8})
    for number, path in enumerate(sorted(root.rglob("*.png"))):
        path.rename(path.with_name(f"{('cat', 'dog')[number % 2]}.{number}.png"))
    return root


def test_the_class_is_what_the_file_name_begins_with(flat: Path) -> None:
    dataset = scan(flat, reading=BY_NAME)
    assert (dataset.classes, counts(dataset)) == (("cat", "dog"), {"train": 16, "val": 2, "test": 2})
    assert check(flat, BY_NAME).counts == {"train": {"cat": 10, "dog": 10}}


def test_names_that_do_not_match_are_counted_and_the_first_is_named(flat: Path) -> None:
    for name in ("-1.png", "-2.png"):
        (flat / "cat.0.png").with_name(name).write_bytes((flat / "cat.0.png").read_bytes())
    with pytest.raises(DatasetError, match=r"no class in the names of 2 of 22 images, the first of them .*-1\.png"):
        scan(flat, reading=BY_NAME)


@pytest.mark.parametrize("text", ["(", r"\w+", "(?:a)", "*"])
def test_an_expression_without_a_group_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(OptionError, match=r"--label-from .* not .*\(\\w\+\)"):
        Reading(label_from=text)


def test_a_csv_file_has_its_own_labels(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"--label-from is for folders, .*pets\.csv"):
        scan(write_csv(tmp_path / "pets.csv", ["path,label"]), reading=BY_NAME)


def test_a_flat_folder_is_refused_with_the_expression_that_reads_it(lay_out: LayOut) -> None:
    flat = lay_out({"": 9})
    for read in (scan, check):
        with pytest.raises(DatasetError, match=r"--label-from '\(\\w\+\)\\\.'"):
            read(flat)
