"""Settings of Keras 2 that Keras 3 does not know.

TensorFlow 2.0 to 2.15 wrote them into every `.h5` and `.keras` file. Most have values with which a trained network computes
the same without them.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from edgeclf.runtime.errors import ModelError
from edgeclf.train.keras_file.allowlist import KERAS2_MODULES, MODELS, OPERATION_LAYERS
from edgeclf.train.keras_file.keras2_operations import to_operation, with_tensors_in_arguments


def _any(value: Any) -> bool:
    return True


def _none_or_one(value: Any) -> bool:
    return value in (None, 1)


def _none_or_false(value: Any) -> bool:
    return value in (None, False)


class _Setting(NamedTuple):
    """layers: how the names of their classes start. harmless: whether a trained network computes the same without it."""

    layers: tuple[str, ...]
    key: str
    harmless: Callable[[Any], bool]


_RANDOM = ("Random", "Dropout", "AlphaDropout", "GaussianDropout", "GaussianNoise")  # at rest in a trained network
_SETTINGS = (
    _Setting(("DepthwiseConv", "SeparableConv", "Conv1DT", "Conv2DT", "Conv3DT"), "groups", _none_or_one),
    _Setting(("SeparableConv",), "kernel_initializer", _any),  # it has two kernels, with settings of their own
    _Setting(("SeparableConv",), "kernel_regularizer", _any),
    _Setting(("SeparableConv",), "kernel_constraint", _any),
    _Setting(("LSTM", "GRU", "SimpleRNN", "RNN", "ConvLSTM"), "time_major", _none_or_false),
    _Setting(("SimpleRNN",), "implementation", _any),  # the order of the same sums
    _Setting(_RANDOM, "rng_type", _any),
    _Setting(_RANDOM, "force_generator", _any),
    _Setting(("SpatialDropout",), "noise_shape", _any),
    _Setting(("SpatialDropout",), "trainable", _any),
    _Setting(("SpatialDropout1D",), "data_format", _any),
    _Setting(("MultiHeadAttention",), "query_shape", _any),  # Keras 3 learns them from its input
    _Setting(("MultiHeadAttention",), "key_shape", _any),
    _Setting(("MultiHeadAttention",), "value_shape", _any),
    _Setting(("MultiHeadAttention",), "softmax_robust_masking", _none_or_false),
    _Setting(("AdditiveAttention", "Attention"), "causal", _none_or_false),
)
_REPLACED: dict[str, tuple[str, dict[str, str], dict[str, Any]]] = {
    "RandomHeight": ("Identity", {}, {}),
    "RandomWidth": ("Identity", {}, {}),
    "ThresholdedReLU": ("ReLU", {"theta": "threshold"}, {}),
    # In a trained network, that of Keras 2 resizes the image, and that of Keras 3 leaves it as it is.
    "RandomCrop": ("Resizing", {"height": "height", "width": "width"}, {"crop_to_aspect_ratio": True}),
}
"""Layers that Keras 3 lacks or that compute something else there: what a trained network has instead, which settings it
keeps under which name, and further settings."""
_KEPT = {"name": "name", "trainable": "trainable", "dtype": "dtype"}


def to_keras3(layer: dict[str, Any], name: str) -> None:
    """Change one layer of Keras 2, in place, to what Keras 3 knows. A layer of Keras 3 stays as it is.

    layer: `{"class_name": ..., "config": {...}}`. name: the file, for messages.
    Raises ModelError for a setting without which the network would compute something else.
    """
    if layer["class_name"] in OPERATION_LAYERS:
        to_operation(layer, name)
        return
    if isinstance(layer.get("inbound_nodes"), list):
        layer["inbound_nodes"] = [with_tensors_in_arguments(node) for node in layer["inbound_nodes"]]
    if layer.get("module") in KERAS2_MODULES:
        layer["module"] = KERAS2_MODULES[layer["module"]]
    if layer["class_name"] in _REPLACED and (layer["class_name"] != "RandomCrop" or "rng_type" in layer["config"]):
        _replace(layer)
    if layer["class_name"] == "MultiHeadAttention" and "query_shape" in layer["config"]:
        layer.pop("build_config", None)  # it lacks the shape of the values; Keras 3 builds the layer when it is called
    _drop_settings(layer["class_name"], layer["config"], name)
    axis = layer["config"].get("axis")
    if layer["class_name"] == "BatchNormalization" and isinstance(axis, list) and len(axis) == 1:
        layer["config"]["axis"] = axis[0]
    if layer.get("module") and layer["class_name"] != "InputLayer":  # the .keras file has an InputLayer as well
        layer["config"].pop("batch_input_shape", None)
    _correct_graph(layer["config"])


def _replace(layer: dict[str, Any]) -> None:
    kind, kept, further = _REPLACED[layer["class_name"]]
    config = layer["config"]
    layer["class_name"] = kind
    layer["config"] = {new: config[old] for old, new in (_KEPT | kept).items() if old in config} | further
    layer.pop("registered_name", None)


def _drop_settings(kind: str, config: dict[str, Any], name: str) -> None:
    for setting in _SETTINGS:
        if setting.key not in config or not kind.startswith(setting.layers):
            continue
        value = config[setting.key]
        if not setting.harmless(value):
            problem = f"{name} was saved by Keras 2, and its layer {config.get('name')!r} needs {setting.key}={value!r}"
            raise ModelError(
                f"{problem}, which {kind} in Keras 3 does not have; build the network without it and train again"
            )
        del config[setting.key]


def _correct_graph(network: dict[str, Any]) -> None:
    """Name the tensors of a functional network as Keras 3 does.

    Networks inside it count their calls from 0. In Keras 2, their own construction was number 0; Keras 3 itself takes that
    into account for a functional network that is an output. And its only input or output is not in a list.
    """
    layers = [layer for layer in _list(network.get("layers")) if isinstance(layer, dict)]
    calls = [one for layer in layers for one in _references(layer.get("inbound_nodes"))]
    if not calls:  # in the form of Keras 2
        return
    inner = {layer["config"].get("name"): layer["class_name"] for layer in layers if layer.get("class_name") in MODELS}
    outputs = [one for one in _references(network.get("output_layers")) if inner.get(one[0]) == "Sequential"]
    for name in inner:
        mine = [one for one in (*calls, *outputs) if one[0] == name]
        if all(one[1] >= 1 for one in mine):
            for one in mine:
                one[1] -= 1
    for key in ("input_layers", "output_layers"):
        if len(_list(network.get(key))) == 1:
            network[key] = network[key][0]


def _references(value: Any) -> Iterator[list[Any]]:
    """`[layer, number of the call, number of its output, ...]` of each tensor that a layer takes, as Keras 2 writes it."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list) and len(value) >= 3 and isinstance(value[0], str) and isinstance(value[1], int):
            yield value
            waiting.extend(one for one in value[3:4] if isinstance(one, dict))  # its named arguments
        elif isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, dict):
            waiting.extend(value.values())


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
