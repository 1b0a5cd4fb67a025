"""How the levels of an image become the levels that a quantised network takes."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.model.adoption.input_scaling import scaling_of
from edgeclf.runtime.model.adoption.network import Network
from edgeclf.runtime.model.conventions.facts import Fact, Facts, Scaling
from edgeclf.runtime.model.conventions.scales import SCALES

_USUAL = Scaling((128.0,), (128.0,))
"""What networks without a word about their scaling mostly take, so that their levels are those of the image."""
_ROUNDING = 1
"""Levels that differ no more than this are the image's own: other tools hand these over, too."""
_MOST_CLIPPED = 12
_FEWEST = 64
"""A table that clips more levels than the one, or makes fewer levels than the other, cannot be meant."""

Levels = tuple[tuple[int, ...], ...]


def input_levels(path: Path, network: Network, facts: Facts, *, reverse: bool) -> Levels | None:
    """The level 0 to 255 that a network with a quantised input takes for each level 0 to 255 of an image.

    One table for all channels or one for each, red first; None if levels go in as they are. For int8 they are 128 higher
    than what the network takes. reverse: whether the network takes blue first.
    Raises OptionError if a flag says a scaling that does not fit the levels of the network.
    """
    fact = facts.scaling or Fact(_USUAL, "")
    scaling = scaling_of(path, network, Facts(scaling=fact))
    tables = _tables(network, scaling)
    if tables is None and fact.origin.startswith("--"):
        low, high = ((end - _zero_point(network)) * network.scale for end in (0, 255))
        fit = fitting_scale(network)
        cure = f"try --scale {fit}" if fit else "say how its pixels are scaled with --mean and --std"
        found = f"{fact.origin} does not fit {path}, whose quantised input stands for {low:.3g} to {high:.3g}"
        raise OptionError(f"{found}; {cure}")
    if tables is None or np.abs(tables - np.arange(256)).max() <= _ROUNDING:
        return None
    return tuple(tuple(table.tolist()) for table in (tables[::-1] if reverse else tables))


def fitting_scale(network: Network) -> str:
    """The first of the names that `--scale` takes that the network's input can mean; "" if none does."""
    return next((name for name, scale in SCALES.items() if _can_be_meant(network, scale.scaling)), "")


def _can_be_meant(network: Network, scaling: Scaling) -> bool:
    if max(len(scaling.mean), len(scaling.std)) not in (1, network.channels):
        return False
    return network.dtype not in ("uint8", "int8") or _tables(network, scaling) is not None


def _tables(network: Network, scaling: Scaling) -> NDArray[np.int64] | None:
    """`[1, 256]` or `[channels, 256]`; None if the scaling cannot be meant."""
    channels = max(len(scaling.mean), len(scaling.std))
    mean, std = (np.broadcast_to(values, channels)[:, None] for values in (scaling.mean, scaling.std))
    exact = np.rint((np.arange(256) - mean) / (std * network.scale) + _zero_point(network))
    tables = np.clip(exact, 0, 255).astype(np.int64)
    clipped = (tables != exact).sum(axis=1).max()
    is_meant = clipped <= _MOST_CLIPPED and min(len(np.unique(table)) for table in tables) >= _FEWEST
    return tables if is_meant or np.abs(exact - np.arange(256)).max() <= _ROUNDING else None


def _zero_point(network: Network) -> int:
    """Of the levels as uint8."""
    return network.zero_point + (128 if network.dtype == "int8" else 0)
