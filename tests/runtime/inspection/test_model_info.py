"""What is said of a model file is true of that very file, and of a damaged one it is said that it is damaged."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from numpy.typing import NDArray

from edgeclf.runtime import ModelCard
from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.inspection.contract_check import check_contract
from edgeclf.runtime.inspection.model_info import Digests, inspect_model
from edgeclf.runtime.inspection.parity_report import find_parity
from edgeclf.runtime.model.digest import BLANK_DIGEST, DIGEST_KEY, SUMS_NAME, embed_digest, format_sums

BuildOnnx = Callable[..., onnx.ModelProto]
ENGINES = [("model.onnx", "onnxruntime "), ("model.tflite", "LiteRT ")]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[300] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(("name", "engine"), ENGINES)
def test_a_sound_model_keeps_the_contract(name: str, engine: str, colour_files: Path, colour_card: ModelCard) -> None:
    info = inspect_model(colour_files / name)

    assert (info.contract.verdict, info.problem, info.card) == ("kept", "", colour_card)
    assert info.contract.engine.startswith(engine)
    assert info.digests == Digests(digest(colour_files / name), "not listed", "agrees")
    assert info.bytes == (colour_files / name).stat().st_size


def test_a_keras_file_is_sent_to_clf_export(colour_files: Path, colour_card: ModelCard) -> None:
    info = inspect_model(colour_files / "model.keras")

    assert (info.contract.verdict, info.card, info.problem) == ("not tried", colour_card, "")
    assert "clf-export" in info.contract.detail


@pytest.mark.parametrize("name", ["model.onnx", "model.tflite", "model.keras"])
def test_sums_beside_the_file_are_heard(name: str, colour_files: Path) -> None:
    (colour_files / SUMS_NAME).write_text(format_sums({name: digest(colour_files / name)}))
    assert inspect_model(colour_files / name).digests.listed == "agrees"

    (colour_files / SUMS_NAME).write_text(format_sums({name: "1" * 64}))
    info = inspect_model(colour_files / name)
    assert (info.digests.listed, info.contract.verdict) == ("differs", "not tried")
    assert SUMS_NAME in info.problem


def test_a_flipped_bit_is_damage_and_the_rest_is_shown(colour_files: Path, colour_card: ModelCard) -> None:
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


def test_a_model_without_a_card_is_fine(build_onnx: BuildOnnx, colour_weights: NDArray, tmp_path: Path) -> None:  # type: ignore[type-arg]
    (tmp_path / "bare.onnx").write_bytes(build_onnx(colour_weights).SerializeToString())

    info = inspect_model(tmp_path / "bare.onnx")

    assert (info.card, info.problem, info.digests.inner) == (None, "", "none")
    assert info.contract.verdict == "kept"


def test_a_model_of_numbers_breaks_the_contract_and_is_no_damage(
    build_onnx: BuildOnnx,
    colour_weights: NDArray,
    tmp_path: Path,  # type: ignore[type-arg]
) -> None:
    (tmp_path / "float.onnx").write_bytes(build_onnx(colour_weights, None, onnx.TensorProto.FLOAT).SerializeToString())

    info = inspect_model(tmp_path / "float.onnx")

    assert (info.contract.verdict, info.problem) == ("broken", "")
    assert "does not take one uint8 image batch" in info.contract.detail


def test_a_model_that_no_engine_loads_is_a_problem(build_onnx: BuildOnnx, colour_weights: NDArray, tmp_path: Path) -> None:  # type: ignore[type-arg]
    model = build_onnx(colour_weights)
    model.graph.node[0].op_type = "NoSuchOperator"
    (tmp_path / "odd.onnx").write_bytes(model.SerializeToString())

    info = inspect_model(tmp_path / "odd.onnx")

    assert info.contract.verdict == "unusable"
    assert "no ONNX model that onnxruntime" in info.problem


def test_a_bad_card_is_a_problem_with_the_files_name(build_onnx: BuildOnnx, colour_weights: NDArray, tmp_path: Path) -> None:  # type: ignore[type-arg]
    model = build_onnx(colour_weights)
    onnx.helper.set_model_props(model, {"edgeclf.card": "{", DIGEST_KEY: BLANK_DIGEST})
    (tmp_path / "a.onnx").write_bytes(embed_digest(model.SerializeToString()))

    assert "a.onnx: its card cannot be read" in inspect_model(tmp_path / "a.onnx").problem


def test_an_engine_that_dies_takes_nothing_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")

    trial = check_contract(tmp_path / "a.onnx")

    assert (trial.verdict, "the engine dies of" in trial.detail) == ("unusable", True)


@pytest.mark.parametrize("name", ["a.h5", "a.txt", "a", "a.ONNX.gz"])
def test_another_kind_of_file_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"x")

    with pytest.raises(ModelError, match=r"is no \.keras, \.onnx, \.tflite file"):
        inspect_model(tmp_path / name)


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.onnx")
    (tmp_path / "folder.onnx").mkdir()
    with open(tmp_path / "huge.onnx", "wb") as file:
        file.truncate(3 << 30)
    (tmp_path / "empty.onnx").touch()

    for name, message in {
        "pipe": "no file",
        "folder": "no file",
        "huge": "larger",
        "empty": "empty",
        "none": "cannot read",
    }.items():
        with pytest.raises(ModelError, match=message):
            inspect_model(tmp_path / f"{name}.onnx")


def test_the_parity_report_is_found_by_the_name_of_the_file(colour_files: Path) -> None:
    info = inspect_model(colour_files / "model.onnx")

    assert info.parity is not None
    assert (info.parity.entry["accuracy"], info.parity.same_file) == (0.925, None)
    assert inspect_model(colour_files / "model.keras").parity is None


@pytest.mark.parametrize(
    ("change", "same"),
    [({"sha256": "1" * 64}, True), ({"sha256": "2" * 64}, False), ({"bytes": 11}, False), ({"bytes": 10}, None), ({}, None)],
    ids=["digest", "other-digest", "other-size", "size", "nothing"],
)
def test_only_a_digest_proves_that_the_report_is_for_this_file(
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
def test_what_is_no_parity_report_says_nothing(text: str, tmp_path: Path) -> None:
    (tmp_path / "model.parity.json").write_text(text)

    assert find_parity(tmp_path / "model.onnx", "", 1) is None
