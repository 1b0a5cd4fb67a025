"""Images are decoded once; those that cannot be decoded are listed."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgeclf.runtime.errors import DatasetError, Reason
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.train.data.arrays import batches, load
from edgeclf.train.data.dataset import Split

LayOut = Callable[..., Path]
PREPROCESS = Preprocess((10, 12))


@pytest.fixture
def damaged(lay_out: LayOut) -> Split:
    """Twelve images of classes 0, 1, 2 in turn; 0, 3, 4, 8 and 11 are unreadable, for different reasons."""
    folder = lay_out({"all": 12}) / "all"
    (folder / "00.png").write_bytes(b"")
    (folder / "03.png").write_text("not an image")
    (folder / "04.png").write_bytes((folder / "04.png").read_bytes()[:600])
    (folder / "08.png").unlink()
    (folder / "11.png").unlink()
    (folder / "11.png").mkdir()
    return Split(tuple(str(folder / f"{n:02}.png") for n in range(12)), tuple(n % 3 for n in range(12)))


def test_images_come_through_preprocess_in_order(lay_out: LayOut) -> None:
    paths = sorted(map(str, lay_out({"all": 20}).rglob("*.png")))
    arrays = load(Split(tuple(paths), (0,) * 20), PREPROCESS, "train")
    np.testing.assert_array_equal(arrays.images, np.stack([PREPROCESS(path) for path in paths]))


def test_unreadable_images_are_listed_with_path_and_reason(damaged: Split) -> None:
    failures = load(damaged, PREPROCESS, "train").failures
    assert [(path, failure.reason) for path, failure in failures] == [
        (damaged.paths[0], Reason.EMPTY),
        (damaged.paths[3], Reason.NOT_AN_IMAGE),
        (damaged.paths[4], Reason.TRUNCATED),
        (damaged.paths[8], Reason.NOT_FOUND),
        (damaged.paths[11], Reason.NOT_A_FILE),
    ]


def test_images_stay_with_their_paths_when_others_fail(damaged: Split) -> None:
    arrays = load(damaged, PREPROCESS, "train")
    assert arrays.paths == tuple(damaged.paths[n] for n in (1, 2, 5, 6, 7, 9, 10))
    np.testing.assert_array_equal(arrays.images, np.stack([PREPROCESS(path) for path in arrays.paths]))


def test_labels_stay_with_their_images_when_others_fail(damaged: Split) -> None:
    arrays = load(damaged, PREPROCESS, "train")
    assert arrays.labels.tolist() == [n % 3 for n in (1, 2, 5, 6, 7, 9, 10)]
    assert len(arrays) == len(arrays.images) == 7


def test_grey_images_keep_their_channel_axis(lay_out: LayOut) -> None:
    paths = tuple(map(str, lay_out({"all": 3}).rglob("*.png")))
    assert load(Split(paths, (0, 0, 0)), Preprocess((10, 12), 1), "train").images.shape == (3, 10, 12, 1)


def test_a_large_array_is_memory_mapped(damaged: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeclf.train.data.arrays.IN_MEMORY_BYTES", 1000)
    arrays = load(damaged, PREPROCESS, "train", tmp_path / "cache.u8")
    assert isinstance(arrays.images, np.memmap)
    assert (tmp_path / "cache.u8").stat().st_size == 12 * 10 * 12 * 3


def test_a_memory_mapped_array_holds_the_same_images(
    damaged: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_memory = load(damaged, PREPROCESS, "train", tmp_path / "unused.u8")
    monkeypatch.setattr("edgeclf.train.data.arrays.IN_MEMORY_BYTES", 1000)
    mapped = load(damaged, PREPROCESS, "train", tmp_path / "cache.u8")
    np.testing.assert_array_equal(mapped.images, in_memory.images)
    assert (mapped.labels.tolist(), mapped.paths) == (in_memory.labels.tolist(), in_memory.paths)


def test_a_small_array_leaves_no_cache_file(damaged: Split, tmp_path: Path) -> None:
    load(damaged, PREPROCESS, "train", tmp_path / "cache.u8")
    assert not (tmp_path / "cache.u8").exists()


def test_a_split_without_readable_images_is_refused_with_the_first_failure(lay_out: LayOut) -> None:
    path = lay_out({"all": 1}) / "all" / "00.png"
    path.write_text("not an image")
    with pytest.raises(DatasetError, match=r"none of the 1 verification images .*00\.png: not JPEG"):
        load(Split((str(path),), (0,)), PREPROCESS, "verification")


def test_an_empty_split_is_refused() -> None:
    with pytest.raises(DatasetError, match="none of the 0 train images"):
        load(Split((), ()), PREPROCESS, "train")


@pytest.mark.parametrize(("count", "size", "expected"), [(7, 3, [3, 3, 1]), (6, 3, [3, 3]), (2, 32, [2]), (0, 3, [])])
def test_batches_cover_the_array_in_order(count: int, size: int, expected: list[int]) -> None:
    images = np.arange(count, dtype=np.uint8).reshape(count, 1, 1, 1)
    chunks = list(batches(images, size))
    assert [len(chunk) for chunk in chunks] == expected
    assert [int(value) for chunk in chunks for value in chunk.ravel()] == list(range(count))
