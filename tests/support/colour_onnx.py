"""A classifier that names the strongest of blue, green and red, as PyTorch exports it, and images for it."""

from pathlib import Path

import cv2
import numpy as np
from onnx import TensorProto, helper, numpy_helper

COLOURS = ("blue", "green", "red")
"""In the order of the outputs."""
SIDE = 16
THRESHOLD = 100.0
"""Levels of 0 to 255 that a colour must exceed; so pixels that were scaled otherwise all get the last class."""


def colour_onnx(
    producer: str = "pytorch", mean: float = 0.0, std: float = 1.0, properties: dict[str, str] | None = None
) -> bytes:
    """float32 `[N, 3, 16, 16]`, `(level - mean) / std`, to logits of three classes."""
    weights = {
        "bias": np.array([0, 0, 1e-3], np.float32),
        "eye": np.eye(3, dtype=np.float32)[::-1] * np.float32(std / 20),
        "threshold": np.array((THRESHOLD - mean) / std, np.float32),
    }
    nodes = [
        helper.make_node("GlobalAveragePool", ["input"], ["means"]),
        helper.make_node("Flatten", ["means"], ["rows"]),
        helper.make_node("Sub", ["rows", "threshold"], ["above"]),
        helper.make_node("Relu", ["above"], ["seen"]),
        helper.make_node("Gemm", ["seen", "eye", "bias"], ["output"]),
    ]
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name=producer)
    helper.set_model_props(model, properties or {})
    return model.SerializeToString()


def write_colours(folder: Path, count: int = 20, names: tuple[str, ...] = COLOURS) -> Path:
    """Noise with more of one colour than of the others, in one folder per class."""
    rng = np.random.default_rng(0)
    for name in names:
        (folder / name).mkdir(parents=True)
        for number in range(count):
            image = rng.integers(0, 90, (20, 24, 3), np.uint8)
            image[..., 2 - COLOURS.index(name)] += 120
            (folder / name / f"{number}.png").write_bytes(cv2.imencode(".png", image[..., ::-1])[1].tobytes())
    return folder
