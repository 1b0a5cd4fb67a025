"""How the levels of an image become the levels that a quantised network takes."""

from pathlib import Path

import numpy as np

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.model.adoption.input_scaling import scaling_of
from edgeclf.runtime.model.adoption.network import Network
from edgeclf.runtime.model.conventions.facts import Fact, Facts, Scaling

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
    channels = max(len(scaling.mean), len(scaling.std))
    mean, std = (np.broadcast_to(values, channels)[:, None] for values in (scaling.mean, scaling.std))
    zero_point = network.zero_point + (128 if network.dtype == "int8" else 0)
    exact = np.rint((np.arange(256) - mean) / (std * network.scale) + zero_point)
    if np.abs(exact - np.arange(256)).max() <= _ROUNDING:
        return None
    tables = np.clip(exact, 0, 255).astype(int)
    clipped = (tables != exact).sum(axis=1).max()
    if clipped > _MOST_CLIPPED or min(len(np.unique(table)) for table in tables) < _FEWEST:
        if fact.origin.startswith("--"):
            low, high = ((end - zero_point) * network.scale for end in (0, 255))
            found = f"{fact.origin} does not fit {path}, whose quantised input stands for {low:.3g} to {high:.3g}"
            raise OptionError(f"{found}; leave it out")
        return None
    return tuple(tuple(table.tolist()) for table in (tables[::-1] if reverse else tables))
