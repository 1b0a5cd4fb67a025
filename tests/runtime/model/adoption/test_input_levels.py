"""Which levels a quantised network takes for the levels of an image."""

from pathlib import Path

import numpy as np
import pytest

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.model.adoption.input_levels import input_levels
from edgeclf.runtime.model.adoption.network import Network
from edgeclf.runtime.model.conventions.facts import Fact, Facts, Scaling

PATH = Path("net.tflite")
HALF = Scaling((127.5,), (127.5,))


def levels(
    scale: float,
    zero_point: int,
    scaling: Scaling | None = None,
    dtype: str = "uint8",
    origin: str = "TFLite metadata",
    *,
    reverse: bool = False,
) -> list[list[int]] | None:
    network = Network("TFLite", dtype, False, (8, 8), 3, scale=scale, zero_point=zero_point)
    facts = Facts(scaling=Fact(scaling, origin) if scaling else None)
    tables = input_levels(PATH, network, facts, reverse=reverse)
    return None if tables is None else [list(table) for table in tables]


@pytest.mark.parametrize(
    ("scale", "zero_point", "scaling", "dtype"),
    [
        (1 / 128, 128, None, "uint8"),
        (1 / 128, 128, HALF, "uint8"),
        (1 / 127.5, 127, HALF, "uint8"),
        (1.0, 0, Scaling((0.0,), (1.0,)), "uint8"),
        (1 / 255, 0, Scaling((0.0,), (255.0,)), "uint8"),
        (1 / 128, 0, None, "int8"),
        (1 / 255, -128, Scaling((0.0,), (255.0,)), "int8"),
    ],
)
def test_levels_of_the_image_go_in_as_they_are(scale: float, zero_point: int, scaling: Scaling | None, dtype: str) -> None:
    assert levels(scale, zero_point, scaling, dtype) is None


@pytest.mark.parametrize(
    ("scale", "zero_point", "scaling"),
    [(1.0, 0, None), (1 / 255, 0, None), (1 / 255, 0, Scaling((0.0,), (1.0,))), (1.0, 0, HALF)],
    ids=["0..255", "0..1", "metadata-of-uint8", "metadata-of-its-float-twin"],
)
def test_a_scaling_that_the_levels_contradict_is_not_used(scale: float, zero_point: int, scaling: Scaling | None) -> None:
    assert levels(scale, zero_point, scaling) is None


@pytest.mark.parametrize(("dtype", "zero_point"), [("uint8", 114), ("int8", -14)])
def test_other_levels_make_a_table(dtype: str, zero_point: int) -> None:
    """The network takes -1.9 to 2.3, and its training took -1 to 1; int8 is 128 lower than the table."""
    tables = levels(0.0166, zero_point, HALF, dtype)

    assert tables == [np.rint((np.arange(256) / 127.5 - 1) / 0.0166 + 114).astype(int).tolist()]


def test_each_channel_has_its_table_red_first() -> None:
    scaling = Scaling((103.5, 116.3, 123.7), (57.4, 57.1, 58.4))
    tables, reversed_tables = (levels(0.02, 110, scaling, reverse=reverse) for reverse in (False, True))

    assert tables
    assert tables[0] != tables[2]
    assert reversed_tables == tables[::-1]


def test_a_flag_that_the_levels_contradict_is_named() -> None:
    with pytest.raises(
        OptionError, match=r"--scale does not fit net.tflite, whose .* stands for 0 to 255; try --scale none"
    ):
        levels(1.0, 0, HALF, origin="--scale")
