"""The further outputs of an exported file: what its last dense layer sees, and where in the image that comes from.

Both are found from the graph, so a network from elsewhere has them, too, whatever its layers are called.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod
from typing import TypeAlias, TypeVar

import tensorflow as tf

from edgeclf.export.feature_maps import Average, averages_in, behind_shaping, join
from edgeclf.export.options import EVERY_OUTPUT
from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.backend import OUTPUT
from edgeclf.runtime.model.further_outputs import EMBEDDING, HEATMAP

_MOST_OF_SIZE = 0.02
"""The share of a file's size that an output may take where nobody asked for it."""
_NODES_BYTES = 1_500
"""What the operations of further outputs add to a file, at most. A heatmap shares the weights of the head."""
_ACTIVATIONS = {"Softmax", "Sigmoid"}
_Tensor = TypeVar("_Tensor", int, str)
_Function: TypeAlias = tf.types.experimental.ConcreteFunction


@dataclass(frozen=True)
class _Head:
    """The last dense layer. embedding: its input, `[batch, D]`. weights: `[D, units]`.

    averages: the feature maps that the embedding is the average of; none if it is no average.
    """

    embedding: tf.Tensor
    weights: tf.Tensor
    averages: tuple[Average, ...]


def add_outputs(frozen: _Function, asked: tuple[str, ...], name: str) -> tuple[_Function, tuple[str, ...]]:
    """A frozen graph with the further outputs behind `probabilities`, and their names.

    asked: names of outputs; all that the network has for `all`; if empty, the embedding, unless the network is tiny.
    name: of the model, for messages. `probabilities` is computed by the same operations as before.
    Raises ModelError if the network has no such output.
    """
    head = _find_head(frozen.outputs[0])
    names = _chosen(_possible(head), frozen, asked, name)
    if head is None or not names:
        return frozen, ()
    graph, taken = frozen.graph.as_graph_def(), frozen.inputs[0]
    maps = [average.features for average in head.averages]
    wanted = [one.name for one in (frozen.outputs[0], head.embedding, head.weights, *maps)]

    def serve(image: tf.Tensor) -> list[tf.Tensor]:
        probabilities, embedding, weights, *features = tf.graph_util.import_graph_def(
            graph, {taken.op.name: image}, wanted, name=""
        )
        made = {EMBEDDING: tf.cast(embedding, tf.float32)}
        if HEATMAP in names:
            made[HEATMAP] = _heatmap(join(head.averages, features), weights)
        return [tf.identity(probabilities, OUTPUT), *(tf.identity(made[one], one) for one in names)]

    spec = tf.TensorSpec(taken.shape, taken.dtype, name=taken.op.name)
    return tf.function(serve, input_signature=[spec], autograph=False).get_concrete_function(), names


def answering(operations: Sequence[tuple[Iterable[_Tensor], Iterable[_Tensor]]], output: _Tensor) -> list[bool]:
    """Which operations of a file the output depends on; the others make further outputs.

    operations: the inputs and outputs of each, in the order in which they run.
    """
    needed, found = {output}, []
    for inputs, outputs in reversed(operations):
        found.append(not needed.isdisjoint(outputs))
        needed.update(inputs if found[-1] else ())
    return found[::-1]


def _find_head(probabilities: tf.Tensor) -> _Head | None:
    """The head behind the output of a frozen graph; None if it ends in anything but a dense layer and its activation."""
    raw, units = behind_shaping(probabilities), probabilities.shape[1]
    if _is_completed(raw):
        raw, units = behind_shaping(raw.op.inputs[1]), 1
    if raw.op.type in _ACTIVATIONS:
        raw = behind_shaping(raw.op.inputs[0])
    if raw.op.type in ("BiasAdd", "AddV2") and raw.op.inputs[1].shape.rank == 1:
        raw = behind_shaping(raw.op.inputs[0])
    if raw.op.type != "MatMul" or raw.op.get_attr("transpose_a") or raw.op.get_attr("transpose_b"):
        return None
    embedding, weights = raw.op.inputs
    if behind_shaping(weights).op.type != "Const" or embedding.shape[1] is None or weights.shape[1] != units:
        return None
    return _Head(embedding, weights, averages_in(embedding))


def _is_completed(both: tf.Tensor) -> bool:
    """Whether it is one unit, and in front of it what that leaves for the other class."""
    if both.op.type != "ConcatV2":
        return False
    rest, unit = map(behind_shaping, both.op.inputs[:2])
    return bool(rest.op.type == "Sub" and behind_shaping(rest.op.inputs[1]).name == unit.name)


def _heatmap(features: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Class activation maps, `[batch, h, w, classes]`: what each place adds to the score of each class, times `h * w`.

    Zhou et al. 2016, Learning Deep Features for Discriminative Localization. For global average pooling before a dense
    layer, they are exact: the mean of a map and the bias of its class are the score. One unit is the score of the second
    class, so the map of the first class is its negative. As one product of matrices, because files then share the weights.
    """
    _, height, width, depth = features.shape
    maps = tf.matmul(tf.reshape(features, (-1, depth)), weights)
    maps = tf.cast(tf.reshape(maps, (-1, height, width, weights.shape[1])), tf.float32)
    return maps * tf.constant([-1.0, 1.0]) if weights.shape[1] == 1 else maps


def _possible(head: _Head | None) -> tuple[str, ...]:
    """The outputs that a network can have."""
    if head is None:
        return ()
    return (EMBEDDING, HEATMAP) if head.averages else (EMBEDDING,)


def _chosen(possible: tuple[str, ...], frozen: _Function, asked: tuple[str, ...], name: str) -> tuple[str, ...]:
    if not asked:
        is_large = _weights(frozen.graph) * _MOST_OF_SIZE >= _NODES_BYTES
        return tuple(one for one in possible if one == EMBEDDING and is_large)
    if EVERY_OUTPUT in asked:
        return possible
    for one in asked:
        if one not in (*possible, OUTPUT):
            needs = "global average pooling before its last dense layer" if one == HEATMAP else "a dense layer at its end"
            raise ModelError(f"{name} cannot have the output {one}, which needs {needs}; leave {one} out of --outputs")
    return tuple(one for one in possible if one in asked)


def _weights(graph: tf.Graph) -> int:
    """The number of weights, which is the bytes that they take in INT8."""
    return sum(prod(one.outputs[0].shape) for one in graph.get_operations() if one.type == "Const")
