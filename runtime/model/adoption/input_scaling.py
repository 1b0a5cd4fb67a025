"""The scaling that a network takes, checked against its channels."""

from pathlib import Path

import numpy as np

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.model.adoption.network import Network
from edgeclf.runtime.model.conventions.facts import Facts, Scaling
from edgeclf.runtime.terminal.plural import plural


def scaling_of(path: Path, network: Network, facts: Facts) -> Scaling:
    """One number or one per channel, as it is in the facts. Raises OptionError if it is unknown or does not fit."""
    if facts.scaling is None:
        raise OptionError(f"the range of pixels that {path} takes is unknown; name it with --scale, or --mean and --std")
    scaling = facts.scaling.value
    for name, values in (("mean", scaling.mean), ("std", scaling.std)):
        if len(values) not in (1, network.channels):
            numbers, channels = plural(len(values), "number"), plural(network.channels, "channel")
            raise OptionError(f"the {name} has {numbers}, but {path} takes images of {channels}; give one for each channel")
    if not np.isfinite((*scaling.mean, *scaling.std)).all() or min(scaling.std) <= 0:
        raise OptionError(f"mean and std must be finite, and std above 0, not {scaling.mean} and {scaling.std}")
    return scaling
