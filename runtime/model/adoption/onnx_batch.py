"""Frees the batch of an ONNX network, and tries whether it answers a batch as it answers single images."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.adoption.onnx_edit import GraphEditor
from edgeclf.runtime.model.adoption.onnx_graph import Constants, reads
from edgeclf.runtime.model.adoption.onnx_trial import EndlessError, Trial
from edgeclf.runtime.model.backend import INPUT, OUTPUT
from edgeclf.runtime.model.output_contract import probe_images

_TOLERANCE = {"float16": 5e-3}
_USUAL_TOLERANCE = 1e-4


def settle_batch(path: Path, model: Any, dtype: str, batch: int | None) -> bool:
    """Let a network that has the ends of the model contract take any batch; if it cannot, one image at a time.

    dtype, batch: see `Network`. Returns whether it takes one image at a time. Raises ModelError if it does not work at all.
    """
    if batch is None and _takes_any_batch(path, model, dtype):
        return False
    old_shapes = _free_shapes(model)
    if (old_shapes or batch is not None) and _takes_any_batch(path, model, dtype):
        return False
    for node, name in old_shapes:
        node.input[1] = name
    if batch not in (None, 1):
        raise ModelError(f"{path} takes {batch} images at a time and no other number; export it for a batch of 1")
    for value in (*model.graph.input, *model.graph.output):
        axis = value.type.tensor_type.shape.dim[0]
        axis.ClearField("dim_param")
        axis.dim_value = 1
    _rows(path, Trial(path, model), _probes(model)[0])
    return True


def _takes_any_batch(path: Path, model: Any, dtype: str) -> bool:
    """Whether batches of 2 and 3 give the rows that their images give alone."""
    images = _probes(model)
    tolerance = _TOLERANCE.get(dtype, _USUAL_TOLERANCE)
    try:
        trial = Trial(path, model)
        alone = np.concatenate([_rows(path, trial, image) for image in images])
        together = [_rows(path, trial, np.concatenate(images[:count])) for count in (2, 3)]
    except EndlessError:
        raise
    except ModelError:
        return False
    return all(np.allclose(rows, alone[: len(rows)], rtol=0, atol=tolerance, equal_nan=True) for rows in together)


def _probes(model: Any) -> list[NDArray[np.uint8]]:
    """Three images that no network can confuse."""
    height, width, channels = (axis.dim_value for axis in model.graph.input[0].type.tensor_type.shape.dim[1:])
    black, _, noise, gradient = probe_images((height, width, channels))
    return [noise, gradient, black]


def _rows(path: Path, trial: Trial, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    rows = trial.answer(OUTPUT.encode(), {INPUT.encode(): images})
    if rows.ndim != 2 or len(rows) != len(images):
        raise ModelError(f"{path} returns {list(rows.shape)} for {len(images)} images, not a row of scores for each")
    return rows


def _free_shapes(model: Any) -> list[tuple[Any, bytes]]:
    """Let the shapes into which images are brought leave the batch open. Returns the nodes with their shapes before."""
    editor, constants = GraphEditor(model), Constants(model)
    from_image = {INPUT.encode()}
    changed: list[tuple[Any, bytes]] = []
    for node in model.graph.node:
        if from_image.isdisjoint(reads(node)):
            continue
        from_image.update(node.output)
        shape = constants.values(node.input[1]) if node.op_type == b"Reshape" and len(node.input) > 1 else None
        if (
            shape is not None
            and shape.dtype == np.int64
            and shape.size
            and shape.flat[0] > 0
            and node.input[0] in from_image
        ):
            free = shape.ravel().copy()
            free[0] = 0 if -1 in free[1:] else -1  # 0 keeps the size of the axis
            changed.append((node, bytes(node.input[1])))
            node.input[1] = editor.add_weight("edgeclf_shape", free)
    return changed
