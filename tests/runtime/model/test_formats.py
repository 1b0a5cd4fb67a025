"""What the suffix of a file tells, without opening it."""

from pathlib import Path

import pytest

from edgeclf.runtime.model.formats import model_format, what_to_export

ELSEWHERE = {
    "best.pt": "yolo export model=best.pt format=onnx",
    "weights.PTH": "torch.onnx.export",
    "last.ckpt": "torch.onnx.export",
    "export.pkl": "learn.model",
    "model.safetensors": "optimum-cli export onnx",
    "model_edgetpu.tflite": "without _edgetpu",
    "yolo.hef": "Hailo",
    "m.rknn": "Rockchip",
    "m.eim": "TensorFlow Lite (float32)",
    "m.mlmodel": "Core ML",
    "m.mlpackage": "Core ML",
    "m.engine": "TensorRT",
    "m.plan": "TensorRT",
    "frozen.pb": "tf2onnx.convert --graphdef frozen.pb",
    "m.caffemodel": "Caffe",
    "m.param": "NCNN",
    "m.xml": "OpenVINO",
    "m.bin": "without their network",
    "m.blob": "Myriad",
    "m.dlc": "Qualcomm",
    "m.om": "Ascend",
    "m.gguf": "language model",
    "model.json": "TensorFlow.js",
}


@pytest.mark.parametrize(("name", "keyword"), ELSEWHERE.items(), ids=ELSEWHERE)
def test_a_file_of_another_tool_says_what_to_export_instead(name: str, keyword: str) -> None:
    clause = what_to_export(Path(name))
    assert keyword in clause
    assert "\n" not in clause
    assert clause.startswith(("a ", "compiled ", "the weights ", "weights "))


@pytest.mark.parametrize(
    "name", ["m.onnx", "m.tflite", "m.keras", "m.h5", "labels.txt", "folder", "m.pt.onnx", "config.json"]
)
def test_other_files_need_no_export(name: str) -> None:
    assert what_to_export(Path(name)) == ""


def test_a_path_in_a_command_is_quoted() -> None:
    assert "model='my models/best.pt' format" in what_to_export(Path("my models/best.pt"))


def test_a_saved_model_is_a_folder_with_its_file(tmp_path: Path) -> None:
    assert model_format(tmp_path) is None
    (tmp_path / "saved_model.pb").write_bytes(b"x")
    assert model_format(tmp_path) == "SavedModel"
