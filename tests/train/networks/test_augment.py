"""Random augmentation, in training only."""

from dataclasses import fields, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeclf.runtime.errors import OptionError
from edgeclf.train.networks.augment import Augmentation, Fill

LIGHT = Augmentation(width_shift=0.05, height_shift=0.05, zoom=0.1, horizontal_flip=True, contrast=0.1)
ALL = Augmentation(
    rotation=10,
    width_shift=0.1,
    height_shift=0.1,
    shear=0.1,
    zoom=0.1,
    horizontal_flip=True,
    vertical_flip=True,
    brightness=0.1,
    contrast=0.1,
)


@pytest.fixture
def images() -> NDArray[np.float32]:
    return np.random.default_rng(0).integers(0, 256, (16, 20, 24, 3)).astype(np.float32)


def test_images_are_changed_in_training(images: NDArray[np.float32]) -> None:
    changed = np.asarray(LIGHT.build(0)(images, training=True))
    assert np.abs(changed - images).reshape(16, -1).max(axis=1).min() > 1


def test_images_keep_their_shape_and_range(images: NDArray[np.float32]) -> None:
    changed = np.asarray(LIGHT.build(0)(images, training=True))
    assert changed.shape == images.shape
    assert changed.min() >= 0
    assert changed.max() <= 255


@pytest.mark.parametrize("fill", ["reflect", "wrap", "nearest"])
def test_edges_are_filled_from_the_image(fill: Fill) -> None:
    white = np.full((32, 20, 24, 1), 200, np.float32)
    moving = replace(ALL, brightness=0, contrast=0, fill=fill)
    np.testing.assert_allclose(np.asarray(moving.build(0)(white, training=True)), 200, atol=0.01)


@pytest.mark.parametrize("name", ["rotation", "width_shift", "height_shift", "shear", "zoom"])
def test_edges_can_be_filled_with_black(name: str) -> None:
    white = np.full((32, 20, 24, 1), 200, np.float32)
    moving = Augmentation(**{name: 0.5 if name != "rotation" else 45.0}, fill="constant")  # type: ignore[arg-type]
    assert np.asarray(moving.build(0)(white, training=True)).min() < 1


def test_the_same_seed_gives_the_same_changes(images: NDArray[np.float32]) -> None:
    first, second = (np.asarray(LIGHT.build(3)(images, training=True)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_another_seed_gives_other_changes(images: NDArray[np.float32]) -> None:
    first, second = (np.asarray(LIGHT.build(seed)(images, training=True)) for seed in (3, 4))
    assert np.abs(first - second).max() > 1


def test_nothing_changes_in_inference(images: NDArray[np.float32]) -> None:
    np.testing.assert_array_equal(np.asarray(LIGHT.build(0)(images, training=False)), images)


CHANGES = [field.name for field in fields(Augmentation) if field.name != "fill"]


@pytest.mark.parametrize("name", CHANGES)
def test_each_change_alone_has_an_effect(images: NDArray[np.float32], name: str) -> None:
    alone = Augmentation(**{name: getattr(ALL, name)})
    changed = np.asarray(alone.build(1)(images, training=True))
    assert not alone.is_nothing
    assert (changed.shape, len(alone.build(1).layers)) == (images.shape, 1)
    assert np.abs(changed - images).max() > 1


def test_a_width_shift_does_not_move_up_or_down() -> None:
    ramp = np.broadcast_to(np.arange(20, dtype=np.float32)[:, None, None], (16, 20, 24, 1))
    sideways = Augmentation(width_shift=0.4, fill="nearest")
    np.testing.assert_allclose(np.asarray(sideways.build(0)(ramp, training=True)), ramp, atol=1e-3)


def test_no_change_is_nothing_with_any_fill() -> None:
    assert Augmentation(fill="wrap").is_nothing
    assert not Augmentation(fill="wrap").is_mirror


@pytest.mark.parametrize("more", [{"vertical_flip": True}, {"zoom": 0.1}, {"contrast": 0.1}], ids=str)
def test_only_a_horizontal_flip_alone_is_a_mirror(more: dict[str, float]) -> None:
    assert Augmentation(horizontal_flip=True).is_mirror
    assert not Augmentation(horizontal_flip=True, **more).is_mirror  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value"),
    [("rotation", 181.0), ("zoom", 1.0), ("width_shift", -0.1), ("contrast", float("nan")), ("brightness", 1.1)],
)
def test_values_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(OptionError, match=rf"^{name.replace('_', '-')} must be from 0 to [\d.]+, not {value}"):
        Augmentation(**{name: value})  # type: ignore[arg-type]


def test_an_unknown_fill_names_the_known_ones() -> None:
    with pytest.raises(OptionError, match="--fill-mode cannot be 'mirror'; choose from"):
        Augmentation(fill="mirror")  # type: ignore[arg-type]
