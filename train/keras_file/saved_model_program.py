"""The part of a SavedModel that predicts: the graph behind one output of its signature.

Only this part is handed to TensorFlow, and only if all of its operations are on the allow-list. What else a SavedModel
holds never runs: functions that save and restore, initialisers, tables, Python objects.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.terminal.plural import plural
from edgeclf.train.keras_file.config_check import MAX_ARRAY_NUMBERS
from edgeclf.train.keras_file.saved_model_allowlist import CALLS, LOOPS, OPERATIONS, REFERENCES, VARIABLES

MAX_NODES = 100_000
"""Several times as many as the largest network of keras.applications has. A function counts as often as it is called."""
_MAX_DEPTH = 100
_FLOATS = (1, 2, 14, 19)  # DT_FLOAT, DT_DOUBLE, DT_BFLOAT16, DT_HALF
_NUMBERS = (*_FLOATS, 3, 4, 5, 6, 9, 17, 22)  # and the integers
_CURE = "save the model again with model.export('folder'), with one image batch as input and one output"


class Program(NamedTuple):
    """graph: a GraphDef. input, output: names of tensors in it. variables: nodes of the graph that need numbers, and whether
    they stand for the handle of a variable.
    shape: of the input, with the batch, and with None for what is not fixed.
    """

    graph: Any
    input: str
    input_type: int
    shape: tuple[int | None, ...]
    output: str
    variables: dict[str, bool]


def read_program(path: Path, meta: Any) -> Program:
    """meta: a MetaGraphDef. Raises ModelError if it is not one image classifier that only computes."""
    signature = _signature(path, meta)
    given = _input(path, signature)
    output = _output(path, signature)
    functions = {function.signature.name: function for function in meta.graph_def.library.function}
    nodes = {node.name: node for node in meta.graph_def.node}
    taken = _reachable(path, nodes, output.name)
    used = _check(path, taken, functions)
    variables = {node.name: node.op not in REFERENCES for node in taken if node.op in VARIABLES}
    graph, shape = _graph(meta, taken, used), _shape(path, given)
    return Program(graph, given.name, given.dtype, shape=shape, output=output.name, variables=variables)


def _signature(path: Path, meta: Any) -> Any:
    found = {name: value for name, value in meta.signature_def.items() if value.inputs and value.outputs}
    for name in ("serving_default", "serve"):
        if name in found:
            return found[name]
    if len(found) == 1:
        return next(iter(found.values()))
    names = ", ".join(sorted(found))[:80] or "none"
    raise ModelError(f"{path} has no signature 'serving_default' or 'serve' (it has {names}); {_CURE}")


def _input(path: Path, signature: Any) -> Any:
    inputs = list(signature.inputs.items())
    if len(inputs) != 1:
        names = ", ".join(sorted(name for name, _ in inputs))[:80]
        raise ModelError(f"{path} takes {len(inputs)} inputs ({names}), but edgeclf supports one image; {_CURE}")
    name, value = inputs[0]
    if value.dtype == 7:
        raise ModelError(f"{path} takes text or encoded files (its input {name[:80]!r}), not the pixels of images; {_CURE}")
    if value.dtype not in _NUMBERS:
        raise ModelError(f"{path} takes an input {name[:80]!r} that holds no numbers; {_CURE}")
    return value


def _shape(path: Path, value: Any) -> tuple[int | None, ...]:
    sides = value.tensor_shape.dim
    if value.tensor_shape.unknown_rank or len(sides) < 2:
        raise ModelError(f"{path} does not say what shape its images have; {_CURE}")
    return tuple(side.size if side.size >= 0 else None for side in sides)


def _output(path: Path, signature: Any) -> Any:
    """The only output with numbers: Lobe returns the label beside the confidences."""
    found = [(name, value) for name, value in signature.outputs.items() if value.dtype in _FLOATS]
    if len(found) != 1:
        names = ", ".join(sorted(name for name, _ in found))[:80] or "none"
        problem = f"{path} returns {plural(len(found), 'output')} of scores ({names}), but a classifier has one"
        raise ModelError(f"{problem}; export one of them alone")
    return found[0][1]


def _reachable(path: Path, nodes: dict[str, Any], output: str) -> list[Any]:
    """The nodes that an output depends on."""
    waiting, seen = [_node_name(output)], set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        if name not in nodes:
            raise ModelError(f"{path} is damaged: its graph lacks the node {name[:80]!r}; copy the folder again")
        seen.add(name)
        waiting += map(_node_name, nodes[name].input)
    return [node for name, node in nodes.items() if name in seen]


def _check(path: Path, nodes: list[Any], functions: dict[str, Any]) -> dict[str, Any]:
    """The functions that are called. Raises ModelError for what is not allowed, and for more work than a network has."""
    used: dict[str, Any] = {}
    sizes: dict[str, int] = {}
    numbers = 0

    def size(inside: Any, depth: int) -> int:
        if depth > _MAX_DEPTH:
            raise ModelError(f"{path} holds functions that call each other without end; do not trust this folder")
        total = 0
        for node in inside:
            called = _called(node, functions)
            if called is None:
                total += _checked(path, node, in_function=depth > 0)
            elif called.signature.name not in sizes:
                used[called.signature.name] = called
                sizes[called.signature.name] = size(called.node_def, depth + 1)
            total += sizes[called.signature.name] if called is not None else 0
            if total > MAX_NODES:
                raise ModelError(f"{path} runs more than {MAX_NODES:,} operations for one image; do not trust this folder")
        return total

    size(nodes, 0)
    for node in (*nodes, *(node for function in used.values() for node in function.node_def)):
        numbers += (
            math.prod(abs(dim.size) for dim in node.attr["value"].tensor.tensor_shape.dim) if node.op == "Const" else 0
        )
        if numbers > MAX_ARRAY_NUMBERS:
            raise ModelError(f"{path} holds constants of more than {MAX_ARRAY_NUMBERS:,} numbers; do not trust this folder")
    return used


def _called(node: Any, functions: dict[str, Any]) -> Any | None:
    """The function that a node calls; None for an operation of TensorFlow."""
    return functions.get(node.attr["f"].func.name) if node.op in CALLS else functions.get(node.op)


def _checked(path: Path, node: Any, in_function: bool) -> int:
    """1 for a node that is allowed. Raises ModelError for any other."""
    if node.op in OPERATIONS or (node.op in VARIABLES and not in_function):
        return 1
    cure = "remove the layer that computes it, and save the model again"
    if node.op in LOOPS or node.op.startswith("TensorList"):  # the results of a loop
        problem = f"{path} holds a loop or a branch ({node.op}), which may never end"
        cure = "save a network without it, such as one with unrolled recurrent layers (unroll=True)"
    else:
        problem = f"{path} needs the operation {node.op[:80]}, which edgeclf does not run from a SavedModel"
    raise ModelError(f"{problem}; {cure}")


def _graph(meta: Any, nodes: list[Any], functions: dict[str, Any]) -> Any:
    """A GraphDef of these, for any device, without hints to compilers.

    And without an order among operations that do not need each other's results: none of them has another effect.
    """
    from tensorflow.core.framework import graph_pb2

    graph = graph_pb2.GraphDef(versions=meta.graph_def.versions)
    graph.node.extend(nodes)
    graph.library.function.extend(functions.values())
    for function in graph.library.function:
        function.attr.clear()
        function.control_ret.clear()
        del function.signature.control_output[:]
    for node in _all_nodes(graph):
        node.device = ""
        node.input[:] = [name for name in node.input if not name.startswith("^")]
        if node.op in VARIABLES:
            node.CopyFrom(_placeholder(node))
        for key in [key for key in node.attr if key.startswith("_")]:
            del node.attr[key]
    return graph


def _placeholder(variable: Any) -> Any:
    """For the numbers of a variable, or for a handle of it. Variables would keep their place in a frozen graph."""
    from tensorflow.core.framework import node_def_pb2, types_pb2

    made = node_def_pb2.NodeDef(name=variable.name, op="Placeholder")
    made.attr["dtype"].type = variable.attr["dtype"].type if variable.op in REFERENCES else types_pb2.DT_RESOURCE
    return made


def _all_nodes(graph: Any) -> Iterator[Any]:
    yield from graph.node
    for function in graph.library.function:
        yield from function.node_def


def _node_name(tensor: str) -> str:
    return tensor.removeprefix("^").partition(":")[0]
