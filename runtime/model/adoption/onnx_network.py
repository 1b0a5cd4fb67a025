"""Finds the image that an ONNX network takes and the row of scores that it returns, or says what the network is instead."""

from pathlib import Path
from typing import Any, NamedTuple

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.adoption.adopted_card import check_one_answer
from edgeclf.runtime.model.adoption.network import Network, Weights
from edgeclf.runtime.model.adoption.onnx_graph import Constants, makers, reads, sides
from edgeclf.runtime.model.adoption.onnx_layers import first_layer, quantization
from edgeclf.runtime.model.adoption.onnx_safety import read_model
from edgeclf.runtime.model.last_operation import last_onnx_operation
from edgeclf.runtime.model.onnx_schema import DOUBLE, FLOAT, FLOAT16, INT8, INT32, INT64, STRING, TYPE_NAMES, UINT8
from edgeclf.runtime.terminal.console import show_shape
from edgeclf.runtime.terminal.plural import plural

_IMAGE_TYPES = (FLOAT, FLOAT16, DOUBLE, UINT8, INT8)
_SCORE_TYPES = (FLOAT, FLOAT16, DOUBLE)
_CHANNELS = (1, 3)
_ADVICE = "edgeclf runs classifiers, which take one image and return one score for each class"


class Ends(NamedTuple):
    """What a graph takes and returns: `ValueInfoProto`s. width: scores per image; None if the file does not say it."""

    input: Any
    output: Any
    width: int | None


def examine_onnx(path: Path, data: bytes) -> Network:
    """What the graph of an ONNX classifier shows. Nothing in the file is run.

    path: names the file in errors. Raises ModelError for anything but a classifier of images, and for files that would run
    foreign code or take more time or memory than a classifier needs.
    """
    model = read_model(path, data)
    return network_of(path, model, find_ends(path, model))


def find_ends(path: Path, model: Any) -> Ends:
    """The image and the scores. Raises ModelError if there is no such pair."""
    stored = {tensor.name for tensor in model.graph.initializer}
    stored |= {tensor.values.name for tensor in model.graph.sparse_initializer}
    # Before IR version 4, every weight also had to be listed among the inputs.
    inputs = [value for value in model.graph.input if value.name not in stored]
    if len(inputs) != 1 or not _is_image(inputs[0]):
        raise ModelError(f"{path} takes {_what_it_takes(inputs)}; {_ADVICE}")
    return Ends(inputs[0], *_find_scores(path, model.graph, sides(inputs[0])))


def network_of(path: Path, model: Any, ends: Ends) -> Network:
    """Raises ModelError if the image is not one of 1 or 3 channels, or the scores answer more than one question."""
    axes = sides(ends.input) or []
    constants = Constants(model)
    channels_first, channels = _layout(path, model.graph, constants, ends.input)
    scale, zero_point = quantization(model.graph, constants, ends.input.name)
    network = Network(
        format="ONNX",
        dtype=TYPE_NAMES[ends.input.type.tensor_type.elem_type],
        channels_first=channels_first,
        size_hw=(axes[2], axes[3]) if channels_first else (axes[1], axes[2]),
        channels=1 if channels == 1 else 3,
        batch=axes[0],
        outputs=ends.width,
        output=[value.name for value in model.graph.output].index(ends.output.name),
        last_operation=last_onnx_operation(model.graph, ends.output.name),
        scale=scale,
        zero_point=zero_point,
        weights=_weights(model.graph),
        producer=model.producer_name[:100].decode("utf-8", "replace"),
    )
    check_one_answer(path, network)
    return network


def _weights(graph: Any) -> Weights:
    kinds = {tensor.data_type for tensor in graph.initializer if len(tensor.dims) > 1}  # zero points have one axis
    return "int8" if kinds & {INT8, UINT8} else "float16" if FLOAT16 in kinds else "float32"


def _is_image(value: Any) -> bool:
    return value.type.tensor_type.elem_type in _IMAGE_TYPES and len(sides(value) or []) == 4


def _what_it_takes(inputs: list[Any]) -> str:
    if not inputs:
        return "no input"
    found = ", ".join(map(_show, inputs[:4]))
    kinds = [(value.type.tensor_type.elem_type, len(sides(value) or [])) for value in inputs]
    if any(kind == STRING or (kind in (INT64, INT32) and axes == 2) for kind, axes in kinds):
        return f"text, not an image ({found})"
    if len(inputs) > 1:
        return f"{plural(len(inputs), 'input')} ({found}), not one image"
    if len(sides(inputs[0]) or []) == 4:
        return f"{found}, numbers of a type that images do not have"
    return f"{found}, not a batch of images with 4 axes"


def _layout(path: Path, graph: Any, constants: Constants, value: Any) -> tuple[bool, int]:
    """Whether the channels come first, and their number."""
    axes = sides(value) or []
    first, last = axes[1] in _CHANNELS, axes[3] in _CHANNELS
    if first != last:
        return first, (axes[1] if first else axes[3]) or 0
    layer = first_layer(graph, constants, value.name)
    if first and last:
        channels_first = layer is None or layer[0]
        return channels_first, (axes[1] if channels_first else axes[3]) or 0
    channels_first, channels = layer or (True, min(axes[1] or 0, axes[3] or 0) or axes[1] or axes[3])
    if channels not in _CHANNELS:
        number = "an unknown number of channels" if channels is None else plural(channels, "channel")
        raise ModelError(f"{path} takes {_show(value)}, images with {number}, but edgeclf makes RGB and grey ones")
    return channels_first, channels


def _find_scores(path: Path, graph: Any, image: list[int | None] | None) -> tuple[Any, int | None]:
    """The row of scores that no other row of scores is computed from, and its width.

    So probabilities come before the logits behind them, and logits before features. Of several such rows of the same width,
    as training with helper outputs leaves them, the first counts.
    """
    batch = image[0] if image else None
    rows = [(value, width) for value in graph.output for width in [_row_width(value, batch)] if width is not None]
    if not rows or _finds_objects(graph):
        raise ModelError(f"{path} returns {_what_it_returns(graph)}; {_ADVICE}")
    behind = _tensors_behind(graph, [value.name for value, _ in rows])
    rows = [(value, width) for value, width in rows if value.name not in behind] or rows[:1]
    if len({width for _, width in rows}) > 1:
        found = ", ".join(_show(value) for value, _ in rows[:4])
        raise ModelError(f"{path} returns {len(rows)} different rows of scores ({found}); export it with one of them")
    value, width = rows[0]
    return value, width or None


def _row_width(value: Any, batch: int | None) -> int | None:
    """Scores per image: 0 if the file does not say it, None if the output is no row of scores."""
    if value.type.tensor_type.elem_type not in _SCORE_TYPES:
        return None
    axes = sides(value)
    if axes is None:
        return 0
    if len(axes) == 1:
        return 1 if axes[0] in (batch, None) else axes[0]
    long = [axis for axis in axes[1:] if axis != 1]
    if len(axes) in (2, 3, 4) and len(long) <= 1:
        return 1 if not long else long[0] or 0
    return None


def _tensors_behind(graph: Any, names: list[bytes]) -> set[bytes]:
    """All tensors that the named ones are computed from, without these themselves."""
    nodes = makers(graph)
    behind: set[bytes] = set()
    waiting = [name for start in names if start in nodes for name in reads(nodes[start])]
    while waiting:
        name = waiting.pop()
        if name not in behind:
            behind.add(name)
            waiting += reads(nodes[name]) if name in nodes else []
    return behind


def _finds_objects(graph: Any) -> bool:
    """Whether the network looks for boxes in an image: it drops overlapping ones, or returns them beside their scores."""
    if any(node.op_type == b"NonMaxSuppression" for node in graph.node):
        return True
    others = [value for value in graph.output if len(graph.output) > 1]
    return any(b"box" in value.name.lower() or (len(axes := sides(value) or []) == 3 and axes[2] == 4) for value in others)


def _what_it_returns(graph: Any) -> str:
    if not graph.output:
        return "nothing"
    found = ", ".join(map(_show, graph.output[:4]))
    first = graph.output[0]
    axes = len(sides(first) or [])
    if _finds_objects(graph) or (axes == 3 and first.type.tensor_type.elem_type in _SCORE_TYPES):
        return f"{found}, as networks that find objects or poses do, not a row of scores"
    if axes == 4:
        return f"{found}, a map for each image as in segmentation, not a row of scores"
    if first.type.tensor_type.elem_type in (INT64, INT32):
        return f"{found}: the number of a class, as after an ArgMax, not a row of scores"
    return f"{found}, not a row of scores"


def _show(value: Any) -> str:
    kind = value.type.tensor_type
    axes = sides(value)
    shape = f" {show_shape(axes)}" if axes is not None else ""
    return f"{value.name[:60].decode('utf-8', 'replace')}: {TYPE_NAMES.get(kind.elem_type, 'no tensor')}{shape}"
