"""The description of a model file is true, and damage is reported."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from numpy.typing import NDArray

from edgeclf.runtime import ModelCard
from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.inspection.contract_check import check_contract
from edgeclf.runtime.inspection.model_info import ModelInfo, inspect_model
from edgeclf.runtime.inspection.parity_report import find_parity
from edgeclf.runtime.model.digest import BLANK_DIGEST, DIGEST_KEY, SUMS_NAME, embed_digest, format_sums
from tests.support.trained_run import KEPT_RUN

BuildOnnx = Callable[..., onnx.ModelProto]
ENGINES = [("model.onnx", "onnxruntime "), ("model.tflite", "LiteRT ")]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[300] ^= 1
    path.write_bytes(data)


@pytest.fixture(scope="module")
def intact(
    colour_model: Path, tflite_model: Path, keras_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, ModelInfo]:
    """What is said about each model. `SHA256SUMS` lists the ONNX and the Keras file, but not the TFLite file."""
    folder = tmp_path_factory.mktemp("intact")
    for source in (colour_model, tflite_model, keras_model):
        shutil.copy(source, folder)
    listed = ("model.onnx", "model.keras")
    (folder / SUMS_NAME).write_text(format_sums({name: digest(folder / name) for name in listed}))
    return {name: inspect_model(folder / name) for name in ("model.onnx", "model.tflite", "model.keras")}


@pytest.mark.parametrize(("name", "engine"), ENGINES)
def test_an_intact_model_keeps_the_contract(
    name: str, engine: str, intact: dict[str, ModelInfo], colour_card: ModelCard
) -> None:
    info = intact[name]

    assert (info.contract.verdict, info.problem, info.card) == ("kept", "", colour_card)
    assert info.contract.engine.startswith(engine)
    assert info.digests.inner == "agrees"


@pytest.mark.parametrize("name", ["model.onnx", "model.tflite", "model.keras"])
def test_size_and_sha256_are_those_of_the_file(name: str, intact: dict[str, ModelInfo]) -> None:
    path = Path(intact[name].file)

    assert (intact[name].bytes, intact[name].digests.sha256) == (path.stat().st_size, digest(path))


def test_a_keras_file_is_sent_to_clf_export(intact: dict[str, ModelInfo], colour_card: ModelCard) -> None:
    info = intact["model.keras"]

    assert (info.contract.verdict, info.card, info.problem) == ("not tried", colour_card, "")
    assert "clf-export" in info.contract.detail


def test_sums_beside_the_file_are_checked(intact: dict[str, ModelInfo]) -> None:
    listed = {name: info.digests.listed for name, info in intact.items()}

    assert listed == {"model.onnx": "agrees", "model.tflite": "not listed", "model.keras": "agrees"}


@pytest.mark.parametrize("name", ["model.onnx", "model.tflite", "model.keras"])
def test_another_digest_in_the_sums_is_damage(name: str, colour_files: Path) -> None:
    (colour_files / SUMS_NAME).write_text(format_sums({name: "1" * 64}))

    info = inspect_model(colour_files / name)

    assert (info.digests.listed, info.contract.verdict) == ("differs", "not tried")
    assert SUMS_NAME in info.problem


def test_a_flipped_bit_is_damage_and_the_rest_is_still_shown(colour_files: Path, colour_card: ModelCard) -> None:
    flip(colour_files / "model.onnx")

    info = inspect_model(colour_files / "model.onnx")

    assert (info.digests.inner, info.contract.verdict, info.card) == ("differs", "not tried", colour_card)
    assert "is damaged" in info.problem


def test_a_card_without_a_digest_is_damage(
    build_onnx: BuildOnnx, colour_weights: NDArray, colour_card: ModelCard, tmp_path: Path
) -> None:  # type: ignore[type-arg]
    model = build_onnx(colour_weights, colour_card)
    del model.metadata_props[1]
    (tmp_path / "a.onnx").write_bytes(model.SerializeToString())

    info = inspect_model(tmp_path / "a.onnx")

    assert (info.digests.inner, info.card) == ("missing", colour_card)
    assert "no digest" in info.problem


def test_a_model_without_a_card_may_keep_the_contract(
    build_onnx: BuildOnnx, colour_weights: NDArray, tmp_path: Path
) -> None:  # type: ignore[type-arg]
    (tmp_path / "bare.onnx").write_bytes(build_onnx(colour_weights).SerializeToString())

    info = inspect_model(tmp_path / "bare.onnx")

    assert (info.card, info.problem, info.digests.inner) == (None, "", "none")
    assert info.contract.verdict == "kept"


def test_a_float_input_keeps_the_contract_once_it_is_adopted(
    build_onnx: BuildOnnx,
    colour_weights: NDArray,
    tmp_path: Path,  # type: ignore[type-arg]
) -> None:
    (tmp_path / "float.onnx").write_bytes(build_onnx(colour_weights, None, onnx.TensorProto.FLOAT).SerializeToString())

    info = inspect_model(tmp_path / "float.onnx")

    assert (info.contract.verdict, info.problem) == ("kept", "")
    assert info.other_tool
    assert info.other_tool.unknown == "its classes and how its pixels are scaled"


@pytest.mark.parametrize(("name", "verdict"), [("softmax", "kept"), ("scores", "kept"), ("labels", "unusable")])
def test_a_quantised_network_from_elsewhere_is_adopted_for_the_check(name: str, verdict: str) -> None:
    assert check_contract(KEPT_RUN / f"uint8_{name}.tflite").verdict == verdict


def test_a_model_that_the_engine_cannot_load_is_a_problem(
    build_onnx: BuildOnnx, colour_weights: NDArray, tmp_path: Path
) -> None:  # type: ignore[type-arg]
    model = build_onnx(colour_weights)
    model.graph.node[0].op_type = "NoSuchOperator"
    (tmp_path / "odd.onnx").write_bytes(model.SerializeToString())

    info = inspect_model(tmp_path / "odd.onnx")

    assert info.contract.verdict == "not tried"
    assert "not an ONNX model" in info.problem


def test_a_bad_card_is_a_problem_that_names_the_file(build_onnx: BuildOnnx, colour_weights: NDArray, tmp_path: Path) -> None:  # type: ignore[type-arg]
    model = build_onnx(colour_weights)
    onnx.helper.set_model_props(model, {"edgeclf.card": "{", DIGEST_KEY: BLANK_DIGEST})
    (tmp_path / "a.onnx").write_bytes(embed_digest(model.SerializeToString()))

    assert "a.onnx: its card" in inspect_model(tmp_path / "a.onnx").problem


def test_a_crash_of_the_engine_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")

    check = check_contract(tmp_path / "a.onnx")

    assert (check.verdict, "crashed" in check.detail) == ("unusable", True)


@pytest.mark.parametrize("name", ["a.txt", "a", "a.ONNX.gz"])
def test_another_kind_of_file_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"x")

    with pytest.raises(
        ModelError, match=r"not a model file that can be read; name a \.onnx, \.tflite, \.keras or \.h5 file"
    ):
        inspect_model(tmp_path / name)


@pytest.mark.parametrize(
    ("artefact", "name"), [("model.onnx", "M.ONNX"), ("model.tflite", "M.LITE"), ("model.keras", "M.KERAS")]
)
def test_a_suffix_counts_in_capitals_too(
    artefact: str,
    name: str,
    intact: dict[str, ModelInfo],
    colour_model: Path,
    tflite_model: Path,
    keras_model: Path,
    tmp_path: Path,
) -> None:
    sources = {"model.onnx": colour_model, "model.tflite": tflite_model, "model.keras": keras_model}
    shutil.copy(sources[artefact], tmp_path / name)

    info = inspect_model(tmp_path / name)

    assert (info.format, info.card, info.problem) == (intact[artefact].format, intact[artefact].card, "")


def test_an_h5_file_of_keras_2_is_described(tmp_path: Path) -> None:
    layers = [
        {"class_name": "InputLayer", "config": {"name": "image", "dtype": "float32", "batch_input_shape": [None, 8, 8, 3]}},
        {"class_name": "Flatten", "config": {}},
    ]
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.attrs["keras_version"] = "2.12.0"
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"layers": layers}})

    info = inspect_model(tmp_path / "m.h5")

    assert info.structure
    assert (info.format, info.problem, info.structure.provenance) == ("HDF5", "", {"keras": "2.12.0"})
    assert (list(map(str, info.structure.inputs)), info.structure.operators) == (
        ["image: float32 [any, 8, 8, 3]"],
        {"InputLayer": 1, "Flatten": 1},
    )
    assert info.other_tool
    assert info.other_tool.command.endswith("m.h5 --classes labels.txt --data photos/")


@pytest.mark.parametrize("content", [b"x", b"\x89HDF\r\n\x1a\n" + bytes(100)], ids=["other", "damaged"])
def test_a_damaged_h5_file_is_refused(content: bytes, tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    (tmp_path / "m.h5").write_bytes(content)

    with pytest.raises(ModelError, match=r"m\.h5: damaged or not"):
        inspect_model(tmp_path / "m.h5")


def test_an_h5_file_of_weights_alone_is_refused(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.attrs["layer_names"] = ["dense"]

    with pytest.raises(ModelError, match="weights without a network"):
        inspect_model(tmp_path / "m.h5")


def test_an_unusable_path_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.onnx")
    (tmp_path / "folder.onnx").mkdir()
    with open(tmp_path / "huge.onnx", "wb") as file:
        file.truncate(3 << 30)
    (tmp_path / "empty.onnx").touch()

    for name, message in {
        "pipe": "not a file",
        "folder": "holds no model",
        "huge": "larger",
        "empty": "empty",
        "none": "does not exist",
    }.items():
        with pytest.raises(ModelError, match=message):
            inspect_model(tmp_path / f"{name}.onnx")


def test_the_parity_report_is_found_by_the_file_name(colour_files: Path) -> None:
    found = find_parity(colour_files / "model.onnx", "", (colour_files / "model.onnx").stat().st_size)

    assert found is not None
    assert (found.entry["accuracy"], found.same_file) == (0.925, None)
    assert inspect_model(colour_files / "model.keras").parity is None


@pytest.mark.parametrize(
    ("change", "same"),
    [({"sha256": "1" * 64}, True), ({"sha256": "2" * 64}, False), ({"bytes": 11}, False), ({"bytes": 10}, None), ({}, None)],
    ids=["digest", "other-digest", "other-size", "size", "nothing"],
)
def test_only_a_digest_proves_that_the_report_is_about_this_file(
    change: dict[str, object], same: bool | None, tmp_path: Path
) -> None:
    report = {"artifacts": [{"file": "model.int8.tflite"} | change]}
    (tmp_path / "model.parity.json").write_text(json.dumps(report))

    found = find_parity(tmp_path / "model.int8.tflite", "1" * 64, 10)

    assert found is not None
    assert found.same_file is same


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "7",
        '{"artifacts": 1}',
        '{"artifacts": [1, {}, {"file": 3}]}',
        "[" * 100_000,
        '{"artifacts": {"file": 1}}',
    ],
)
def test_a_file_that_is_not_a_parity_report_is_ignored(text: str, tmp_path: Path) -> None:
    (tmp_path / "model.parity.json").write_text(text)

    assert find_parity(tmp_path / "model.onnx", "", 1) is None
