"""The formats of model files by their suffixes, and what only stands for a model file."""

import shlex
from pathlib import Path
from typing import Literal

from edgeclf.runtime.errors import ModelError

ModelFormat = Literal["ONNX", "TFLite", "Keras", "HDF5", "SavedModel"]
"""Keras files are for training: `.keras`, and the older `.h5`, which is HDF5. A SavedModel of TensorFlow is a folder."""

SAVED_MODEL = "saved_model.pb"
"""The file by which a SavedModel folder is known."""
_SUFFIXES: dict[ModelFormat, str] = {"ONNX": ".onnx", "TFLite": ".tflite", "Keras": ".keras", "HDF5": ".h5"}
_ZIP_NAME = 30  # where a zip file has the name of its first member
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_FORMATS: dict[str, ModelFormat] = {
    ".onnx": "ONNX",
    ".tflite": "TFLite",
    ".lite": "TFLite",
    ".keras": "Keras",
    ".h5": "HDF5",
    ".hdf5": "HDF5",
}
MODEL_SUFFIXES = tuple(_FORMATS)


def model_format(path: Path) -> ModelFormat | None:
    """The format that the suffix says, in capitals or not, or that of a SavedModel folder; None for anything else.

    >>> model_format(Path("MODEL.ONNX")), model_format(Path("model.int8.lite")), model_format(Path("model.zip"))
    ('ONNX', 'TFLite', None)
    """
    return _FORMATS.get(path.suffix.lower()) or ("SavedModel" if (path / SAVED_MODEL).is_file() else None)


def is_runnable(path: Path) -> bool:
    """Whether the suffix is that of a file that the runtime can open."""
    return model_format(path) in ("ONNX", "TFLite")


def what_to_export(path: Path) -> str:
    """For a file that only another tool can open: what it is, and what to export there instead; "" for any other.

    It goes behind "FILE is ". The file is not opened.

    >>> what_to_export(Path("phone.mlmodel"))
    'a Core ML model; export ONNX or TFLite from the network that it was made from'
    """
    name = path.name.lower()
    known = next((suffix for suffix in _ELSEWHERE if name.endswith(suffix)), None)
    if known is None and name == "model.json":
        known = ".tfjs"
    return _ELSEWHERE[known].replace("FILE", shlex.quote(str(path))) if known else ""


def check_content(path: Path, data: bytes) -> None:
    """Raise ModelError for a file that only stands for a model, or whose suffix is that of another format.

    data: all of it, or its first 256 bytes.
    """
    if not data:
        raise ModelError(f"{path} is empty; export or copy the model again")
    if data.startswith(_LFS_POINTER):
        raise ModelError(f"{path} is a pointer of Git LFS, not the model itself; fetch it with git lfs pull")
    found, named = _format_of(data), model_format(path)
    if found and found != named:
        renamed = path.with_suffix(_SUFFIXES[found]) if named else f"{path}{_SUFFIXES[found]}"
        raise ModelError(f"{path} holds {found}, which its name does not say; rename it to {renamed}")


def _format_of(data: bytes) -> ModelFormat | None:
    """What the beginning of a file says; None in doubt."""
    if data.startswith(b"PK\x03\x04") and data[_ZIP_NAME:].startswith((b"metadata.json", b"config.json")):
        return "Keras"  # PyTorch's files are zip files, too
    if data.startswith(b"\x89HDF"):
        return "HDF5"
    if data[4:8] == b"TFL3":
        return "TFLite"
    is_onnx = len(data) > 2 and data[0] == 8 and 3 <= data[1] <= 20 and data[2] in b"\x12\x1a\x22\x28\x3a\x42"
    return "ONNX" if is_onnx else None


_TORCH = "export ONNX from it: yolo export model=FILE format=onnx, timm's onnx_export.py, or torch.onnx.export in Python"
_SOURCE = "export ONNX or TFLite from the network that it was made from"
_ELSEWHERE = {
    "_edgetpu.tflite": "compiled for a Coral Edge TPU; take the .tflite file that it was made from, without _edgetpu",
    ".pt": f"a PyTorch file; {_TORCH}",
    ".pth": f"a PyTorch file; {_TORCH}",
    ".ckpt": f"a checkpoint of a training; {_TORCH}",
    ".torchscript": f"a TorchScript file; {_TORCH}",
    ".pkl": f"a pickle, such as fastai writes; {_TORCH} (in fastai, the model is learn.model)",
    ".safetensors": "the weights of a network without the network; export ONNX: optimum-cli export onnx --model FOLDER out/"
    " for Hugging Face, timm's onnx_export.py for timm",
    ".gguf": "a language model of llama.cpp; edgeclf runs image classifiers",
    ".hef": f"compiled for a Hailo chip; {_SOURCE}",
    ".rknn": f"compiled for a Rockchip NPU; {_SOURCE}",
    ".eim": "a program of Edge Impulse; download TensorFlow Lite (float32) from the Dashboard of the project instead",
    ".mlmodel": f"a Core ML model; {_SOURCE}",
    ".mlpackage": f"a Core ML model; {_SOURCE}",
    ".engine": f"compiled by TensorRT for one kind of GPU; {_SOURCE}",
    ".plan": f"compiled by TensorRT for one kind of GPU; {_SOURCE}",
    ".trt": f"compiled by TensorRT for one kind of GPU; {_SOURCE}",
    ".pb": "a frozen graph of TensorFlow; export ONNX (Custom Vision and Lobe offer it), or convert it: python -m"
    " tf2onnx.convert --graphdef FILE --inputs IN:0 --outputs OUT:0 --output model.onnx",
    ".caffemodel": f"the weights of a Caffe network; {_SOURCE}",
    ".param": f"a network of NCNN; {_SOURCE}",
    ".mnn": f"a network of MNN; {_SOURCE}",
    ".xml": "a network of OpenVINO; export ONNX instead: Geti and OpenVINO Training Extensions offer it",
    ".blob": "compiled by OpenVINO for a Myriad chip; export ONNX, or take the ONNX file from the NN archive",
    ".dlc": f"compiled for a Qualcomm chip; {_SOURCE}",
    ".om": f"compiled for a Huawei Ascend chip; {_SOURCE}",
    ".tfjs": "a model of TensorFlow.js; in Teachable Machine, choose Export Model, Tensorflow, Keras instead, or convert it:"
    " tensorflowjs_converter --input_format tfjs_layers_model --output_format keras FILE model.h5",
    ".bin": "weights of another tool without their network; export ONNX or TFLite there",
}
"""By the end of the file's name. FILE stands for it."""
