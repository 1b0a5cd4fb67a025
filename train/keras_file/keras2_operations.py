"""Operations of TensorFlow that Keras 2 saved as layers, as the operations of Keras 3 that compute the same.

A program that writes `x / 127.5 - 1` between its layers, as `preprocess_input` of keras.applications does, gets a
`TFOpLambda` layer for each operation, and Keras 3 has no such layer.
"""

from typing import Any, Literal, NamedTuple

from edgeclf.runtime.errors import ModelError


class _Operation(NamedTuple):
    """kind: the class in Keras 3. operands: further arguments that may be tensors. settings: names in TensorFlow and Keras.
    at_rest: arguments that Keras 3 does not have, with the values that change nothing.
    """

    module: str
    kind: str
    operands: tuple[str, ...] = ()
    settings: dict[str, str] = {}  # noqa: RUF012 (never changed)
    at_rest: dict[str, Any] = {}  # noqa: RUF012


def _binary(kind: str) -> _Operation:
    return _Operation("numpy", kind, ("y",))


def _unary(kind: str, module: str = "nn", **settings: str) -> _Operation:
    return _Operation(module, kind, settings=settings)


def _reduction(kind: str) -> _Operation:
    return _Operation("numpy", kind, settings={"axis": "axis", "keepdims": "keepdims"})


OPERATIONS: dict[str, _Operation] = {
    "__operators__.add": _binary("Add"),
    "__operators__.getitem": _Operation("numpy", "GetItem", ("slice_spec",)),
    "cast": _Operation("core", "Cast", settings={"dtype": "dtype"}),
    "clip_by_value": _unary("Clip", "numpy", clip_value_min="x_min", clip_value_max="x_max"),
    "concat": _unary("Concatenate", "numpy", axis="axis"),
    "convert_to_tensor": _unary("ConvertToTensor", "core", dtype="dtype"),
    "expand_dims": _unary("ExpandDims", "numpy", axis="axis"),
    "identity": _unary("ConvertToTensor", "core"),
    "image.resize": _Operation(
        "image",
        "Resize",
        (),
        {"size": "size", "method": "interpolation", "antialias": "antialias"},
        {"preserve_aspect_ratio": False},
    ),
    "math.abs": _unary("Absolute", "numpy"),
    "math.add": _binary("Add"),
    "math.divide": _binary("TrueDivide"),
    "math.exp": _unary("Exp", "numpy"),
    "math.log": _unary("Log", "numpy"),
    "math.maximum": _binary("Maximum"),
    "math.minimum": _binary("Minimum"),
    "math.multiply": _binary("Multiply"),
    "math.negative": _unary("Negative", "numpy"),
    "math.pow": _binary("Power"),
    "math.reduce_max": _reduction("Max"),
    "math.reduce_mean": _reduction("Mean"),
    "math.reduce_min": _reduction("Min"),
    "math.reduce_sum": _reduction("Sum"),
    "math.rsqrt": _unary("Rsqrt", "math"),
    "math.sigmoid": _unary("Sigmoid"),
    "math.softplus": _unary("Softplus"),
    "math.sqrt": _unary("Sqrt", "numpy"),
    "math.square": _unary("Square", "numpy"),
    "math.subtract": _binary("Subtract"),
    "math.tanh": _unary("Tanh", "numpy"),
    "math.truediv": _binary("TrueDivide"),
    "nn.bias_add": _Operation("numpy", "Add", ("bias",), at_rest={"data_format": "NHWC"}),
    "nn.elu": _unary("Elu"),
    "nn.gelu": _unary("Gelu", approximate="approximate"),
    "nn.leaky_relu": _unary("LeakyRelu", alpha="negative_slope"),
    "nn.log_softmax": _unary("LogSoftmax", axis="axis"),
    "nn.relu": _unary("Relu"),
    "nn.relu6": _unary("Relu6"),
    "nn.silu": _Operation("nn", "Silu", at_rest={"beta": 1.0}),
    "nn.softmax": _unary("Softmax", axis="axis"),
    "reshape": _unary("Reshape", "numpy", shape="newshape"),
    "squeeze": _unary("Squeeze", "numpy", axis="axis"),
    "stack": _unary("Stack", "numpy", axis="axis"),
    "stop_gradient": _unary("StopGradient", "core"),
    "transpose": _Operation("numpy", "Transpose", settings={"perm": "axes"}, at_rest={"conjugate": False}),
}
"""By their names in TensorFlow. Operators such as `-` have the names of their functions there, except for `+` and `[]`."""
_REVERSED = [{"class_name": "__ellipsis__"}, {"start": None, "stop": None, "step": -1}]
_CHANNELS = {
    "reversed": _Operation("numpy", "Flip", at_rest={"slice_spec": _REVERSED}),
    "some": _Operation("numpy", "Take", ("slice_spec",)),
}
"""For `[..., ::-1]`, and for `[..., 0]` or `[..., :3]`: Keras cannot read the three dots in an `.h5` file."""
_MAX_CHANNELS = 65_536
_DEFAULTS: dict[str, dict[str, Any]] = {"Gelu": {"approximate": False}, "Flip": {"axis": -1}, "Take": {"axis": -1}}
"""Settings that are not the defaults of Keras 3."""
_TENSOR = "__keras_tensor__"
_CURE = "save it in the program that made it as a SavedModel folder, model.save('folder'), and export that"


def check_operation(function: object, name: str) -> None:
    """Raises ModelError unless the operation of a layer only computes and Keras 3 has it. name: the file, for messages."""
    if _plain_name(function) not in OPERATIONS:
        raise ModelError(
            f"{name} holds the operation tf.{str(function)[:80]} as a layer, which Keras 3 does not load; {_CURE}"
        )


def _plain_name(function: object) -> str:
    return str(function).removeprefix("compat.v1.")


def to_operation(layer: dict[str, Any], name: str) -> None:
    """Change a layer that holds an operation, in place. name: the file, for messages. Raises ModelError."""
    check_operation(layer["config"].get("function"), name)
    function = _plain_name(layer["config"]["function"])
    nodes = layer.get("inbound_nodes")
    calls = [_Call(node, f"{name}: its operation tf.{function}") for node in (nodes if isinstance(nodes, list) else ())]
    operation = next((_CHANNELS[way] for call in calls if (way := call.takes_channels)), OPERATIONS[function])
    config = {"name": layer["config"].get("name"), **_DEFAULTS.get(operation.kind, {})}
    for call in calls:
        config |= call.settings(operation)
    layer |= {
        "module": f"keras.src.ops.{operation.module}",
        "class_name": operation.kind,
        "config": config,
        "registered_name": None,
        "inbound_nodes": [{"args": call.arguments(operation), "kwargs": {}} for call in calls],
    }
    layer.pop("build_config", None)


def with_tensors_in_arguments(node: Any) -> Any:
    """One call of a layer of Keras 2. If it has tensors among its named arguments, then as Keras 3 writes it."""
    if not (isinstance(node, list) and len(node) == 1 and isinstance(node[0], list) and len(node[0]) == 4):
        return node
    arguments = node[0][3]
    if not (isinstance(arguments, dict) and any(map(_is_reference, arguments.values()))):
        return node
    return {
        "args": [_tensor(node[0])],
        "kwargs": {key: _tensor(v) if _is_reference(v) else v for key, v in arguments.items()},
    }


class _Call:
    """One call of an operation: `[layer, call, output, {argument: value}]`, or a list of these if it takes a list.

    A number in place of the tensor is `["_CONSTANT_VALUE", -1, number, {...}]`.
    """

    def __init__(self, node: Any, place: str) -> None:
        self._place = place
        self._is_list = isinstance(node, list) and bool(node) and isinstance(node[0], list)
        self._inputs = node if self._is_list else [node]
        for one in self._inputs:
            if not (isinstance(one, list) and len(one) == 4 and isinstance(one[0], str) and isinstance(one[3], dict)):
                raise self._error("is called in a way that Keras 2 never writes")
        self._named: dict[str, Any] = self._inputs[0][3]

    @property
    def takes_channels(self) -> Literal["reversed", "some"] | None:
        """Whether it takes a part of the last axis, after three dots."""
        spec = self._named.get("slice_spec")
        if spec == _REVERSED:
            return "reversed"
        first = spec[0] if isinstance(spec, list) and spec else None
        return "some" if isinstance(first, dict) and first.get("class_name") == "__ellipsis__" else None

    def settings(self, operation: _Operation) -> dict[str, Any]:
        """Raises ModelError for an argument without which it would compute something else."""
        found = {}
        for key, value in self._named.items():
            if key in operation.settings:
                found[operation.settings[key]] = value if isinstance(value, str) else self._plain(value)
            elif key not in operation.operands and key != "name" and value not in (None, operation.at_rest.get(key)):
                raise self._error(f"has {key}={str(value)[:40]}, which Keras 3 does not have")
        return found

    def arguments(self, operation: _Operation) -> list[Any]:
        """The positional arguments. At least one is a tensor: Keras would run a call without one while it loads the file."""
        inputs = [self._operand(one[2] if one[0] == "_CONSTANT_VALUE" else one[:3]) for one in self._inputs]
        read = {"GetItem": self._key, "Take": self._channels}.get(operation.kind, self._operand)
        further = [read(self._named.get(key)) for key in operation.operands]
        if not any(_is_tensor(one) for one in (*inputs, *further)):
            raise self._error("is called without a tensor, which Keras 2 never writes")
        return [inputs if self._is_list else inputs[0], *further]

    def _operand(self, value: Any) -> Any:
        if _is_reference(value):
            return _tensor(value)
        if isinstance(value, list):
            return {"class_name": "__numpy__", "config": {"value": value, "dtype": "float32"}}
        if isinstance(value, int | float):
            return value
        raise self._error(f"is called with {str(value)[:40]}, which is neither a tensor nor a number")

    def _plain(self, value: Any) -> Any:
        if not all(isinstance(one, int | float | None) for one in (value if isinstance(value, list) else [value])):
            raise self._error(f"has the setting {str(value)[:40]}, which is not a number")
        return value

    def _key(self, spec: Any) -> list[Any]:
        """What stands between the brackets."""
        return [self._slice(one) for one in (spec if isinstance(spec, list) else [spec])]

    def _channels(self, spec: list[Any]) -> Any:
        part = self._slice(spec[1]) if len(spec) == 2 else None
        if isinstance(part, int):
            return part
        start, stop, step = (part["config"][key] for key in ("start", "stop", "step")) if part else (None, None, None)
        if stop is None or not 0 <= (start or 0) <= stop <= _MAX_CHANNELS or (step or 1) < 1:
            raise self._error("takes a part of a tensor in a way that Keras 3 does not have")
        return {"class_name": "__numpy__", "config": {"value": [*range(start or 0, stop, step or 1)], "dtype": "int32"}}

    def _slice(self, part: Any) -> Any:
        if isinstance(part, dict) and part.keys() == {"start", "stop", "step"}:
            return {"class_name": "__slice__", "config": {key: self._index(value) for key, value in part.items()}}
        return self._index(part)

    def _index(self, value: Any) -> int | None:
        if value is None or isinstance(value, int):
            return value
        raise self._error(f"takes the part {str(value)[:40]} of a tensor, which is not a number")

    def _error(self, problem: str) -> ModelError:
        return ModelError(f"{self._place} {problem}; {_CURE}")


def _is_reference(value: Any) -> bool:
    return isinstance(value, list) and len(value) >= 3 and isinstance(value[0], str) and isinstance(value[1], int)


def _is_tensor(value: Any) -> bool:
    return isinstance(value, dict) and value.get("class_name") == _TENSOR


def _tensor(reference: list[Any]) -> dict[str, Any]:
    """Keras takes shape and type from the layer that makes the tensor, and does not read these."""
    return {"class_name": _TENSOR, "config": {"shape": [None], "dtype": "float32", "keras_history": reference[:3]}}
