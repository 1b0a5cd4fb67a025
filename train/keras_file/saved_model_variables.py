"""The numbers of a SavedModel's variables, read from its checkpoint without running its graph."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.core.protobuf import trackable_object_graph_pb2

from edgeclf.runtime.errors import ModelError, first_line
from edgeclf.train.keras_file.saved_model_folder import MAX_VARIABLE_BYTES, VARIABLES, read_message
from edgeclf.train.keras_file.saved_model_program import Program

_OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"
_DAMAGED = "copy the folder again, with its variables/"


def read_variables(path: Path, meta: Any, program: Program) -> dict[str, NDArray[Any]]:
    """The numbers of each variable by the name of its node. Raises ModelError."""
    if not program.variables:
        return {}
    try:
        reader = tf.train.load_checkpoint(str(path / VARIABLES / VARIABLES))
        keys = _keys(meta, reader)
        _check_size({keys[name] for name in program.variables}, reader)
        return {name: _numbers(reader.get_tensor(keys[name])) for name in program.variables}
    except KeyError as error:
        raise ModelError(f"{path} holds no numbers for {str(error)[:80]}; {_DAMAGED}") from None
    except (tf.errors.OpError, ValueError, IndexError, RuntimeError) as error:
        raise ModelError(f"{path}: its {VARIABLES}/ cannot be read ({first_line(error)}); {_DAMAGED}") from None


def _keys(meta: Any, reader: Any) -> dict[str, str]:
    """The key in the checkpoint for each node that is a variable."""
    if meta.object_graph_def.nodes:
        return _keys_of_objects(meta, reader)
    return _keys_of_restore(meta.graph_def)


def _keys_of_objects(meta: Any, reader: Any) -> dict[str, str]:
    """TensorFlow 2 keeps objects. Those of the graph and of the checkpoint have the same names from the root on."""
    saved = read_message(reader.get_tensor(_OBJECTS), trackable_object_graph_pb2.TrackableObjectGraph).nodes
    objects = meta.object_graph_def.nodes
    same, waiting = {0: 0}, [0]
    while waiting:
        one = waiting.pop()
        names = {child.local_name: child.node_id for child in saved[same[one]].children}
        for child in objects[one].children:
            if child.local_name in names and child.node_id not in same:
                same[child.node_id] = names[child.local_name]
                waiting.append(child.node_id)
    keys = {}
    for node, bound in _bound_objects(meta):
        for attribute in saved[same[bound]].attributes if bound in same else ():
            keys[node] = attribute.checkpoint_key
    return keys


def _bound_objects(meta: Any) -> list[tuple[str, int]]:
    """The nodes of the graph that a function takes besides its arguments, each with the object that it stands for."""
    concrete = meta.object_graph_def.concrete_functions
    found: list[tuple[str, int]] = []
    for node in meta.graph_def.node:
        name = node.attr["f"].func.name if "f" in node.attr else ""
        if name in concrete:
            bound = list(concrete[name].bound_inputs)
            inputs = [one for one in node.input if not one.startswith("^")]
            found += zip(inputs[len(inputs) - len(bound) :], bound, strict=True)
    return found


def _keys_of_restore(graph: Any) -> dict[str, str]:
    """TensorFlow 1 has nodes that assign what another node restores."""
    nodes = {node.name: node for node in graph.node}
    keys = {}
    for node in graph.node:
        if node.op not in ("Assign", "AssignVariableOp"):
            continue
        source, _, number = node.input[1].partition(":")
        if source in nodes and nodes[source].op == "Identity":
            source, _, number = nodes[source].input[0].partition(":")
        if source in nodes and nodes[source].op == "RestoreV2":
            names = tf.make_ndarray(nodes[nodes[source].input[1]].attr["value"].tensor)
            keys[node.input[0]] = names[int(number or 0)].decode()
    return keys


def _check_size(keys: set[str], reader: Any) -> None:
    shapes, types = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    wanted = sum(math.prod(shapes[key]) * types[key].size for key in keys)
    if wanted > MAX_VARIABLE_BYTES:
        raise ValueError(f"it promises {wanted / 1e9:.1f} GB")


def _numbers(value: Any) -> NDArray[Any]:
    if not isinstance(value, np.ndarray | np.generic) or value.dtype.kind not in "fiub":
        raise ValueError("a variable is not made of numbers")
    return np.asarray(value)
