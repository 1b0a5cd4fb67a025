"""Options for splitting, images that stay in one split, and the images of a quick trial."""

import re
import shutil
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeclf.runtime.errors import DatasetError, OptionError
from edgeclf.train.data.dataset import Dataset, scan
from edgeclf.train.data.splitting import Splitting, parse_shares
from tests.support import datasets
from tests.support.datasets import per_class

LayOut = Callable[..., Path]
PATIENTS = [f"p{number}" for number in range(10)]


def counts(dataset: Dataset) -> list[int]:
    return list(datasets.counts(dataset).values())


def splits_of(dataset: Dataset, group_of: Callable[[Path], object]) -> list[set[str]]:
    """For each group of images, the splits that it is in."""
    splits = defaultdict(set)
    for name, split in dataset.splits().items():
        for path in split.paths:
            splits[group_of(Path(path))].add(name)
    return list(splits.values())


def folder_name(path: Path) -> str:
    return path.parent.name


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ("0.8,0.1,0.1", (0.8, 0.1, 0.1)),
        ("80,10,10", (0.8, 0.1, 0.1)),
        (" 0.6, 0.2, 0.2", (0.6, 0.2, 0.2)),
        ("33.3,33.3,33.4", pytest.approx((0.333, 0.333, 0.334))),
    ],
    ids=["shares", "percentages", "blanks", "thirds"],
)
def test_shares_are_read_as_shares_or_percentages(text: str, shares: tuple[float, float, float]) -> None:
    assert Splitting(parse_shares(text)).shares == shares


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a,b,c",
        "0.8,0.2",
        "80,10,10,0",
        "8,1,1",
        "0.8,0.1,0.2",
        "0.9,0.1,0",
        "-0.2,0.6,0.6",
        "nan,0.5,0.5",
        "0.5,nan,0.5",
    ],
)
def test_invalid_shares_are_refused_with_their_value(text: str) -> None:
    with pytest.raises(OptionError, match=rf"--split takes .* not '{text}'"):
        Splitting(parse_shares(text))


@pytest.mark.parametrize("by", ["(", "*", "a{99999999999}"])
def test_an_invalid_regular_expression_is_refused(by: str) -> None:
    with pytest.raises(OptionError, match=rf"--split-by .*regular expression.*{re.escape(repr(by))}"):
        Splitting(by=by)


@pytest.mark.parametrize("limit", [0, -3])
def test_a_limit_below_one_image_is_refused(limit: int) -> None:
    with pytest.raises(OptionError, match=f"--limit .* not {limit}"):
        Splitting(limit=limit)


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(OptionError, match=r"--seed .* not -1"):
        Splitting(seed=-1)


def test_shares_set_the_sizes_of_the_splits(lay_out: LayOut) -> None:
    assert counts(scan(lay_out({"cat": 20, "dog": 40}), Splitting((0.6, 0.2, 0.2)))) == [36, 12, 12]


def test_the_other_splits_keep_their_ratio_if_one_exists(lay_out: LayOut) -> None:
    root = lay_out({"train/cat": 20, "train/dog": 20, "val/cat": 3, "val/dog": 3})
    assert counts(scan(root, Splitting((0.6, 0.2, 0.2)))) == [30, 6, 10]


@pytest.mark.parametrize("count", [3, 4])
def test_a_large_val_split_leaves_an_image_for_the_other_splits(lay_out: LayOut, count: int) -> None:
    dataset = scan(lay_out({"common": 30, "rare": count}), Splitting((0.05, 0.9, 0.05)))
    assert [per_class(split)[1] for split in dataset.splits().values()] == [1, count - 2, 1]


def test_the_splits_of_a_seed_do_not_change_between_versions(lay_out: LayOut) -> None:
    dataset = scan(lay_out({"cat": 20, "dog": 20}), Splitting(seed=3))
    assert [Path(path).parts[-2:] for path in dataset.test.paths] == [
        ("cat", "08.png"),
        ("cat", "18.png"),
        ("dog", "07.png"),
        ("dog", "12.png"),
    ]


def test_images_in_one_folder_stay_in_one_split(lay_out: LayOut) -> None:
    root = lay_out({f"{label}/{day}": 4 for label in ("cat", "dog") for day in PATIENTS})
    assert all(len(splits) == 1 for splits in splits_of(scan(root, Splitting(by="folder")), lambda path: path.parent))


@pytest.mark.parametrize("shares", [(0.8, 0.1, 0.1), (0.6, 0.2, 0.2), (0.2, 0.1, 0.7)], ids=str)
def test_equal_groups_meet_the_shares(lay_out: LayOut, shares: tuple[float, float, float]) -> None:
    root = lay_out({f"{label}/{day}": 10 for label in ("cat", "dog") for day in PATIENTS}, 4, 4)
    dataset = scan(root, Splitting(shares, "folder"))
    assert [per_class(split) for split in dataset.splits().values()] == [[round(100 * share)] * 2 for share in shares]


def test_images_without_a_group_fill_the_shares(lay_out: LayOut) -> None:
    dataset = scan(lay_out({"cat": 18, "cat/day": 7, "cat/night": 5, "dog": 30}), Splitting(by="folder"))
    assert ([per_class(split) for split in dataset.splits().values()], dataset.ungrouped) == ([[24, 24], [3, 3], [3, 3]], 48)


def test_folders_with_the_same_name_in_two_classes_are_two_groups(lay_out: LayOut) -> None:
    root = lay_out({f"{label}/{day}": 2 for label in ("cat", "dog") for day in PATIENTS})
    assert {"train", "test"} in splits_of(scan(root, Splitting(by="folder", seed=1)), folder_name)


@pytest.mark.parametrize("by", [r"/(p\d+)/", r"p\d+", r"(p\d)(/)"], ids=["group", "no group", "two groups"])
def test_images_with_the_same_match_stay_in_one_split_across_classes(lay_out: LayOut, by: str) -> None:
    root = lay_out({f"{label}/{patient}": 3 for label in ("cat", "dog") for patient in PATIENTS})
    dataset = scan(root, Splitting(by=by))
    assert all(len(splits) == 1 for splits in splits_of(dataset, folder_name))
    assert [per_class(split) for split in dataset.splits().values()] == [[24, 24], [3, 3], [3, 3]]


def test_an_expression_is_searched_in_the_path_from_its_class_on(lay_out: LayOut) -> None:
    layout = {f"train/{label}/{patient}": 3 for label in ("cat", "dog") for patient in PATIENTS}
    dataset = scan(lay_out(layout), Splitting(by=r"^(?:cat|dog)/(p\d+)/\d\d.png$"))
    assert (dataset.ungrouped, counts(dataset)) == (0, [48, 6, 6])


def test_single_images_go_to_splits_that_groups_left_too_small(lay_out: LayOut) -> None:
    root = lay_out({f"{label}{day}": count for label in ("cat", "dog") for day, count in (("", 10), ("/a", 20), ("/b", 20))})
    dataset = scan(root, Splitting((0.4, 0.3, 0.3), "folder"))
    assert [per_class(split) for split in dataset.splits().values()] == [[20, 20], [20, 20], [10, 10]]


@pytest.mark.parametrize("by", [r"/(p\d)/", r"/(p\d)?", r"/((?:p\d)?)"], ids=["no match", "no group", "empty group"])
def test_images_without_a_match_have_no_group_and_are_counted(lay_out: LayOut, by: str) -> None:
    dataset = scan(lay_out({"cat": 14, "cat/p1": 3, "cat/p2": 3, "dog": 20}), Splitting(by=by))
    assert (dataset.ungrouped, counts(dataset)) == (34, [32, 4, 4])


@pytest.mark.parametrize("by", ["folder", r"patient(\d+)"])
def test_a_grouping_without_any_group_is_refused_with_a_path(lay_out: LayOut, by: str) -> None:
    with pytest.raises(OptionError, match=rf"--split-by {re.escape(by)} .*'cat/00\.png'"):
        scan(lay_out({"cat": 10, "dog": 10}), Splitting(by=by))


def test_a_grouping_is_ignored_if_all_splits_exist(lay_out: LayOut) -> None:
    root = lay_out({f"{split}/{label}": 3 for split in ("train", "val", "test") for label in ("cat", "dog")})
    assert scan(root, Splitting(by="folder")) == scan(root)


def test_a_seed_decides_which_groups_go_where(lay_out: LayOut) -> None:
    root = lay_out({f"{label}/{day}": 4 for label in ("cat", "dog") for day in PATIENTS})
    first, again, other = (scan(root, Splitting(by="folder", seed=seed)) for seed in (5, 5, 6))
    assert first == again
    assert first.test != other.test


def test_three_groups_of_different_sizes_reach_three_splits(lay_out: LayOut) -> None:
    layout = {f"{label}/{day}": count for label in ("cat", "dog") for day, count in (("a", 50), ("b", 30), ("c", 20))}
    dataset = scan(lay_out(layout, 4, 4), Splitting(by="folder"))
    assert [per_class(split) for split in dataset.splits().values()] == [[50, 50], [30, 30], [20, 20]]


def test_a_class_in_too_few_groups_is_refused_with_the_number_that_it_needs(lay_out: LayOut) -> None:
    layout = {f"cat/{day}": 4 for day in PATIENTS} | {"dog/a": 9, "dog/b": 9}
    with pytest.raises(DatasetError, match=r"dog holds 2 groups .* at least 3$"):
        scan(lay_out(layout), Splitting(by="folder"))


def test_groups_that_cannot_reach_every_split_are_refused(lay_out: LayOut) -> None:
    # Each cat is in another split, and so is each dog. Then C and D share a split, and fish cannot be in three.
    folders = ("cat/A", "cat/B", "cat/C", "dog/A", "dog/B", "dog/D", "fish/C", "fish/D", "fish/E")
    with pytest.raises(DatasetError, match=r"class (cat|dog|fish) has no image in (train|val|test); .* --seed"):
        scan(lay_out(dict.fromkeys(folders, 2)), Splitting(by=r"/(\w)/"))


@pytest.mark.parametrize("seed", range(5))
def test_copies_of_a_file_stay_in_one_split(lay_out: LayOut, seed: int) -> None:
    root = lay_out({"cat": 12, "dog": 20})
    for path in sorted((root / "cat").iterdir()):
        shutil.copy(path, path.with_stem(f"{path.stem} copy"))
    assert all(len(splits) == 1 for splits in splits_of(scan(root, Splitting(seed=seed)), Path.read_bytes))


def test_copies_in_two_classes_stay_in_one_split(lay_out: LayOut) -> None:
    root = lay_out({"cat": 12, "dog": 4})
    for path in sorted((root / "cat").iterdir()):
        shutil.copy(path, root / "dog" / f"copy{path.name}")
    assert all(len(splits) == 1 for splits in splits_of(scan(root), Path.read_bytes))


def test_groups_that_share_a_copy_stay_in_one_split(lay_out: LayOut) -> None:
    root = lay_out({f"{label}/{patient}": 3 for label in ("cat", "dog") for patient in PATIENTS})
    for one, other in zip(PATIENTS[::2], PATIENTS[1::2], strict=True):
        shutil.copy(root / "cat" / one / "00.png", root / "dog" / other / "00.png")
    pairs = splits_of(scan(root, Splitting(by=r"/(p\d)/")), lambda path: int(path.parent.name[1:]) // 2)
    assert [len(splits) for splits in pairs] == [1] * 5


def test_a_class_that_consists_of_copies_is_too_small_to_split(lay_out: LayOut) -> None:
    root = lay_out({"cat": 9, "dog": 1})
    for number in range(1, 9):
        shutil.copy(root / "dog" / "00.png", root / "dog" / f"{number:02}.png")
    with pytest.raises(DatasetError, match=r"dog holds 1 .*equal files"):
        scan(root)


def test_a_limit_is_shared_among_splits_and_classes(lay_out: LayOut) -> None:
    dataset = scan(lay_out({"cat": 30, "dog": 60}), Splitting(limit=40))
    assert [per_class(split) for split in dataset.splits().values()] == [[16, 16], [2, 2], [2, 2]]


def test_other_classes_get_what_a_rare_class_cannot_fill(lay_out: LayOut) -> None:
    dataset = scan(lay_out({"cat": 40, "dog": 40, "rare": 4}), Splitting(limit=30))
    assert [sum(column) for column in zip(*map(per_class, dataset.splits().values()), strict=True)] == [13, 13, 4]


def test_each_existing_split_gets_its_share_of_a_limit(lay_out: LayOut) -> None:
    root = lay_out({f"{split}/{label}": 20 for split in ("train", "val", "test") for label in ("cat", "dog")})
    assert counts(scan(root, Splitting((0.6, 0.3, 0.1), limit=40))) == [24, 12, 4]


def test_a_limit_includes_the_split_that_is_taken_from_train(lay_out: LayOut) -> None:
    root = lay_out({f"{split}/{label}": 30 for split in ("train", "val") for label in ("cat", "dog")})
    assert counts(scan(root, Splitting(limit=40))) == [32, 4, 4]


def test_a_limit_above_the_number_of_images_changes_nothing(lay_out: LayOut) -> None:
    root = lay_out({"cat": 12, "dog": 20})
    assert scan(root, Splitting(limit=1000)) == scan(root)


def test_a_seed_decides_which_images_a_limit_keeps(lay_out: LayOut) -> None:
    root = lay_out({"cat": 30, "dog": 30})
    first, again, other = (
        {path for split in scan(root, Splitting(limit=20, seed=seed)).splits().values() for path in split.paths}
        for seed in (5, 5, 6)
    )
    assert (first == again, first == other) == (True, False)


@pytest.mark.parametrize(
    ("splits", "least"), [(("train",), 6), (("train", "test"), 20), (("train", "val", "test"), 20)], ids=str
)
def test_a_limit_without_an_image_for_each_class_and_split_is_refused_with_the_least_limit(
    lay_out: LayOut, splits: tuple[str, ...], least: int
) -> None:
    root = lay_out({f"{split}/{label}": 20 for split in splits for label in ("cat", "dog")})
    assert all(counts(scan(root, Splitting(limit=least))))
    with pytest.raises(OptionError, match=f"--limit {least - 1} .* at least {least}$"):
        scan(root, Splitting(limit=least - 1))
