"""Random changes in training, and in training only."""

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeclf.train.networks.augment import augmentation


@pytest.fixture
def images() -> NDArray[np.float32]:
    return np.random.default_rng(0).integers(0, 256, (16, 20, 24, 3)).astype(np.float32)


def test_pictures_are_changed_in_training(images: NDArray[np.float32]) -> None:
    changed = np.asarray(augmentation(0)(images, training=True))
    assert np.abs(changed - images).reshape(16, -1).max(axis=1).min() > 1


def test_pictures_keep_their_shape_and_range(images: NDArray[np.float32]) -> None:
    changed = np.asarray(augmentation(0)(images, training=True))
    assert changed.shape == images.shape
    assert changed.min() >= 0
    assert changed.max() <= 255


def test_edges_are_filled_with_picture_not_with_black() -> None:
    white = np.full((32, 20, 24, 1), 200, np.float32)
    changed = np.asarray(augmentation(0)(white, training=True))
    np.testing.assert_allclose(changed, 200, atol=0.01)


def test_a_seed_fixes_the_changes(images: NDArray[np.float32]) -> None:
    first, second = (np.asarray(augmentation(3)(images, training=True)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_another_seed_changes_differently(images: NDArray[np.float32]) -> None:
    first, second = (np.asarray(augmentation(seed)(images, training=True)) for seed in (3, 4))
    assert np.abs(first - second).max() > 1


def test_nothing_changes_in_inference(images: NDArray[np.float32]) -> None:
    np.testing.assert_array_equal(np.asarray(augmentation(0)(images, training=False)), images)
