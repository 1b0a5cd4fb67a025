"""Cropped, resized and recompressed copies are found with a model, and nothing else is."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.images.decode import Checks, Pixels
from edgeclf.runtime.images.encode import encode_image
from edgeclf.train.data.alignment import SIDE, likeness, shared_by_all
from edgeclf.train.data.check import check
from edgeclf.train.data.duplicates import joined
from edgeclf.train.data.findings import Kind
from edgeclf.train.data.model_copies import MIN_LIKENESS, ByModel, candidates, embed
from tests.support.checkups import found, kinds, photograph
from tests.support.trained_run import KEPT_OUTPUTS

MODELS = [KEPT_OUTPUTS / name for name in ("model.onnx", "model.int8.tflite")]
NOTHING_SHARED = np.zeros((SIDE, SIDE), np.float32)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twenty different photographs in each of two classes."""
    for label, first in (("cat", 100), ("dog", 200)):
        folder = tmp_path / "photos" / "train" / label
        folder.mkdir(parents=True)
        for number in range(20):
            (folder / f"{number:02}.png").write_bytes(encode_image(photograph(first + number)))
    return tmp_path / "photos"


def crop(pixels: Pixels) -> bytes:
    """A JPEG without a tenth of the width and a twelfth of the height."""
    return encode_image(pixels[: len(pixels) * 11 // 12, len(pixels[0]) // 10 :], ".jpg", quality=60)


@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.name)
@pytest.mark.parametrize(
    ("folder", "severity"), [("train/cat", "notice"), ("train/dog", "warning")], ids=["one class", "two classes"]
)
def test_a_cropped_copy_is_reported_as_other_near_duplicates_are(
    photos: Path, model: Path, folder: str, severity: str
) -> None:
    (photos / folder / "copy.jpg").write_bytes(crop(photograph(103)))
    assert kinds(check(photos)) == set()
    assert found(check(photos, model=model), Kind.NEAR_DUPLICATE) == [(severity, ["train/cat/03.png", f"{folder}/copy.jpg"])]


def test_what_the_hashes_find_is_in_one_group_with_what_the_model_finds(photos: Path) -> None:
    (photos / "train/dog/copy.jpg").write_bytes(crop(photograph(103)))
    (photos / "train/cat/small.jpg").write_bytes(encode_image(cv2.resize(photograph(103), (120, 120)), ".jpg"))
    (finding,) = found(check(photos, model=MODELS[0]), Kind.NEAR_DUPLICATE)
    assert sorted(finding[1]) == ["train/cat/03.png", "train/cat/small.jpg", "train/dog/copy.jpg"]


def test_a_model_without_embeddings_is_refused_with_the_cure(photos: Path, onnx_model: Path) -> None:
    with pytest.raises(ModelError, match=r"no output embedding.*clf-export --outputs embedding"):
        check(photos, model=onnx_model)


@pytest.mark.parametrize("left", [0, 7, 14])
@pytest.mark.parametrize("top", [0, 5, 14])
def test_a_part_lies_over_its_whole_wherever_it_is(left: int, top: int) -> None:
    whole = photograph()
    part = whole[top : top + 146, left : left + 146]
    details = [np.asarray(cv2.resize(one[..., 0], (SIDE, SIDE), interpolation=cv2.INTER_AREA)) for one in (whole, part)]
    assert likeness(details[0], details[1], NOTHING_SHARED) > MIN_LIKENESS
    assert likeness(details[1], details[0], NOTHING_SHARED) > MIN_LIKENESS


def test_different_photographs_are_not_alike() -> None:
    details = np.array([cv2.resize(photograph(seed)[..., 0], (SIDE, SIDE)) for seed in range(12)], np.uint8)
    shared = shared_by_all(details)
    assert max(likeness(one, other, shared) for one in details[:6] for other in details[6:]) < 0.9


def test_what_all_images_share_does_not_make_them_alike() -> None:
    """Under a fixed camera, everything but a small part is the same."""
    details = np.array([cv2.resize(photograph()[..., 0], (SIDE, SIDE))] * 200, np.uint8)
    for number, image in enumerate(details):
        image[40:56, 40:56] = np.random.default_rng(number).integers(0, 256, (16, 16))
    one, other = details[:2]
    assert likeness(one, other, shared_by_all(details)) < MIN_LIKENESS < likeness(one, other, NOTHING_SHARED)


def test_candidates_are_the_nearest_whatever_the_number() -> None:
    rows = np.random.default_rng(0).normal(size=(1300, 8)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    cosines = rows @ rows.T
    np.fill_diagonal(cosines, -2)
    expected = {(min(i, int(j)), max(i, int(j))) for i in range(1300) for j in np.argsort(-cosines[i])[:3]}
    assert candidates(rows, 3) == sorted(expected)


@pytest.mark.parametrize(("count", "pairs"), [(0, []), (1, []), (2, [(0, 1)]), (3, [(0, 1), (0, 2), (1, 2)])])
def test_few_images_are_all_compared(count: int, pairs: list[tuple[int, int]]) -> None:
    assert candidates(np.eye(4, dtype=np.float32)[:count]) == pairs


def test_an_image_that_is_gone_has_no_embedding(photos: Path) -> None:
    by_model = ByModel.open(MODELS[0], Checks())
    rows = embed([str(photos / "gone.png"), str(photos / "train/cat/00.png")], by_model.classifier, by_model.checks)
    assert np.linalg.norm(rows, axis=1).tolist() == pytest.approx([0, 1])


def test_groups_that_share_an_image_are_one() -> None:
    assert joined([], 3) == []
    assert joined([(5, 6), (0, 3), (3, 1), (6, 2)], 7) == [(0, 1, 3), (2, 5, 6)]
