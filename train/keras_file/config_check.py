"""Checks the config.json of a `.keras` file before Keras builds a network from it.

Keras's own safe mode refuses Python code. This adds an allow-list: layers, initializers and operations that only compute
with numbers from the same file, in sizes that those numbers can fill.
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from edgeclf.runtime.errors import ModelError
from edgeclf.train.keras_file.allowlist import ACTIVATIONS, ANY, MODULES, OPERATION_LAYERS, WITHOUT_MODULE
from edgeclf.train.keras_file.keras2_operations import check_operation

ALWAYS_ALLOWED = 65_536
"""Integers up to this one are always accepted: image sides, lengths of flattened maps, channels."""

_FROM_PYTHON = "build it in Python and call edgeclf.export.run.export_network(network, ...)"
_PLAIN = {"__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__", "TensorShape"}
_DTYPE = re.compile(r"bool|u?int(4|8|16|32|64)|b?float(16|32|64)|float8_e[45]m[23](fn)?")
_CODE = {"Lambda", "__lambda__", "TFSMLayer", "JaxLayer", "FlaxLayer", "TorchModuleWrapper"}
_UNBOUNDED = {"seed", "shared_object_id"}
MAX_ARRAY_NUMBERS = 1 << 28
"""Maximum size of one array that depends on one image: 1 GiB in float32."""


def check_config(text: bytes, name: str, weights_bytes: int) -> None:
    """Raises ModelError unless everything in the config is on the allow-list and no larger than the weights allow."""
    root = parse(text, name)
    if not isinstance(root, dict) or "class_name" not in root:
        raise ModelError(f"{name} does not describe a network; save it again with Keras")
    root = {key: value for key, value in root.items() if key != "compile_config"}  # not read with compile=False
    limit = max(ALWAYS_ALLOWED, weights_bytes // 2)
    for key, value in _values(root):
        if isinstance(value, dict) and "class_name" in value:
            _check_object(value, name)
        if key.endswith("shape") and isinstance(value, list):
            _check_shape(value, name)
        if isinstance(value, int) and abs(value) > limit and key not in _UNBOUNDED:
            cause = f"{name} asks for {key} = {value:,}, and its weights take {weights_bytes:,} bytes"
            raise ModelError(f"{cause}, too few for that; do not trust this file, or save the model again with its weights")


def _check_shape(shape: list[Any], name: str) -> None:
    numbers = math.prod(side for side in shape if isinstance(side, int) and side > 0)
    if numbers > MAX_ARRAY_NUMBERS:
        raise ModelError(f"{name} asks for arrays of {shape}, more than any image; do not trust this file")


def parse(text: bytes, name: str) -> Any:
    """JSON as a value. Raises ModelError."""
    try:
        return json.loads(text.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        cause = "nested too deeply" if isinstance(error, RecursionError) else str(error)[:200]
        raise ModelError(f"{name} has a config that cannot be read ({cause}); copy it again") from None


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _values(root: Any) -> Iterator[tuple[str, Any]]:
    """Every value below `root` with its key. Not recursive, so any depth works."""
    waiting = [("", root)]
    while waiting:
        key, value = waiting.pop()
        yield key, value
        if isinstance(value, dict):
            waiting.extend(value.items())
        elif isinstance(value, list):
            waiting.extend((key, item) for item in value)


def _check_object(value: dict[str, Any], name: str) -> None:
    """Check one serialized object: a class that Keras would look up and call."""
    class_name, module = value["class_name"], value.get("module")
    if not isinstance(class_name, str) or not isinstance(module, str | None):
        raise ModelError(f"{name} names the class {class_name!r} of the module {module!r}; save it again with Keras")
    if class_name in _PLAIN:
        _check_plain(value, name)
    elif class_name == "function":
        _check_function(value, name)
    elif not _is_known(class_name, module):
        raise ModelError(_refusal(class_name, module, name))
    if class_name in OPERATION_LAYERS:
        config = value.get("config")
        check_operation(config.get("function") if isinstance(config, dict) else None, name)
    for node in _nodes(value):
        if not _holds_tensor(node):
            raise ModelError(f"{name} calls {class_name} without a tensor, which Keras never writes; do not trust this file")


def _is_known(class_name: str, module: str | None) -> bool:
    if not module:
        return class_name in WITHOUT_MODULE
    if module not in MODULES:
        return False
    allowed = MODULES[module]
    return class_name.isidentifier() if allowed is ANY else class_name in allowed


def _check_plain(value: dict[str, Any], name: str) -> None:
    """Check the dtype of plain numbers: one such as S2000000000 would make a single number two gigabytes."""
    config = value.get("config")
    dtype = config.get("dtype") if isinstance(config, dict) else None
    if dtype is not None and not (isinstance(dtype, str) and _DTYPE.fullmatch(dtype)):
        raise ModelError(f"{name} holds numbers of the unknown type {str(dtype)[:40]!r}; do not trust this file")


def _check_function(value: dict[str, Any], name: str) -> None:
    function, module = value.get("config"), value.get("module")
    if function not in ACTIVATIONS or module not in ("builtins", "keras.activations"):
        cause = (
            f"{name} needs the function {str(function)[:80]} of the module {module}, which edgeclf does not load from a file"
        )
        raise ModelError(f"{cause}; {_FROM_PYTHON}")


def _nodes(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The calls of a layer, as Keras 3 writes them."""
    nodes = value.get("inbound_nodes")
    for node in nodes if isinstance(nodes, list) else ():
        if isinstance(node, dict):
            yield node


def _holds_tensor(node: dict[str, Any]) -> bool:
    """Whether a call takes a tensor of the graph. Keras would run a call without one while it loads the file."""
    waiting: list[Any] = [node.get("args"), node.get("kwargs")]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if value.get("class_name") == "__keras_tensor__":
                return True
            waiting.extend(() if "class_name" in value else value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return False


def _refusal(class_name: str, module: str | None, name: str) -> str:
    if class_name in _CODE:
        kind = "lambda function" if class_name == "__lambda__" else f"{class_name} layer"
        cause = f"{name} holds a {kind}, which can run any program"
        return f"{cause}; replace it with a layer from keras.layers and save again"
    if module == "keras.layers":
        cause = f"{name} holds a {class_name[:80]} layer, which no image classifier needs"
        return f"{cause}; remove it and save again"
    place = f" of the module {module[:80]}" if module else ""
    return f"{name} needs the class {class_name[:80]}{place}, which edgeclf does not load from a file; {_FROM_PYTHON}"
