"""Finds out how many scores an ONNX network returns if its file does not say it."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.adoption.network import Network
from edgeclf.runtime.model.adoption.onnx_network import Ends
from edgeclf.runtime.model.adoption.onnx_trial import Trial


def measure_width(path: Path, model: Any, ends: Ends, network: Network, size_hw: tuple[int, int]) -> int:
    """The number of scores for one image. Raises ModelError if the network does not return one row of scores per image."""
    shape = (network.channels, *size_hw) if network.channels_first else (*size_hw, network.channels)
    images = np.zeros((network.batch or 1, *shape), network.dtype)
    scores = Trial(path, model).answer(ends.output.name, {ends.input.name: images})
    if scores.ndim < 2 or len(scores) != len(images) or sum(side > 1 for side in scores.shape[1:]) > 1:
        raise ModelError(f"{path} returns {list(scores.shape)}, not a row of scores for each image")
    return math.prod(scores.shape[1:])
