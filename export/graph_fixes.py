"""Changes to the frozen graph that avoid errors and slow spots of tf2onnx and onnxruntime."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

_Nodes = dict[str, tf.compat.v1.NodeDef]


def fixed_graph(graph: tf.Graph) -> tf.compat.v1.GraphDef:
    """A copy of a frozen graph, with the fixes, that computes the same."""
    copy = graph.as_graph_def()
    nodes = {node.name: node for node in copy.node}
    added = [*_scalars_to_vectors(nodes), *_dense_to_convolutions(nodes), *_fix_max_pool_borders(nodes)]
    copy.node.extend(added)
    return copy


def _scalars_to_vectors(nodes: _Nodes) -> Iterator[tf.compat.v1.NodeDef]:
    """Turn added scalars into vectors of one number.

    tf2onnx 1.17 takes a constant after a convolution for its bias and computes `max(shape)`, which fails for a scalar. Its
    transpose optimiser then gives up on the whole graph (MobileNetV3: 108 Transposes remain instead of 1).
    """
    made: set[str] = set()
    for node in nodes.values():
        if node.op not in ("Add", "AddV2"):
            continue
        for position, source in enumerate(node.input):
            constant = nodes.get(source)
            if constant is None or constant.op != "Const" or constant.attr["value"].tensor.tensor_shape.dim:
                continue
            node.input[position] = f"{source}/vector"
            if source not in made:
                made.add(source)
                yield _constant(f"{source}/vector", tf.make_ndarray(constant.attr["value"].tensor).reshape(1))


def _dense_to_convolutions(nodes: _Nodes) -> Iterator[tf.compat.v1.NodeDef]:
    """Turn a dense layer over the channels of a feature map, a `tensordot` in TensorFlow, into a 1x1 convolution.

    ONNX convolutions take channels first, so each matrix product would keep two Transposes (ConvNeXtTiny: 36).
    """
    for reshape in list(nodes.values()):
        name = reshape.name
        product = nodes.get(f"{name}/MatMul")
        axes, free = nodes.get(f"{name}/axes"), nodes.get(f"{name}/free")
        if reshape.op != "Reshape" or not name.endswith("Tensordot") or product is None or axes is None or free is None:
            continue
        weights = _behind_identity(nodes, product.input[1])
        if weights.op != "Const" or _values(axes) != [3] or _values(free) != [0, 1, 2]:
            continue
        feature_map = nodes[f"{name}/transpose"].input[0]
        kernel = tf.make_ndarray(weights.attr["value"].tensor)[None, None]
        yield _constant(f"{name}/kernel", kernel)
        reshape.CopyFrom(_convolution(name, feature_map, f"{name}/kernel", reshape.attr["T"]))


def _fix_max_pool_borders(nodes: _Nodes) -> Iterator[tf.compat.v1.NodeDef]:
    """Pad with the smallest positive number instead of zeros in front of a MaxPool.

    onnxruntime merges a Pad of zeros into the MaxPool after it (its pull request 18136), which then ignores the border. But
    if all other numbers of a window are negative, the zeros are its maximum: in ResNet50V2, this moves probabilities by 0.5.
    """
    for pool in nodes.values():
        pad = nodes.get(pool.input[0]) if pool.op == "MaxPool" else None
        if pad is not None and pad.op == "Pad":
            pad.op = "PadV2"
            pad.input.append(f"{pad.name}/value")
            yield _constant(f"{pad.name}/value", np.array(np.finfo(np.float32).tiny, np.float32))


def _behind_identity(nodes: _Nodes, name: str) -> tf.compat.v1.NodeDef:
    node = nodes[name]
    return nodes[node.input[0]] if node.op == "Identity" else node


def _values(constant: tf.compat.v1.NodeDef) -> list[int]:
    values: list[int] = tf.make_ndarray(constant.attr["value"].tensor).tolist() if constant.op == "Const" else []
    return values


def _constant(name: str, value: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> tf.compat.v1.NodeDef:
    tensor = tf.make_tensor_proto(value)
    node = tf.compat.v1.NodeDef(name=name, op="Const")
    node.attr["value"].tensor.CopyFrom(tensor)
    node.attr["dtype"].type = tensor.dtype
    return node


def _convolution(name: str, image: str, kernel: str, kind: tf.compat.v1.AttrValue) -> tf.compat.v1.NodeDef:
    node = tf.compat.v1.NodeDef(name=name, op="Conv2D", input=[image, kernel])
    node.attr["T"].CopyFrom(kind)
    node.attr["strides"].list.i.extend([1, 1, 1, 1])
    node.attr["dilations"].list.i.extend([1, 1, 1, 1])
    node.attr["padding"].s = b"VALID"
    node.attr["data_format"].s = b"NHWC"
    return node


def _complementary_error(context: Any, node: Any, name: str, _: list[str]) -> None:
    """Replace `Erfc`, which exact GELU needs and ONNX lacks, by 1 - Erf."""
    error = context.make_node("Erf", [node.input[0]]).output[0]
    one = context.make_const(f"{name}/one", np.ones(1, np.float32)).output[0]
    shapes, dtypes = node.output_shapes, node.output_dtypes
    context.remove_node(node.name)
    context.make_node("Sub", [one, error], name=node.name, outputs=node.output, shapes=shapes, dtypes=dtypes)


HANDLERS: dict[str, tuple[Callable[..., None], list[str]]] = {"Erfc": (_complementary_error, [])}
"""Handlers for operations that tf2onnx does not know."""
