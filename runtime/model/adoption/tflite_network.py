"""What a TFLite file of another tool takes and returns, and whether it is a classifier of images at all."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.adoption.network import Network, Weights
from edgeclf.runtime.model.adoption.tflite_safety import check_room
from edgeclf.runtime.model.last_operation import last_tflite_operation
from edgeclf.runtime.model.tflite_schema import (
    DAMAGE,
    IDENTIFIER,
    each,
    open_tables,
    operator_names,
    shape_of,
    steps_of,
    text,
    type_names,
)
from edgeclf.runtime.terminal.console import show_shape
from edgeclf.runtime.terminal.plural import noun_for, plural

_INPUT_TYPES = ("float32", "uint8", "int8")
_OUTPUT_TYPES = ("float32", "float16", "uint8", "int8")
_MAX_SIDE = 4096
_MAX_TENSORS = 64
"""Of inputs or outputs; a classifier has one of each."""
_FLEX = "Flex"
_CUSTOM = {
    "TFLite_Detection_PostProcess": "finds objects in images instead of classifying them",
    "edgetpu-custom-op": "was compiled for the Edge TPU; use the file that it was compiled from, whose name has no _edgetpu",
}
_POSITIONS = {"ARG_MAX", "ARG_MIN", "TOPK_V2"}


@dataclass(frozen=True)
class _Tensor:
    name: str
    dtype: str
    shape: tuple[int, ...]
    steps: tuple[float, int] | None

    def __str__(self) -> str:
        return f"{self.dtype} {show_shape(self.shape)}"


@dataclass(frozen=True)
class _Tables:
    """What the tables of a file say. custom: the names of the custom operators in use. has_loop: whether one repeats."""

    inputs: tuple[_Tensor, ...]
    outputs: tuple[_Tensor, ...]
    custom: tuple[str, ...]
    last_operation: str
    producer: str
    has_loop: bool
    weights: Weights


def examine_tflite(path: Path, data: bytes) -> Network:
    """What the file at `path` with these bytes takes and returns.

    Raises ModelError if it is damaged, or no classifier of images that can be adopted.
    """
    if data[4:8] != IDENTIFIER:
        raise ModelError(f"{path} is not a TFLite file (bytes 5 to 8 are not TFL3); copy or export it again")
    try:
        tables = _read(data)
    except ImportError:
        raise ModelError(f"{path} can only be read with LiteRT: pip install 'edgeclf[litert]'") from None
    except DAMAGE as error:
        raise damage_error(path, error) from None
    telling = next((_CUSTOM[name] for name in tables.custom if name in _CUSTOM), "")
    if telling:
        raise ModelError(f"{path} {telling}")
    if tables.has_loop:
        raise ModelError(f"{path} holds a loop, which may never come to an end; export the network without one")
    network = _network(path, tables)
    _check_operators(path, tables)
    return network


def damage_error(path: Path, error: Exception) -> ModelError:
    """The error for a file whose tables raised one of `DAMAGE`."""
    return ModelError(f"{path} is damaged ({type(error).__name__} in its tables); copy or export it again")


def _read(data: bytes) -> _Tables:
    model = open_tables(data)
    graph = model.Subgraphs(0)
    types, names = type_names(), operator_names(model)
    is_custom = [bool(text(code.CustomCode())) for code in each(model.OperatorCodes, model.OperatorCodesLength())]
    used = {node.OpcodeIndex() for node in each(graph.Operators, graph.OperatorsLength())}
    count = graph.TensorsLength()
    for subgraph in each(model.Subgraphs, model.SubgraphsLength(), _MAX_TENSORS):
        check_room(model, subgraph, types)

    def tensor(index: int) -> _Tensor:
        if not 0 <= index < count:
            raise IndexError(index)
        found = graph.Tensors(index)
        dtype = types.get(found.Type(), f"type {found.Type()}")
        return _Tensor(text(found.Name()), dtype, shape_of(found), steps_of(found))

    return _Tables(
        inputs=tuple(map(tensor, each(graph.Inputs, graph.InputsLength(), _MAX_TENSORS))),
        outputs=tuple(map(tensor, each(graph.Outputs, graph.OutputsLength(), _MAX_TENSORS))),
        custom=tuple(names[code] for code in sorted(used) if is_custom[code]),
        last_operation=last_tflite_operation(data) if graph.OutputsLength() else "",
        producer=text(model.Description()),
        has_loop=any(names[code] == "WHILE" for code in used),
        weights=_weights(graph, types),
    )


def _weights(graph: Any, types: dict[int, str]) -> Weights:
    tensors = each(graph.Tensors, graph.TensorsLength())
    kinds = {types.get(tensor.Type()) for tensor in tensors if tensor.ShapeLength() > 1}
    return "int8" if "int8" in kinds else "float16" if "float16" in kinds else "float32"


def _check_operators(path: Path, tables: _Tables) -> None:
    flex = [name.removeprefix(_FLEX) for name in tables.custom if name.startswith(_FLEX)]
    if flex:
        found = f"{path} needs {', '.join(flex[:3])} of TensorFlow itself (select TF ops), which LiteRT does not have"
        raise ModelError(f"{found}; convert its network to ONNX, or its Keras model with clf-export")
    if tables.custom:
        found = f"{path} needs the custom {noun_for(len(tables.custom), 'operator')} {', '.join(tables.custom[:3])}"
        raise ModelError(f"{found}, which LiteRT does not have; export the model without")


def _network(path: Path, tables: _Tables) -> Network:
    image = _check_input(path, tables.inputs)
    outputs = _check_output(path, tables)
    channels_first = image.shape[3] not in (1, 3)
    channels = image.shape[1] if channels_first else image.shape[3]
    sides = image.shape[2:] if channels_first else image.shape[1:3]
    height, width = (side if side > 0 else None for side in sides)
    scale, zero_point = (image.steps if image.dtype != "float32" else None) or (1.0, 0)
    return Network(
        format="TFLite",
        dtype=image.dtype,
        channels_first=channels_first,
        size_hw=(height, width),
        channels=1 if channels == 1 else 3,
        batch=image.shape[0] if image.shape[0] > 0 else None,
        outputs=outputs,
        last_operation=tables.last_operation,
        scale=scale,
        zero_point=zero_point,
        producer=tables.producer,
        weights=tables.weights,
    )


def _check_input(path: Path, inputs: tuple[_Tensor, ...]) -> _Tensor:
    if len(inputs) != 1:
        raise ModelError(f"{path} takes {_listed(inputs, 'input')}, but a classifier takes one, the image")
    image = inputs[0]
    if len(image.shape) != 4:
        _refuse_input(path, image, _other_input(image))
    if image.dtype not in _INPUT_TYPES:
        _refuse_input(path, image, f"not an image in {', '.join(_INPUT_TYPES[:-1])} or {_INPUT_TYPES[-1]}")
    sides = image.shape[1:3]
    if image.shape[3] not in (1, 3):
        if image.shape[1] not in (1, 3):
            _refuse_input(path, image, "whose channels are neither one (grey) nor three (in colour)")
        sides = image.shape[2:]
    if max(sides) > _MAX_SIDE or 0 in image.shape:
        _refuse_input(path, image, f"but the sides of an image must be 1 to {_MAX_SIDE}")
    if image.steps and image.dtype != "float32" and not 0 < image.steps[0] < float("inf"):
        raise ModelError(f"{path} has an input scale of {image.steps[0]}, so it is damaged; copy or export it again")
    return image


def _other_input(tensor: _Tensor) -> str:
    if tensor.dtype in ("int32", "int64", "string"):
        return "a text or a table of numbers, not an image"
    if max(tensor.shape, default=0) >= 8000:
        return "a sound or another series of numbers, not an image"
    return "not a batch of images with height, width and channels"


def _refuse_input(path: Path, tensor: _Tensor, what: str) -> NoReturn:
    raise ModelError(f"{path} takes {tensor}, {what}; clf-export adopts classifiers of images in grey or RGB")


def _check_output(path: Path, tables: _Tables) -> int | None:
    """The number of scores; None if the file leaves it open."""
    if len(tables.outputs) != 1:
        other = next(filter(None, map(_other_output, tables.outputs)), "")
        found = _listed(tables.outputs, "output") + (f", among them {other}" if other else "")
        raise ModelError(f"{path} returns {found}; a classifier has one output, a score for each class")
    output, last = tables.outputs[0], tables.last_operation
    sides = _scores(output)
    kind = f"the number of a class without its score (made by {last})" if last in _POSITIONS else _other_output(output)
    if kind:
        raise ModelError(f"{path} returns {output}, {kind}; clf-export adopts networks that return a score for each class")
    if tables.last_operation == "LOGISTIC" and sides and sides[0] > 1:
        found = f"{path} returns {sides[0]} sigmoids, one yes or no per class"
        raise ModelError(f"{found}; edgeclf predicts one class, so train it with a softmax")
    if not sides:
        return 1
    return sides[0] if sides[0] > 0 else None


def _scores(output: _Tensor) -> list[int]:
    """The sides of what is returned for one image, without those that are 1."""
    return [side for side in output.shape[1:] if side != 1] if len(output.shape) > 1 else list(output.shape)


def _other_output(output: _Tensor) -> str:
    """What an output is that holds no scores of classes; "" for one that may hold them."""
    sides = _scores(output)
    if output.dtype not in _OUTPUT_TYPES:
        return "whole numbers or texts, not scores"
    if len(sides) == 3 or (len(sides) == 2 and len(output.shape) == 4 and output.shape[3] == 1):
        return "one answer for each pixel, as segmentation does"
    if len(sides) == 2 and sides[-1] in (2, 3):
        return "the positions of points, as networks for poses do"
    if len(sides) > 1:
        return "a list of boxes or other rows"
    return ""


def _listed(tensors: tuple[_Tensor, ...], what: str) -> str:
    shown = ", ".join(f"{tensor.name or '?'}: {tensor}" for tensor in tensors[:4])
    return f"{plural(len(tensors), what)} ({shown}{', ...' if len(tensors) > 4 else ''})"
