"""What the three readers see is what the tools that wrote the files say; damage is a ModelError and nothing else."""

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
from edgeclf.runtime.inspection.structure import Structure, Tensor, plain
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


def test_onnx_weights_among_the_inputs_are_no_inputs(build_onnx: BuildOnnx, colour_weights: NDArray[np.float32]) -> None:
    model = build_onnx(colour_weights)
    model.graph.input.append(onnx.helper.make_tensor_value_info("weights", onnx.TensorProto.FLOAT, [3, 3]))

    assert [tensor.name for tensor in read_onnx(model.SerializeToString()).inputs] == ["image"]


def test_onnx_weights_in_other_files_are_remarked(
    build_onnx: BuildOnnx, colour_weights: NDArray[np.float32], tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    onnx.save_model(build_onnx(colour_weights), path, save_as_external_data=True, location="w.bin", size_threshold=0)

    assert "1 of its weights lie in other files" in read_onnx(path.read_bytes()).remark


def test_tflite_is_read_with_the_names_of_its_signature(tflite_model: Path, colour_card: ModelCard) -> None:
    seen = read_tflite(tflite_model.read_bytes())

    assert seen.inputs == (Tensor("image", "uint8", (-1, 8, 8, 3)),)
    assert seen.outputs == (Tensor("probabilities", "float32", (-1, 3)),)
    assert {"CAST", "MEAN", "SOFTMAX"} <= set(seen.operators)
    assert seen.weights["float32"] == 9
    assert seen.provenance["schema version"] == "3"
    assert seen.card_text == colour_card.to_json()


def test_tflite_without_litert_names_the_cure_and_shows_the_card(
    tflite_model: Path, colour_card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    monkeypatch.delitem(sys.modules, "ai_edge_litert.schema_py_generated", raising=False)

    seen = read_tflite(tflite_model.read_bytes())

    assert "pip install 'edgeclf[litert]'" in seen.remark
    assert seen.card_text == colour_card.to_json()


def test_keras_layers_are_counted_through_networks_within(keras_model: Path) -> None:
    seen = read_keras(keras_model.read_bytes())

    assert seen.operators == {"InputLayer": 2, "Conv2D": 1, "ReLU": 1, "GlobalAveragePooling2D": 1, "Dense": 1}
    assert seen.inputs == (Tensor("image", "float32", (-1, 8, 8, 3)),)
    assert seen.samples == {"calibration": 2, "verification": 1}
    assert list(seen.provenance) == ["keras", "saved"]


@pytest.mark.parametrize("name", READERS)
def test_damage_of_any_kind_is_a_model_error_or_nothing(name: str, request: pytest.FixtureRequest) -> None:
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
def test_what_is_no_model_is_a_model_error(read: Callable[[bytes], Structure], data: bytes) -> None:
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
    ids=["no-metadata", "no-config", "list", "cut", "nested", "padded", "not-utf-8"],
)
def test_hostile_keras_file_is_a_model_error(data: bytes) -> None:
    with pytest.raises(ModelError, match=r"no \.keras file"):
        read_keras(data)


@pytest.mark.parametrize(
    "config",
    ['{"config": 1}', '{"config": {"layers": {}}}', '{"config": {"layers": [1, {"class_name": [2], "config": []}]}}', "{}"],
)
def test_odd_keras_config_is_counted_as_it_is(config: str) -> None:
    assert read_keras(members(config_json=config, metadata_json="{}")).inputs == ()


def test_keras_file_that_unpacks_without_end_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeclf.runtime.inspection.keras_file._MAX_UNPACKED_BYTES", 1 << 20)

    with pytest.raises(ModelError, match="unpack"):
        read_keras(members(config_json="{}", metadata_json="{}", bomb=bytes(2 << 20)))


def test_plain_values_are_json_whatever_they_were() -> None:
    nested = json.loads("[" * 500 + "1e999" + "]" * 500)

    text = json.dumps(plain({"a": [float("nan"), 1e999, 1.5, None, True, "x"], "b": nested}), allow_nan=False)

    assert json.loads(text)["a"] == ["nan", "inf", 1.5, None, True, "x"]
