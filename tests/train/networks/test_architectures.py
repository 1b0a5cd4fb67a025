"""Networks that are trained from scratch."""

import numpy as np
import pytest

from edgeclf.runtime.errors import OptionError
from edgeclf.train.networks.architectures import ConvNet, head_for
from edgeclf.train.results.evaluation import probabilities

SMALL = ConvNet(filters=(4, 6), dense=(5,), dropout=0.5)


@pytest.mark.parametrize(("classes", "head", "units"), [(2, "sigmoid", 1), (3, "softmax", 3), (11, "softmax", 11)])
def test_the_head_follows_the_number_of_classes(classes: int, head: str, units: int) -> None:
    network = SMALL.build((16, 24, 3), classes)
    assert (head_for(classes), network.layers[-1].activation.__name__, network.output_shape) == (head, head, (None, units))


@pytest.mark.parametrize("classes", [2, 3])
def test_the_probabilities_of_all_classes_sum_to_one(classes: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 16, 24, 3), dtype=np.uint8)
    predicted = probabilities(SMALL.build((16, 24, 3), classes), images)
    assert (predicted.shape, predicted.dtype) == ((5, classes), np.float32)
    np.testing.assert_allclose(predicted.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("shape", [(16, 24, 3), (24, 16, 1), (19, 33, 3)], ids=str)
def test_images_may_have_any_shape_and_number_of_channels(shape: tuple[int, int, int]) -> None:
    assert SMALL.build(shape, 3).input_shape == (None, *shape)


def test_pixels_range_up_to_255() -> None:
    rescaling = SMALL.build((16, 24, 3), 2).layers[1]
    np.testing.assert_allclose(rescaling(np.array([0.0, 255.0])), [0, 1], atol=1e-6)


def test_the_options_define_the_network() -> None:
    layers = ConvNet(filters=(4, 6, 8), dense=(5, 7), dropout=0.25).build((32, 32, 3), 3).layers
    assert [layer.filters for layer in layers if hasattr(layer, "filters")] == [4, 6, 8]
    assert [layer.units for layer in layers if hasattr(layer, "units")] == [5, 7, 3]
    assert [layer.rate for layer in layers if hasattr(layer, "rate")] == [0.25]


@pytest.mark.parametrize(
    "options",
    [{"filters": ()}, {"filters": (8, 0)}, {"filters": (-1,)}, {"dense": (0,)}, {"dropout": 1.0}, {"dropout": -0.1}],
    ids=str,
)
def test_invalid_options_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(OptionError, match=str(next(iter(options)))):
        ConvNet(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("side", "filters"), [(7, (4, 4)), (31, (4, 4, 4, 4))], ids=["2 blocks", "4 blocks"])
def test_images_too_small_for_the_blocks_are_refused(side: int, filters: tuple[int, ...]) -> None:
    with pytest.raises(OptionError, match=rf"{len(filters)} blocks need images of at least {side + 1} pixels, not {side}"):
        ConvNet(filters).build((side, 64, 3), 2)


def test_the_smallest_allowed_images_are_accepted() -> None:
    assert ConvNet((4, 4)).build((8, 8, 1), 2).output_shape == (None, 1)
