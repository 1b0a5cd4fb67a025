"""Adds to an ONNX graph, and renames what is in the way, without the onnx package."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.model.adoption.onnx_graph import graphs, reads
from edgeclf.runtime.model.onnx_schema import ATTRIBUTE_INT, ATTRIBUTE_INTS, FLOAT, INT8, INT64, UINT8

_TYPES = {"float32": FLOAT, "uint8": UINT8, "int8": INT8, "int64": INT64}


class GraphEditor:
    """Adds weights and nodes to the graph of a model, under names that nothing in it has."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.graph = model.graph
        self._names = {name for graph in graphs(model) for name in _names(graph)}

    def new_name(self, wish: str) -> bytes:
        """The name, or one like it if that is taken."""
        name, number = wish.encode(), 1
        while name in self._names:
            number += 1
            name = f"{wish}_{number}".encode()
        self._names.add(name)
        return name

    def make_way(self, name: bytes) -> None:
        """Give the tensor of this name, if there is one, another."""
        if name not in self._names:
            return
        new = self.new_name(f"original_{name.decode()}")
        for graph in graphs(self._model):
            for node in graph.node:
                _rename_in(node.input, name, new)
                _rename_in(node.output, name, new)
            for value in (*graph.input, *graph.output, *graph.initializer):
                if value.name == name:
                    value.name = new
            for sparse in graph.sparse_initializer:
                if sparse.values.name == name:
                    sparse.values.name = new

    def sort(self) -> None:
        """Put every node behind those whose tensors it reads, as the format demands and some converters do not do.

        Nodes of a circle stay where they are; an engine refuses them.
        """
        nodes = list(self.graph.node)
        made = {name: place for place, node in enumerate(nodes) for name in node.output}
        order: dict[int, None] = {}
        opened: set[int] = set()
        waiting = list(reversed(range(len(nodes))))
        while waiting:
            place = waiting[-1]
            if place in opened:
                order.setdefault(waiting.pop())
                continue
            opened.add(place)
            waiting += [made[name] for name in reads(nodes[place]) if name in made and made[name] not in opened]
        if list(order) != sorted(order):
            scratch = type(self.graph)()
            scratch.node.extend(nodes[place] for place in order)
            self.graph.ClearField("node")
            self.graph.node.extend(scratch.node)

    def add_weight(self, wish: str, values: NDArray[Any]) -> bytes:
        """values: float32, uint8, int8 or int64. Returns the name."""
        name = self.new_name(wish)
        self.graph.initializer.add(
            name=name,
            dims=values.shape,
            data_type=_TYPES[values.dtype.name],
            raw_data=np.ascontiguousarray(values).tobytes(),
        )
        return name


class Chain:
    """Nodes in a row: each takes what the one before it makes."""

    def __init__(self, editor: GraphEditor, start: bytes) -> None:
        self._editor = editor
        self._scratch = type(editor.graph)()
        self.end = start

    def then(self, operation: str, *more: bytes, attributes: dict[str, int | list[int]] | None = None) -> None:
        """more: inputs besides the tensor that comes along the chain."""
        self.add(operation, [self.end, *more], attributes)

    def add(self, operation: str, inputs: list[bytes], attributes: dict[str, int | list[int]] | None = None) -> None:
        """Like `then`, with all inputs, the chain's own among them."""
        self.end = self._editor.new_name(f"edgeclf_{operation.lower()}")
        node = self._scratch.node.add(op_type=operation.encode(), input=inputs, output=[self.end])
        for name, value in (attributes or {}).items():
            if isinstance(value, int):
                node.attribute.add(name=name.encode(), type=ATTRIBUTE_INT, i=value)
            else:
                node.attribute.add(name=name.encode(), type=ATTRIBUTE_INTS, ints=value)

    def finish(self, name: bytes, *, in_front: bool) -> None:
        """Let the last node make the tensor `name`, and put the nodes in front of or behind those of the graph."""
        if not self._scratch.node:
            self.then("Identity")
        self._scratch.node[-1].output[0] = name
        if not in_front:
            self._editor.graph.node.extend(self._scratch.node)
        for node in reversed(self._scratch.node) if in_front else ():
            self._editor.graph.node.insert(0, node)


def _names(graph: Any) -> Iterable[bytes]:
    for node in graph.node:
        yield from reads(node)
        yield from node.output
    yield from (value.name for value in (*graph.input, *graph.output, *graph.initializer))
    yield from (sparse.values.name for sparse in graph.sparse_initializer)


def _rename_in(names: Any, old: bytes, new: bytes) -> None:
    for place, name in enumerate(names):
        if name == old:
            names[place] = new
