"""The nodes in front of a network, from pixels to what it takes, and behind it, from its scores to probabilities."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.model.adoption.input_scaling import scaling_of
from edgeclf.runtime.model.adoption.network import Network
from edgeclf.runtime.model.adoption.onnx_edit import Chain, GraphEditor
from edgeclf.runtime.model.adoption.onnx_graph import sides
from edgeclf.runtime.model.adoption.onnx_network import Ends
from edgeclf.runtime.model.backend import INPUT, OUTPUT
from edgeclf.runtime.model.card import Head
from edgeclf.runtime.model.conventions.facts import Facts
from edgeclf.runtime.model.onnx_schema import DOUBLE, FLOAT, FLOAT16

_LEVELS = np.arange(256, dtype=np.float64)
_HALF_A_STEP = 0.5 + 1e-6
_LOWEST = {"uint8": 0, "int8": -128}
"""The first step of a quantised type, which a black pixel becomes if nothing else is known."""


def add_front(path: Path, editor: GraphEditor, network: Network, facts: Facts, name: bytes) -> None:
    """Nodes from `image`, uint8 `[batch, H, W, C]`, to the network's input, which keeps its name.

    Raises OptionError if the scale is unknown or does not fit the channels.
    """
    chain = Chain(editor, INPUT.encode())
    if network.channels_first:  # before the cast: on bytes it takes a tenth of the time
        chain.then("Transpose", attributes={"perm": [0, 3, 1, 2]})
    if network.channels == 3 and facts.channels and facts.channels.value == "bgr":
        order = editor.add_weight("edgeclf_bgr", np.array([2, 1, 0], np.int64))
        chain.then("Gather", order, attributes={"axis": 1 if network.channels_first else 3})
    factor, offset = _factors(path, network, facts)
    if network.dtype in _LOWEST:
        _quantize(chain, editor, network, (factor, offset))
    else:
        _scale(chain, editor, network, (factor, offset))
        if network.dtype != "float32":
            chain.then("Cast", attributes={"to": FLOAT16 if network.dtype == "float16" else DOUBLE})
    chain.finish(name, in_front=True)


def add_back(editor: GraphEditor, ends: Ends, head: Head, outputs: int) -> None:
    """Nodes from the scores of the network to `probabilities`, float32 `[batch, classes]`."""
    axes = sides(ends.output)
    chain = Chain(editor, ends.output.name)
    if ends.output.type.tensor_type.elem_type != FLOAT:
        chain.then("Cast", attributes={"to": FLOAT})
    if axes is not None and len(axes) == 1:
        chain.then("Reshape", editor.add_weight("edgeclf_row", np.array([-1, outputs], np.int64)))
    elif axes is None or len(axes) != 2:
        chain.then("Flatten", attributes={"axis": 1})
    if head == "logits":
        chain.then("Sigmoid" if outputs == 1 else "Softmax", attributes={} if outputs == 1 else {"axis": 1})
    if outputs == 1:  # the probability of the second of two classes
        second = chain.end
        chain.add("Sub", [editor.add_weight("edgeclf_one", np.ones(1, np.float32)), second])
        chain.then("Concat", second, attributes={"axis": 1})
    chain.finish(OUTPUT.encode(), in_front=False)


def _factors(path: Path, network: Network, facts: Facts) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For each channel, or for all: the factor and the offset with which a level becomes what the network takes."""
    if facts.scaling is None and network.dtype in _LOWEST:
        mean, std = np.array([network.zero_point - _LOWEST[network.dtype]], np.float64), np.array([1 / network.scale])
        return 1 / std, -mean / std
    scaling = scaling_of(path, network, facts)
    mean, std = np.array(scaling.mean, np.float64), np.array(scaling.std, np.float64)
    return 1 / std, -mean / std


def _scale(
    chain: Chain, editor: GraphEditor, network: Network, factors: tuple[NDArray[np.float64], NDArray[np.float64]]
) -> None:
    """From bytes to float32."""
    chain.then("Cast", attributes={"to": FLOAT})
    for operation, values, neutral in zip(("Mul", "Add"), factors, (1, 0), strict=True):
        if (values == neutral).all():
            continue
        if (values == values[0]).all():
            values = values[:1]
        shape = (-1, 1, 1) if network.channels_first and len(values) > 1 else (-1,)
        name = editor.add_weight(f"edgeclf_{operation.lower()}", values.astype(np.float32).reshape(shape))
        chain.then(operation, name)


def _quantize(
    chain: Chain, editor: GraphEditor, network: Network, factors: tuple[NDArray[np.float64], NDArray[np.float64]]
) -> None:
    """From bytes to the network's own steps; a network that takes the levels themselves needs nothing."""
    steps = (_LEVELS[:, None] * factors[0] + factors[1]) / network.scale + network.zero_point
    takes_levels = (network.scale, network.zero_point) == (1.0, 0)
    if network.dtype == "uint8" and (takes_levels or (np.abs(steps - _LEVELS[:, None]) < _HALF_A_STEP).all()):
        return
    _scale(chain, editor, network, factors)
    scale = editor.add_weight("edgeclf_scale", np.array(network.scale, np.float32))
    zero_point = editor.add_weight("edgeclf_zero", np.array(network.zero_point, network.dtype))
    chain.then("QuantizeLinear", scale, zero_point)
