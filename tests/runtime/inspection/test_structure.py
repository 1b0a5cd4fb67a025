"""The three readers agree with the tools that wrote the files; damage is a ModelError and nothing else."""

import io
import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from edgeclf.runtime import ModelCard
from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.inspection.keras_file import read_keras
from edgeclf.runtime.inspection.onnx_file import read_onnx
from edgeclf.runtime.inspection.structure import Structure, Tensor, json_safe
from edgeclf.runtime.inspection.tflite_file import read_tflite

BuildOnnx = Callable[..., onnx.ModelProto]
READERS: dict[str, Callable[[bytes], Structure]] = {
    "colour_model": read_onnx,
    "tflite_model": read_tflite,
    "keras_model": read_keras,
}


def members(**files: bytes | str) -> bytes:
    """A zip archive; `_json` in a name stands for `.json`."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("_json", ".json"), content)
    return file.getvalue()


def test_onnx_is_read_as_the_onnx_package_reads_it(colour_model: Path, colour_card: ModelCard) -> None:
    seen = read_onnx(colour_model.read_bytes())

    assert seen.inputs == (Tensor("image", "uint8", ("batch", 8, 8, 3)),)
    assert seen.outputs == (Tensor("probabilities", "float32", ("batch", 3)),)
    assert seen.operators == {"Cast": 1, "ReduceMean": 1, "MatMul": 1, "Softmax": 1}
    assert seen.weights == {"float32": 9}
    assert (seen.provenance, seen.card_text) == ({"opset": "17", "IR version": "8"}, colour_card.to_json())


def test_onnx_producer_and_every_opset_are_named(build_onnx: BuildOnnx, colour_weights: NDArray[np.float32]) -> None:
    model = build_onnx(colour_weights)
    model.producer_name, model.producer_version = "tool", "1.2"
    model.opset_import.append(onnx.helper.make_opsetid("ai.onnx.ml", 2))

    seen = read_onnx(model.SerializeToString())

    assert seen.provenance == {"producer": "tool 1.2", "opset": "17, ai.onnx.ml 2", "IR version": "8"}


def test_onnx_weights_are_not_listed_as_inputs(build_onnx: BuildOnnx, colour_weights: NDArray[np.float32]) -> None:
    model = build_onnx(colour_weights)
    model.graph.input.append(onnx.helper.make_tensor_value_info("weights", onnx.TensorProto.FLOAT, [3, 3]))

    assert [tensor.name for tensor in read_onnx(model.SerializeToString()).inputs] == ["image"]


def test_onnx_weights_in_other_files_are_reported(
    build_onnx: BuildOnnx, colour_weights: NDArray[np.float32], tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    onnx.save_model(build_onnx(colour_weights), path, save_as_external_data=True, location="w.bin", size_threshold=0)

    assert "1 of its weights are in files beside it" in read_onnx(path.read_bytes()).remark


def test_onnx_without_protobuf_says_how_to_install_it(colour_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("google.protobuf")]:
        monkeypatch.setitem(sys.modules, name, None)

    assert "pip install 'edgeclf[cpu]'" in read_onnx(colour_model.read_bytes()).remark


def test_onnx_names_that_are_not_utf_8_are_read(colour_model: Path) -> None:
    seen = read_onnx(colour_model.read_bytes().replace(b"image", b"im\xffge"))

    assert seen.inputs[0].name == "im\ufffdge"


def test_an_onnx_weight_with_too_many_axes_is_damage(build_onnx: BuildOnnx, colour_weights: NDArray[np.float32]) -> None:
    model = build_onnx(colour_weights)
    model.graph.initializer[0].dims.extend([2] * 1000)

    with pytest.raises(ModelError, match="more than 64 axes"):
        read_onnx(model.SerializeToString())


def test_many_empty_onnx_nodes_are_read_quickly(build_onnx: BuildOnnx, colour_weights: NDArray[np.float32]) -> None:
    model = build_onnx(colour_weights)
    for _ in range(100_000):
        model.graph.node.add()

    assert read_onnx(model.SerializeToString()).operators[""] == 100_000


def test_more_onnx_nodes_than_any_network_has_are_refused(
    build_onnx: BuildOnnx, colour_weights: NDArray[np.float32]
) -> None:
    empty_nodes = b"\x0a\x00" * 1_000_001
    graph = build_onnx(colour_weights).graph.SerializeToString() + empty_nodes
    data = b"\x3a" + _varint(len(graph)) + graph  # field 7 of a model: its graph

    with pytest.raises(ModelError, match="more nodes"):
        read_onnx(data)


def _varint(number: int) -> bytes:
    low = [number >> shift & 0x7F for shift in range(0, number.bit_length(), 7)]
    return bytes([*(byte | 0x80 for byte in low[:-1]), low[-1]])


def test_tflite_has_the_names_of_its_signature(tflite_model: Path, colour_card: ModelCard) -> None:
    seen = read_tflite(tflite_model.read_bytes())

    assert seen.inputs == (Tensor("image", "uint8", (-1, 8, 8, 3)),)
    assert seen.outputs == (Tensor("probabilities", "float32", (-1, 3)),)
    assert {"CAST", "MEAN", "SOFTMAX"} <= set(seen.operators)
    assert seen.weights["float32"] == 9
    assert seen.provenance["schema version"] == "3"
    assert seen.card_text == colour_card.to_json()


def test_tflite_without_litert_shows_the_card_and_how_to_install_it(
    tflite_model: Path, colour_card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    monkeypatch.delitem(sys.modules, "ai_edge_litert.schema_py_generated", raising=False)

    seen = read_tflite(tflite_model.read_bytes())

    assert "pip install 'edgeclf[litert]'" in seen.remark
    assert seen.card_text == colour_card.to_json()


def test_keras_layers_of_inner_networks_are_counted(keras_model: Path) -> None:
    seen = read_keras(keras_model.read_bytes())

    assert seen.operators == {"InputLayer": 2, "Conv2D": 1, "ReLU": 1, "GlobalAveragePooling2D": 1, "Dense": 1}
    assert seen.inputs == (Tensor("image", "float32", (-1, 8, 8, 3)),)
    assert seen.samples == {"calibration": 2, "verification": 1}
    assert list(seen.provenance) == ["keras", "saved"]


@pytest.mark.parametrize("name", READERS)
def test_damage_is_a_model_error_or_unnoticed(name: str, request: pytest.FixtureRequest) -> None:
    data = request.getfixturevalue(name).read_bytes()
    rng = np.random.default_rng(0)

    for number in range(600):
        damaged = bytearray(data)
        for bit in rng.integers(0, len(data) * 8, 3):
            damaged[bit // 8] ^= 1 << bit % 8
        if number % 3 == 0:
            damaged = damaged[: rng.integers(0, len(data))]
        if number % 3 == 1:
            start = rng.integers(0, len(data))
            damaged[start : start + 8] = b"\xff" * 8
        try:
            READERS[name](bytes(damaged))
        except ModelError:
            continue


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize(
    "data", [b"x", b"hello, I am a text\n", bytes(2000), b"\xff" * 2000, b"PK\x05\x06" + bytes(18)],
    ids=["byte", "text", "zeros", "ones", "empty-zip"],
)  # fmt: skip
def test_a_file_that_is_not_a_model_is_a_model_error(read: Callable[[bytes], Structure], data: bytes) -> None:
    with pytest.raises(ModelError):
        read(data)


@pytest.mark.parametrize(
    "data",
    [
        members(config_json="{}"),
        members(metadata_json="{}"),
        members(config_json="[]", metadata_json="{}"),
        members(config_json="{", metadata_json="{}"),
        members(config_json="[" * 100_000, metadata_json="{}"),
        members(config_json=b"{}" + b" " * (17 << 20), metadata_json="{}"),
        members(config_json="{}", metadata_json=b"\xff\xfe"),
    ],
    ids=["no-metadata", "no-config", "list", "truncated", "nested", "padded", "not-utf-8"],
)
def test_a_hostile_keras_file_is_a_model_error(data: bytes) -> None:
    with pytest.raises(ModelError, match=r"not a \.keras file"):
        read_keras(data)


@pytest.mark.parametrize(
    "config",
    ['{"config": 1}', '{"config": {"layers": {}}}', '{"config": {"layers": [1, {"class_name": [2], "config": []}]}}', "{}"],
)
def test_an_unusual_keras_config_is_accepted(config: str) -> None:
    assert read_keras(members(config_json=config, metadata_json="{}")).inputs == ()


def test_a_keras_zip_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeclf.runtime.inspection.keras_file._MAX_UNPACKED_BYTES", 1 << 20)

    with pytest.raises(ModelError, match="unpack"):
        read_keras(members(config_json="{}", metadata_json="{}", bomb=bytes(2 << 20)))


def test_untrusted_values_become_valid_json() -> None:
    nested = json.loads("[" * 500 + "1e999" + "]" * 500)

    text = json.dumps(json_safe({"a": [float("nan"), 1e999, 1.5, None, True, "x"], "b": nested}), allow_nan=False)

    assert json.loads(text)["a"] == ["nan", "inf", 1.5, None, True, "x"]


def test_an_onnx_file_of_many_tiny_parts_is_refused_before_it_takes_memory() -> None:
    """5 MB of empty metadata; parsed, each entry takes 20 times its two bytes."""
    with pytest.raises(ModelError, match="more parts than any network needs"):
        read_onnx(b"\x72\x00" * 2_500_000)
