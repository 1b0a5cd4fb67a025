"""Finding the same file twice, and the same photograph saved again."""

import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edgeclf.train.data.duplicates import exact_duplicates, look_alikes, near_duplicates, perceptual_hash

Write = Callable[[str, bytes], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """`write("a.png", b"...")` gives the path of a file with these bytes."""

    def write_file(name: str, data: bytes) -> str:
        path = os.path.join(tmp_path, name)
        with open(path, "wb") as file:
            file.write(data)
        return path

    return write_file


def photograph(seed: int, height: int = 240, width: int = 320) -> NDArray[np.uint8]:
    """Soft shapes, as in a photograph: grey uint8 `[height, width]`."""
    coarse = np.random.default_rng(seed).integers(30, 220, (24, 32), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def thumbnail(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA), np.uint8)


def as_jpeg(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    data = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, quality))[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)


def linked(hashes: NDArray[np.uint64], distance: int) -> list[tuple[int, ...]]:
    """What near_duplicates must return, found by comparing all pairs."""
    within = np.array([[(a ^ b).bit_count() <= distance for b in hashes.tolist()] for a in hashes.tolist()])
    reach = np.linalg.matrix_power(within.astype(float), len(hashes)) > 0
    return sorted({tuple(np.flatnonzero(row).tolist()) for row in reach if row.sum() > 1})


def test_files_with_the_same_bytes_are_a_group_in_the_order_given(write: Write) -> None:
    b, other, a, c = write("b", b"same"), write("other", b"else"), write("a", b"same"), write("c", b"same")
    assert exact_duplicates([b, other, a, c]) == [(b, a, c)]


def test_groups_are_in_the_order_of_their_first_files(write: Write) -> None:
    paths = [write("1", b"long one"), write("2", b"one"), write("3", b"one"), write("4", b"long one")]
    assert exact_duplicates(paths) == [(paths[0], paths[3]), (paths[1], paths[2])]


def test_different_files_of_equal_size_are_not_copies(write: Write) -> None:
    assert exact_duplicates([write("a", b"one"), write("b", b"two")]) == []


def test_the_same_path_twice_is_a_copy(write: Write) -> None:
    path = write("a", b"one")
    assert exact_duplicates([path, path]) == [(path, path)]


@pytest.mark.parametrize("link", [os.link, os.symlink], ids=["hard", "symbolic"])
def test_a_link_is_a_copy_of_its_target(write: Write, tmp_path: Path, link: Callable[[str, str], None]) -> None:
    path, linked_path = write("a", b"one"), str(tmp_path / "b")
    link(path, linked_path)
    assert exact_duplicates([path, linked_path]) == [(path, linked_path)]


def test_empty_files_are_not_copies(write: Write) -> None:
    assert exact_duplicates([write("a", b""), write("b", b"")]) == []


def test_files_that_are_missing_or_cannot_be_opened_have_no_copies(write: Write, tmp_path: Path) -> None:
    paths = [write("a", b"one"), str(tmp_path / "missing"), str(tmp_path), "nul\0name"]
    assert exact_duplicates(paths * 2) == [(paths[0], paths[0])]


def test_a_pipe_is_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert exact_duplicates([str(tmp_path / "pipe")] * 2) == []


def test_a_device_is_never_opened() -> None:
    assert exact_duplicates(["/dev/zero", "/dev/zero"]) == []


def test_names_that_are_not_utf_8_have_copies_too(write: Write) -> None:
    paths = [write(os.fsdecode(b"bee\xff\n\x1b[31m.png"), b"one"), write("a.png", b"one")]
    assert exact_duplicates(paths) == [tuple(paths)]


def test_a_file_of_unique_size_is_not_read(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [write("a", b"one"), write("b", b"other")]
    monkeypatch.setattr("builtins.open", None)
    assert exact_duplicates(paths) == []


@pytest.mark.parametrize("distance", [0, 1, 3, 6, 9])
def test_the_same_groups_are_found_as_by_comparing_all_pairs(distance: int) -> None:
    rng = np.random.default_rng(distance)
    hashes = rng.choice(rng.integers(0, 1 << 64, 30, dtype=np.uint64), 200)
    for _ in range(4):
        hashes ^= np.uint64(1) << rng.integers(0, 64, 200, dtype=np.uint64)
    assert near_duplicates(hashes, distance) == linked(hashes, distance)


@pytest.mark.parametrize("distance", [0, 6])
def test_equal_hashes_are_one_group(distance: int) -> None:
    assert near_duplicates(np.zeros(5000, np.uint64), distance) == [tuple(range(5000))]


@pytest.mark.parametrize("bit", [0, 31, 63])
def test_every_bit_counts(bit: int) -> None:
    assert near_duplicates(np.array([0, 1 << bit], np.uint64), 1) == [(0, 1)]


def test_hashes_that_differ_by_one_bit_too_many_are_not_near_duplicates() -> None:
    assert near_duplicates(np.array([0, 0b111], np.uint64), 2) == []


@pytest.mark.parametrize("hashes", [[], [7]], ids=["none", "one"])
def test_fewer_than_two_hashes_have_no_near_duplicates(hashes: list[int]) -> None:
    assert near_duplicates(np.array(hashes, np.uint64), 6) == []


@pytest.mark.parametrize("limit", [1 << 64, 1 << 10], ids=["scattered", "crowded"])
def test_memory_grows_with_the_hashes_and_not_with_their_pairs(limit: int) -> None:
    hashes = np.random.default_rng(0).integers(0, limit, 4_000, dtype=np.uint64)
    tracemalloc.start()
    near_duplicates(hashes)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000 * 1_000


def test_a_hash_has_a_bit_wherever_the_image_gets_brighter_to_the_right() -> None:
    ramp = np.tile(np.arange(0, 180, 20, dtype=np.uint8), (8, 1))
    assert (perceptual_hash(ramp), perceptual_hash(ramp[:, ::-1])) == ((1 << 64) - 1, 0)


@pytest.mark.parametrize(
    "change",
    [
        lambda image: as_jpeg(image, 25),
        lambda image: cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
        lambda image: cv2.resize(image, None, fx=1.5, fy=1.5),
        lambda image: cv2.convertScaleAbs(image, alpha=1.0, beta=15),
        lambda image: cv2.convertScaleAbs(image, alpha=0.85),
        lambda image: image[1:-1, 1:-1],
    ],
    ids=["saved again", "smaller", "larger", "brighter", "darker", "cropped"],
)
def test_an_altered_copy_of_a_photograph_is_found(change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]) -> None:
    images = [photograph(seed) for seed in range(20)] + [change(photograph(3))]
    assert look_alikes(np.stack([thumbnail(image) for image in images])) == [(3, 20)]


def test_two_copies_are_found_without_other_images() -> None:
    assert look_alikes(np.stack([thumbnail(photograph(1)), thumbnail(as_jpeg(photograph(1), 60))])) == [(0, 1)]


def test_images_of_a_fixed_camera_are_not_copies_because_of_their_background() -> None:
    background = photograph(0).astype(np.int64)
    rng = np.random.default_rng(0)
    scenes = [background + cv2.resize(rng.integers(-12, 13, (12, 16)).astype(np.float32), (320, 240)) for _ in range(150)]
    thumbnails = np.stack([thumbnail(np.clip(scene, 0, 255).astype(np.uint8)) for scene in scenes])
    assert near_duplicates(np.array([perceptual_hash(small) for small in thumbnails], np.uint64)) != []
    assert look_alikes(thumbnails) == []


def test_no_images_give_no_groups() -> None:
    assert look_alikes(np.zeros((0, 32, 32), np.uint8)) == []
