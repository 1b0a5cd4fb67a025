"""Options of a split, what stays together, and what a quick trial takes."""

import shutil
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeclf.runtime.errors import DatasetError, OptionError
from edgeclf.train.data.dataset import Dataset, Split, scan
from edgeclf.train.data.splitting import Splitting, parse_shares

LayOut = Callable[..., Path]
PATIENTS = [f"p{number}" for number in range(10)]


def counts(dataset: Dataset) -> list[int]:
    return [len(split) for split in dataset.splits().values()]


def per_class(split: Split) -> list[int]:
    return [count for _, count in sorted(Counter(split.labels).items())]


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
def test_shares_that_are_none_are_refused_with_what_they_were(text: str) -> None:
    with pytest.raises(OptionError, match=rf"--split takes .* not '{text}'"):
        Splitting(parse_shares(text))


@pytest.mark.parametrize("by", ["(", "*", "a{99999999999}"])
def test_what_is_no_regular_expression_is_refused(by: str) -> None:
    with pytest.raises(OptionError, match="--split-by takes folder or a regular expression"):
        Splitting(by=by)


@pytest.mark.parametrize("limit", [0, -3])
def test_a_limit_below_one_image_is_refused(limit: int) -> None:
    with pytest.raises(OptionError, match=f"--limit must be at least 1 image, not {limit}"):
        Splitting(limit=limit)


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(OptionError, match="--seed must be at least 0, not -1"):
        Splitting(seed=-1)


def test_shares_set_the_sizes_of_the_parts(lay_out: LayOut) -> None:
    assert counts(scan(lay_out({"cat": 20, "dog": 40}), Splitting((0.6, 0.2, 0.2)))) == [36, 12, 12]


def test_beside_a_part_that_is_there_the_others_keep_their_ratio(lay_out: LayOut) -> None:
    root = lay_out({"train/cat": 20, "train/dog": 20, "val/cat": 3, "val/dog": 3})
    assert counts(scan(root, Splitting((0.6, 0.2, 0.2)))) == [30, 6, 10]


@pytest.mark.parametrize("count", [3, 4])
def test_a_large_val_part_leaves_an_image_to_the_other_parts(lay_out: LayOut, count: int) -> None:
    dataset = scan(lay_out({"common": 30, "rare": count}), Splitting((0.05, 0.9, 0.05)))
    assert [per_class(split)[1] for split in dataset.splits().values()] == [1, count - 2, 1]


def test_a_split_without_groups_or_copies_stays_what_it_was(lay_out: LayOut) -> None:
    dataset = scan(lay_out({"cat": 20, "dog": 20}), Splitting(seed=3))
    assert [Path(path).parts[-2:] for path in dataset.test.paths] == [
        ("cat", "08.png"),
        ("cat", "18.png"),
        ("dog", "07.png"),
        ("dog", "12.png"),
    ]


def test_images_of_one_folder_stay_on_one_side(lay_out: LayOut) -> None:
    root = lay_out({f"{label}/{day}": 4 for label in ("cat", "dog") for day in PATIENTS})
    assert all(len(splits) == 1 for splits in splits_of(scan(root, Splitting(by="folder")), lambda path: path.parent))


@pytest.mark.parametrize("shares", [(0.8, 0.1, 0.1), (0.6, 0.2, 0.2), (0.2, 0.1, 0.7)], ids=str)
def test_equal_groups_meet_the_shares(lay_out: LayOut, shares: tuple[float, float, float]) -> None:
    root = lay_out({f"{label}/{day}": 10 for label in ("cat", "dog") for day in PATIENTS}, 4, 4)
    dataset = scan(root, Splitting(shares, "folder"))
    assert [per_class(split) for split in dataset.splits().values()] == [[round(100 * share)] * 2 for share in shares]


def test_images_beside_the_folders_fill_what_the_groups_leave(lay_out: LayOut) -> None:
    dataset = scan(lay_out({"cat": 18, "cat/day": 7, "cat/night": 5, "dog": 30}), Splitting(by="folder"))
    assert ([per_class(split) for split in dataset.splits().values()], dataset.ungrouped) == ([[24, 24], [3, 3], [3, 3]], 48)


def test_folders_of_one_name_in_two_classes_are_two_groups(lay_out: LayOut) -> None:
    root = lay_out({f"{label}/{day}": 2 for label in ("cat", "dog") for day in PATIENTS})
    assert {"train", "test"} in splits_of(scan(root, Splitting(by="folder", seed=1)), folder_name)


@pytest.mark.parametrize("by", [r"/(p\d+)/", r"p\d+", r"(p\d)(/)"], ids=["group", "no group", "two groups"])
def test_what_an_expression_matches_alike_stays_on_one_side_across_classes(lay_out: LayOut, by: str) -> None:
    root = lay_out({f"{label}/{patient}": 3 for label in ("cat", "dog") for patient in PATIENTS})
    dataset = scan(root, Splitting(by=by))
    assert all(len(splits) == 1 for splits in splits_of(dataset, folder_name))
    assert [per_class(split) for split in dataset.splits().values()] == [[24, 24], [3, 3], [3, 3]]


def test_an_expression_sees_the_path_from_its_class_on(lay_out: LayOut) -> None:
    layout = {f"train/{label}/{patient}": 3 for label in ("cat", "dog") for patient in PATIENTS}
    dataset = scan(lay_out(layout), Splitting(by=r"^(?:cat|dog)/(p\d+)/\d\d.png$"))
    assert (dataset.ungrouped, counts(dataset)) == (0, [48, 6, 6])


def test_single_images_go_where_groups_left_too_few(lay_out: LayOut) -> None:
    root = lay_out({f"{label}{day}": count for label in ("cat", "dog") for day, count in (("", 10), ("/a", 20), ("/b", 20))})
    dataset = scan(root, Splitting((0.4, 0.3, 0.3), "folder"))
    assert [per_class(split) for split in dataset.splits().values()] == [[20, 20], [20, 20], [10, 10]]


@pytest.mark.parametrize("by", [r"/(p\d)/", r"/(p\d)?", r"/((?:p\d)?)"], ids=["no match", "no group", "empty group"])
def test_images_that_no_expression_matches_are_for_themselves_and_counted(lay_out: LayOut, by: str) -> None:
    dataset = scan(lay_out({"cat": 14, "cat/p1": 3, "cat/p2": 3, "dog": 20}), Splitting(by=by))
    assert (dataset.ungrouped, counts(dataset)) == (34, [32, 4, 4])


@pytest.mark.parametrize("by", ["folder", r"patient(\d+)"])
def test_a_grouping_that_finds_no_group_is_refused_with_a_path(lay_out: LayOut, by: str) -> None:
    with pytest.raises(OptionError, match=r"--split-by .* finds no group in any path, such as 'cat/00\.png'"):
        scan(lay_out({"cat": 10, "dog": 10}), Splitting(by=by))


def test_a_grouping_that_finds_no_group_does_no_harm_where_nothing_is_cut(lay_out: LayOut) -> None:
    root = lay_out({f"{split}/{label}": 3 for split in ("train", "val", "test") for label in ("cat", "dog")})
    assert scan(root, Splitting(by="folder")) == scan(root)


def test_a_seed_decides_which_groups_go_where(lay_out: LayOut) -> None:
    root = lay_out({f"{label}/{day}": 4 for label in ("cat", "dog") for day in PATIENTS})
    first, again, other = (scan(root, Splitting(by="folder", seed=seed)) for seed in (5, 5, 6))
    assert first == again
    assert first.test != other.test


def test_three_uneven_groups_still_reach_three_parts(lay_out: LayOut) -> None:
    layout = {f"{label}/{day}": count for label in ("cat", "dog") for day, count in (("a", 50), ("b", 30), ("c", 20))}
    dataset = scan(lay_out(layout, 4, 4), Splitting(by="folder"))
    assert [per_class(split) for split in dataset.splits().values()] == [[50, 50], [30, 30], [20, 20]]


def test_a_class_in_too_few_groups_is_named_with_the_least_number(lay_out: LayOut) -> None:
    layout = {f"cat/{day}": 4 for day in PATIENTS} | {"dog/a": 9, "dog/b": 9}
    with pytest.raises(DatasetError, match=r"class dog holds 2 groups of images .* too few to split; 3 it needs at least"):
        scan(lay_out(layout), Splitting(by="folder"))


def test_groups_in_each_others_way_are_refused_with_a_class_and_a_part(lay_out: LayOut) -> None:
    # All three cats are apart, and so are all dogs: then D is where C is, and fish cannot be in three splits.
    folders = ("cat/A", "cat/B", "cat/C", "dog/A", "dog/B", "dog/D", "fish/C", "fish/D", "fish/E")
    with pytest.raises(DatasetError, match=r"class \w+ has no image in \w+; try another --seed"):
        scan(lay_out(dict.fromkeys(folders, 2)), Splitting(by=r"/(\w)/"))


@pytest.mark.parametrize("seed", range(5))
def test_copies_of_a_file_never_lie_on_two_sides(lay_out: LayOut, seed: int) -> None:
    root = lay_out({"cat": 12, "dog": 20})
    for path in sorted((root / "cat").iterdir()):
        shutil.copy(path, path.with_stem(f"{path.stem} copy"))
    assert all(len(splits) == 1 for splits in splits_of(scan(root, Splitting(seed=seed)), Path.read_bytes))


def test_copies_under_two_classes_stay_on_one_side(lay_out: LayOut) -> None:
    root = lay_out({"cat": 12, "dog": 4})
    for path in sorted((root / "cat").iterdir()):
        shutil.copy(path, root / "dog" / f"copy{path.name}")
    assert all(len(splits) == 1 for splits in splits_of(scan(root), Path.read_bytes))


def test_a_copy_joins_the_groups_that_it_is_in(lay_out: LayOut) -> None:
    root = lay_out({f"{label}/{patient}": 3 for label in ("cat", "dog") for patient in PATIENTS})
    for one, other in zip(PATIENTS[::2], PATIENTS[1::2], strict=True):
        shutil.copy(root / "cat" / one / "00.png", root / "dog" / other / "00.png")
    pairs = splits_of(scan(root, Splitting(by=r"/(p\d)/")), lambda path: int(path.parent.name[1:]) // 2)
    assert [len(splits) for splits in pairs] == [1] * 5


def test_a_class_of_copies_is_too_small_to_split(lay_out: LayOut) -> None:
    root = lay_out({"cat": 9, "dog": 1})
    for number in range(1, 9):
        shutil.copy(root / "dog" / "00.png", root / "dog" / f"{number:02}.png")
    with pytest.raises(DatasetError, match=r"class dog holds 1 groups of images \(--split-by, or equal files\)"):
        scan(root)


def test_a_limit_is_shared_among_parts_and_classes(lay_out: LayOut) -> None:
    dataset = scan(lay_out({"cat": 30, "dog": 60}), Splitting(limit=40))
    assert [per_class(split) for split in dataset.splits().values()] == [[16, 16], [2, 2], [2, 2]]


def test_what_a_rare_class_lacks_goes_to_the_others(lay_out: LayOut) -> None:
    dataset = scan(lay_out({"cat": 40, "dog": 40, "rare": 4}), Splitting(limit=30))
    assert [sum(column) for column in zip(*map(per_class, dataset.splits().values()), strict=True)] == [13, 13, 4]


def test_each_part_that_is_there_gets_its_share_of_a_limit(lay_out: LayOut) -> None:
    root = lay_out({f"{split}/{label}": 20 for split in ("train", "val", "test") for label in ("cat", "dog")})
    assert counts(scan(root, Splitting((0.6, 0.3, 0.1), limit=40))) == [24, 12, 4]


def test_a_limit_counts_a_part_that_is_cut(lay_out: LayOut) -> None:
    root = lay_out({f"{split}/{label}": 30 for split in ("train", "val") for label in ("cat", "dog")})
    assert counts(scan(root, Splitting(limit=40))) == [32, 4, 4]


def test_a_limit_above_all_images_changes_nothing(lay_out: LayOut) -> None:
    root = lay_out({"cat": 12, "dog": 20})
    assert scan(root, Splitting(limit=1000)) == scan(root)


def test_a_seed_decides_which_images_a_limit_leaves(lay_out: LayOut) -> None:
    root = lay_out({"cat": 30, "dog": 30})
    first, again, other = (
        {path for split in scan(root, Splitting(limit=20, seed=seed)).splits().values() for path in split.paths}
        for seed in (5, 5, 6)
    )
    assert (first == again, first == other) == (True, False)


@pytest.mark.parametrize(
    ("splits", "least"), [(("train",), 6), (("train", "test"), 20), (("train", "val", "test"), 20)], ids=str
)
def test_a_limit_too_small_for_every_class_and_part_names_the_least(
    lay_out: LayOut, splits: tuple[str, ...], least: int
) -> None:
    root = lay_out({f"{split}/{label}": 20 for split in splits for label in ("cat", "dog")})
    assert all(counts(scan(root, Splitting(limit=least))))
    with pytest.raises(OptionError, match=f"--limit {least - 1} is too few .* {least} use at least"):
        scan(root, Splitting(limit=least - 1))
