"""Ultralytics' `predict` with the same weights, in an ONNX file like its own exports."""

import importlib
import os
import tempfile
from pathlib import Path

os.environ |= {
    "YOLO_AUTOINSTALL": "false",
    "YOLO_OFFLINE": "true",
    "YOLO_VERBOSE": "false",
    "YOLO_CONFIG_DIR": tempfile.gettempdir(),  # not the user's settings
}

import onnx
import torch

try:
    importlib.import_module("torchvision")
except RuntimeError:
    # torchvision's operators for boxes are compiled for CUDA and do not load with a torch for the CPU. A classifier does
    # not need them, but torchvision can only be imported if they are defined.
    for operator in ("nms", "qnms"):
        torch.library.define(f"torchvision::{operator}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

from ultralytics import YOLO

from edgeclf.benchmarks.peers import ClassifyAll
from edgeclf.benchmarks.peers.reading import photographs

BATCH = 32
"""The fastest here of 1 to 32."""


def prepare(folder: Path) -> ClassifyAll:
    size = write_export(folder / "model.onnx", folder / "ultralytics.onnx")
    model = YOLO(folder / "ultralytics.onnx", task="classify")
    files = photographs(folder)
    listed = folder / "ultralytics.txt"
    listed.write_text("".join(f"{file}\n" for file in files), "utf-8")

    def run() -> list[int]:
        results = model.predict(listed, imgsz=size, batch=BATCH, stream=True, verbose=False, device="cpu")
        found = {Path(result.path): int(result.probs.top1) for result in results}
        return [found[file] for file in files]

    return run


def write_export(source: Path, target: Path) -> list[int]:
    """Write the network with the input that `predict` expects, float32 `[batch, 3, H, W]` from 0 to 1. Returns `[H, W]`."""
    model = onnx.load(source)
    graph = model.graph
    height, width, channels = (side.dim_value for side in graph.input[0].type.tensor_type.shape.dim[1:])
    classes = graph.output[0].type.tensor_type.shape.dim[1].dim_value
    shape = ["batch", channels, height, width]
    graph.input[0].CopyFrom(onnx.helper.make_tensor_value_info("images", onnx.TensorProto.FLOAT, shape))
    graph.initializer.append(onnx.helper.make_tensor("white", onnx.TensorProto.FLOAT, [], [255.0]))
    nodes = [
        onnx.helper.make_node("Mul", ["images", "white"], ["scaled"]),
        onnx.helper.make_node("Round", ["scaled"], ["rounded"]),
        onnx.helper.make_node("Cast", ["rounded"], ["whole"], to=onnx.TensorProto.UINT8),
        onnx.helper.make_node("Transpose", ["whole"], ["image"], perm=[0, 2, 3, 1]),
        *graph.node,
    ]
    del graph.node[:], model.metadata_props[:]
    graph.node.extend(nodes)
    names = {number: str(number) for number in range(classes)}
    described = {"task": "classify", "stride": 1, "batch": 1, "imgsz": [height, width], "names": names, "channels": channels}
    onnx.helper.set_model_props(model, {key: str(value) for key, value in described.items()})
    onnx.save(model, target)
    return [height, width]
