"""Brings a TFLite classifier of another tool under the model contract, without TensorFlow.

Before its input come the operations that make what it takes from uint8 images, and behind its output those that make
probabilities. Its own operations and weights stay as they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.adoption.adopted import Adopted
from edgeclf.runtime.model.adoption.adopted_card import card_for
from edgeclf.runtime.model.adoption.input_levels import input_levels
from edgeclf.runtime.model.adoption.input_scaling import scaling_of
from edgeclf.runtime.model.adoption.network import Network
from edgeclf.runtime.model.adoption.tflite_graph import TfliteGraph
from edgeclf.runtime.model.adoption.tflite_network import damage_error, examine_tflite
from edgeclf.runtime.model.backend import INPUT, OUTPUT, BatchError
from edgeclf.runtime.model.card import ModelCard
from edgeclf.runtime.model.conventions.facts import Facts, Scaling
from edgeclf.runtime.model.litert_backend import LitertBackend
from edgeclf.runtime.model.output_contract import probe_images
from edgeclf.runtime.model.tflite_card import append_card, read_card
from edgeclf.runtime.model.tflite_schema import DAMAGE, steps_of, type_names

_LARGEST = 1 << 30
"""In bytes; tables cannot reach beyond 2 GB, which their builder reaches by doubling."""
_SAME = 1e-3
"""How far a probability may move when images are run together; a batch that the graph mixes up moves further."""


def adopt_tflite(path: Path, data: bytes, facts: Facts, training: dict[str, Any]) -> Adopted:
    """The file at `path`, whose bytes are `data`, under the model contract.

    facts: complete, except for the size and the head where the graph decides them. training: for the card.
    Raises ModelError or OptionError.
    """
    network = examine_tflite(path, data)
    if read_card(data) is not None:
        raise ModelError(f"{path} has a card already; run it as it is: clf-run {path} --source photos/")
    if len(data) > _LARGEST:
        raise ModelError(f"{path} is larger than {_LARGEST >> 30} GB; use its ONNX file")
    reverse = facts.channels is not None and facts.channels.value == "bgr" and network.channels == 3
    quantised = network.dtype != "float32"
    levels = input_levels(path, network, facts, reverse=reverse) if quantised else None
    card = card_for(path, network, facts, training, levels)
    scaling = None if quantised else scaling_of(path, network, facts)
    surgery = _Surgery(network, card, scaling, reverse=reverse)
    for batch in (-1, 1):
        try:
            adopted = append_card(surgery.operate(data, batch), card)
        except DAMAGE as error:
            raise damage_error(path, error) from None
        if _runs(path, network, adopted, together=batch == -1):
            return Adopted(adopted, card, one_by_one=batch == 1)
    raise ModelError(f"{path} does not run on single images; export it for one image or for any number of them")


def _runs(path: Path, network: Network, data: bytes, *, together: bool) -> bool:
    """Whether the file runs on single images and, if asked for, gives the same for images that are run together.

    Raises ModelError if the engine cannot load it.
    """
    try:
        backend = LitertBackend(path, data, "cpu", 1)
    except ModelError:
        if network.batch in (None, 1):
            raise
        return False  # its graph does not fit one image
    images = probe_images(backend.input_shape)
    try:
        single = np.concatenate([backend.run(image) for image in images])
        batches = [slice(2, 4), slice(1, 4)] if together else []
        return len(single) == len(images) and all(
            _agree(backend.run(np.concatenate(images[batch])), single[batch]) for batch in batches
        )
    except BatchError:
        return False


def _agree(got: NDArray[np.float32], expected: NDArray[np.float32]) -> bool:
    return got.shape == expected.shape and np.allclose(got, expected, rtol=0, atol=_SAME, equal_nan=True)


@dataclass(frozen=True)
class _Surgery:
    """scaling: of a float input, otherwise None. reverse: whether the network takes blue first."""

    network: Network
    card: ModelCard
    scaling: Scaling | None
    reverse: bool

    def operate(self, data: bytes, batch: int) -> bytes:
        """batch: -1 for any."""
        graph = TfliteGraph(data)
        self._prepend(graph, batch)
        self._append(graph)
        return graph.to_bytes(INPUT, OUTPUT)

    def _prepend(self, graph: TfliteGraph, batch: int) -> None:
        """Operations from uint8 `[batch, H, W, C]` to what the network takes. The layout changes while pixels are bytes."""
        front = _Front(graph, self.network, (1, *self.card.preprocess.shape), batch)
        if self.reverse:
            front.then("REVERSE_V2", schema.ReverseV2OptionsT(), [np.array([3], np.int32)])
        if self.network.channels_first:
            front.then("TRANSPOSE", schema.TransposeOptionsT(), [np.array([0, 3, 1, 2], np.int32)])
        if self.network.dtype == "int8":
            front.then("QUANTIZE", schema.QuantizeOptionsT())
        if self.scaling is not None:
            front.then("CAST", schema.CastOptionsT(), dtype="float32")
            mean, std = (_per_channel(values, self.network) for values in (self.scaling.mean, self.scaling.std))
            if mean.any():
                front.then("SUB", schema.SubOptionsT(), [mean], dtype="float32")
            if (std != 1).any():
                front.then("MUL", schema.MulOptionsT(), [(1 / std.astype(np.float64)).astype(np.float32)], dtype="float32")
        front.finish()

    def _append(self, graph: TfliteGraph) -> None:
        """Operations from what the network returns to one row of probabilities for each image."""
        output = graph.tensor(graph.output)
        count = self.network.outputs or len(self.card.classes)
        dtype = type_names()[output.Type()]
        back = _Back(graph, dtype, steps_of(output))
        if output.ShapeLength() != 2:
            back.then("RESHAPE", schema.ReshapeOptionsT(), [np.array([-1, count], np.int32)], width=count)
        if dtype != "float32" and (self.card.head != "softmax" or count == 1 or dtype == "float16"):
            back.to_float(count)
        if self.card.head == "logits" and count > 1:
            back.then("SOFTMAX", schema.SoftmaxOptionsT(), beta=1.0, width=count)
        if self.card.head == "logits" and count == 1:
            back.then("LOGISTIC", None, width=1)
        if count == 1:  # of the second class; a matrix product makes both columns
            columns = [np.array([[-1], [1]], np.float32), np.array([1, 0], np.float32)]
            back.then("FULLY_CONNECTED", schema.FullyConnectedOptionsT(), columns, width=2)


class _Front:
    """A chain of operations in front of a graph, from its new input to its old one."""

    def __init__(self, graph: TfliteGraph, network: Network, shape: Sequence[int], batch: int) -> None:
        self._graph = graph
        self._steps = steps_of(graph.tensor(graph.input)) if network.dtype != "float32" else None
        self._network, self._shape, self._batch = network, shape, batch
        self._chain: list[tuple[str, Any, list[NDArray[Any]], str]] = []

    def then(
        self, name: str, options: Any, constants: Sequence[NDArray[Any]] = (), dtype: str = "uint8", **settings: Any
    ) -> None:
        """The next operation. dtype: of its result. settings: of its options."""
        vars(options).update(settings)
        self._chain.append((name, options, list(constants), dtype))

    def finish(self) -> None:
        graph = self._graph
        if not self._chain:
            graph.name_input(INPUT, self._shape, self._batch)
            return
        steps = self._steps
        if steps and self._network.dtype == "int8":
            steps = (steps[0], steps[1] + 128)
        image = graph.add_tensor(INPUT, self._shape, "uint8", batch=self._batch, steps=steps)
        last, current = graph.input, image
        for number, (name, options, constants, dtype) in enumerate(self._chain, 1):
            more = [graph.add_tensor(f"{INPUT}/{name}/constant", c.shape, str(c.dtype), values=c) for c in constants]
            is_last = number == len(self._chain)
            made_steps = steps if dtype == "uint8" else None
            made = last if is_last else graph.add_tensor(f"{INPUT}/{name}", self._shape, dtype, steps=made_steps)
            graph.add_operator(name, [current, *more], made, options, front=True)
            current = made
        graph.input = image


class _Back:
    """A chain of operations behind a graph."""

    def __init__(self, graph: TfliteGraph, dtype: str, steps: tuple[float, int] | None) -> None:
        self._graph, self._dtype, self._steps = graph, dtype, steps

    def to_float(self, width: int) -> None:
        self._dtype, self._steps = "float32", None
        self.then("DEQUANTIZE", schema.DequantizeOptionsT(), width=width)

    def then(self, name: str, options: Any, constants: Sequence[NDArray[Any]] = (), *, width: int, **settings: Any) -> None:
        """The next operation, whose result is `[batch, width]`. settings: of its options."""
        if options is not None:
            vars(options).update(settings)
        graph = self._graph
        more = [graph.add_tensor(f"{OUTPUT}/{name}/constant", c.shape, str(c.dtype), values=c) for c in constants]
        made = graph.add_tensor(f"{OUTPUT}/{name}", (1, width), self._dtype, steps=self._steps)
        graph.add_operator(name, [graph.output, *more], made, options, front=False)
        graph.output = made


def _per_channel(values: Sequence[float], network: Network) -> NDArray[np.float32]:
    """In the shape in which they meet the network's layout."""
    array = np.array(values, np.float32)
    return array.reshape(1, -1, 1, 1) if network.channels_first and len(array) > 1 else array
