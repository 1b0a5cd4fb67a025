"""`clf-export`: its output, its exit codes, and its errors for files that are not models."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import Result

from edgeclf.export.frozen import freeze
from edgeclf.export.targets import TARGETS, ExportContext
from edgeclf.runtime.model.run_folder import MEMORY_NAME, Choice, choose

Invoke = Callable[..., Result]
MakeModel = Callable[..., Path]
LIBRARY_OUTPUT = re.compile(
    r"oneDNN|absl|tf2onnx|XNNPACK|TfLite|[Cc]uda|CUDA|\.cc:|\.py:|INFO|WARN|Warning|[IWE]0000|fully_quantize"
)
"""Matches messages of TensorFlow, absl, oneDNN, XNNPACK, tf2onnx and Python warnings, but not those of edgeclf."""


@pytest.fixture(scope="module")
def real(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """The installed command, run once like by a user, and its working folder."""
    folder = tmp_path_factory.mktemp("real")
    shutil.copy(run_folder / "model.keras", folder)
    line = [Path(sys.executable).with_name("clf-export"), "model.keras", "--quantize", "fp32,fp16,dynamic,int8"]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=300, check=False), folder


Real = tuple[subprocess.CompletedProcess[str], Path]
NAMES = [
    "model.onnx",
    "model.fp16.onnx",
    "model.int8.onnx",
    "model.fp32.tflite",
    "model.fp16.tflite",
    "model.dynamic.tflite",
    "model.int8.tflite",
]


@pytest.mark.slow
def test_the_real_command_publishes_and_prints_the_paths(real: Real) -> None:
    done, folder = real
    assert (done.returncode, done.stdout.splitlines()) == (0, NAMES), done.stderr
    assert {path.name for path in folder.iterdir()} == {
        *NAMES, "model.keras", "model.parity.json", "SHA256SUMS", MEMORY_NAME
    }  # fmt: skip


@pytest.mark.slow
def test_the_file_to_ship_is_remembered_and_the_next_command_measures_all(real: Real) -> None:
    done, folder = real
    assert f"{json.loads((folder / MEMORY_NAME).read_text())['recommended']}: the fastest" in done.stderr
    assert done.stderr.splitlines()[-1] == "next: clf-bench ."


@pytest.mark.slow
def test_no_library_writes_to_stderr(real: Real) -> None:
    done, _ = real
    assert [line for line in done.stderr.splitlines() if LIBRARY_OUTPUT.search(line)] == []


@pytest.mark.slow
def test_stderr_shows_a_row_for_every_file(real: Real) -> None:
    done, _ = real
    row = r"^(\S+) +[\d.]+ MB +[\d.]+% +\d+% to \d+% +[\d.]+% +[\d.e-]+ +[\d.]+ ms +(passed|ship) *$"
    rows = re.findall(row, done.stderr, re.MULTILINE)
    assert [name for name, _ in rows] == NAMES
    assert [verdict for _, verdict in rows].count("ship") == 1


@pytest.mark.slow
def test_stderr_names_the_images_and_the_confidence_interval(real: Real) -> None:
    done, _ = real
    assert "verified on 6 images (the validation samples inside the model)" in done.stderr
    assert re.search(r"^Keras +100.00% +61% to 100% *$", done.stderr, re.MULTILINE)


@pytest.mark.slow
def test_too_few_images_are_reported(real: Real) -> None:
    done, _ = real
    assert re.search(r"too few images: .*16\.7%.* 1\.0%", done.stderr)


def test_enough_images_are_not_reported_as_too_few(trained: Path, clf_export: Invoke) -> None:
    result = clf_export(trained, "--format", "onnx", "--max-drop", "0.5")
    assert result.exit_code == 0
    assert "too few" not in result.stderr


def test_a_run_folder_stands_for_its_trained_model_and_a_single_file_is_run_next(
    trained: Path, clf_export: Invoke, image_folder: Path
) -> None:
    options = {"data": str(image_folder)}
    (trained.parent / "options.json").write_text(json.dumps(options))
    result = clf_export(trained.parent, "--format", "onnx")
    assert result.exit_code == 0, result.stderr
    assert result.stderr.startswith(f"model: {trained}, the trained one\n")
    assert result.stderr.splitlines()[-1] == f"next: clf-run {trained.parent}/model.onnx {image_folder}"
    assert choose(trained.parent) == Choice(trained.parent / "model.onnx", "which clf-export recommended")


def test_json_prints_the_parity_report_to_stdout(trained: Path, clf_export: Invoke) -> None:
    result = clf_export(trained, "--format", "onnx", "--json")
    assert [(item["file"], item["passed"]) for item in json.loads(result.stdout)] == [("model.onnx", True)]


def test_files_go_to_the_given_folder(trained: Path, clf_export: Invoke) -> None:
    result = clf_export(trained, "-o", trained.parent / "edge", "--format", "onnx,TFLITE", "--quantize", "FP32")
    assert result.stdout.splitlines() == [f"{trained.parent}/edge/model.onnx", f"{trained.parent}/edge/model.fp32.tflite"]
    assert {path.name for path in trained.parent.iterdir()} == {"model.keras", "edge"}


def test_data_replaces_the_samples(trained: Path, image_folder: Path, clf_export: Invoke) -> None:
    result = clf_export(trained, "--format", "onnx", "--data", image_folder)
    assert f"verified on 60 images ({image_folder})" in result.stderr.replace("\n", "")


def test_a_failed_gate_is_exit_3_and_explained_and_keeps_the_earlier_export(
    trained: Path, run_folder: Path, clf_export: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ONNX file has swapped classes and fails. The folder holds an earlier export that passed."""
    for name in ("model.onnx", "model.parity.json", "SHA256SUMS"):
        shutil.copy(run_folder / name, trained.parent)
    before = {path: path.read_bytes() for path in trained.parent.iterdir()}

    def swap(network: Callable[..., object]) -> Callable[..., object]:
        return lambda image, training: 1 - network(image, training=training)  # type: ignore[operator]

    def convert(context: ExportContext) -> object:
        model = replace(context.model, network=swap(context.model.network))
        return TARGETS[0].convert(replace(context, model=model, frozen=freeze(model)))

    swapped = replace(TARGETS[0], convert=convert)  # type: ignore[arg-type]
    monkeypatch.setattr("edgeclf.export.targets.TARGETS", (swapped, *TARGETS[1:]))

    result = clf_export(trained)

    assert (result.exit_code, result.stdout) == (3, "")
    rows = dict(re.findall(r"^(model\.\S+) .* (passed|failed) *$", result.stderr, re.MULTILINE))
    assert rows == {"model.onnx": "failed", "model.int8.tflite": "passed"}
    assert "failed: model.onnx: a probability differs by" in result.stderr
    assert "failed: model.onnx: 0 of 6 images are correct, but 6 with Keras" in result.stderr
    assert re.search(r"error: \S+ was not exported.* model\.onnx", result.stderr)
    assert {path: path.read_bytes() for path in trained.parent.iterdir()} == before


def test_a_failed_gate_still_prints_its_report_as_json(
    trained: Path, clf_export: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = replace(TARGETS[0], convert=lambda context: b"no model")
    monkeypatch.setattr("edgeclf.export.targets.TARGETS", (broken,))
    result = clf_export(trained, "--format", "onnx", "--json")
    assert result.exit_code == 3
    assert [(item["file"], item["passed"], len(item["misses"])) for item in json.loads(result.stdout)] == [
        ("model.onnx", False, 1)
    ]


def test_a_name_in_brackets_is_not_markup(trained: Path, clf_export: Invoke) -> None:
    result = clf_export(trained.rename(trained.with_name("cells[red].keras")), "--format", "onnx")
    assert re.search(r"^cells\[red\]\.onnx .* passed *$", result.stderr, re.MULTILINE)


@pytest.mark.parametrize(
    ("options", "keywords"),
    [
        (["--format", "coreml"], "'coreml'; choose from onnx, tflite"),
        (["--quantize", "int4"], "'int4'; did you mean int8"),
        (["--format", "onnx", "--quantize", "dynamic"], "dynamic: onnx comes in"),
        (["--data", "nowhere"], "nowhere does not exist"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_unusable_options_are_a_one_line_error(trained: Path, clf_export: Invoke, options: list[str], keywords: str) -> None:
    result = clf_export(trained, *options)
    assert (result.exit_code, result.stdout) == (2, "")
    (error,) = (line for line in result.stderr.splitlines() if line.startswith("error: "))
    assert keywords in error
    assert os.listdir(trained.parent) == ["model.keras"]


def test_data_with_other_classes_is_an_error(trained: Path, image_folder: Path, tmp_path: Path, clf_export: Invoke) -> None:
    shutil.copytree(image_folder, tmp_path / "data")
    (tmp_path / "data" / "disc").rename(tmp_path / "data" / "circle")
    result = clf_export(trained, "--data", tmp_path / "data")
    assert (result.exit_code, result.stdout) == (2, "")
    assert re.search(r"error: .*'circle'.*\(disc, square\)", result.stderr)


def test_int8_without_calibration_images_is_an_error(make_model: MakeModel, clf_export: Invoke) -> None:
    path = make_model((16, 16), kinds=("verification",))
    result = clf_export(path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "no sample images to calibrate int8" in result.stderr
    assert os.listdir(path.parent) == ["model.keras"]


def test_a_full_disk_is_an_error_and_leaves_nothing(
    trained: Path,
    clf_export: Invoke,
    full_disk: Callable[[int], AbstractContextManager[None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    large = replace(TARGETS[0], convert=lambda context: bytes(1_000_000))
    monkeypatch.setattr("edgeclf.export.targets.TARGETS", (large,))
    with full_disk(200_000):
        result = clf_export(trained, "-o", trained.parent / "edge", "--format", "onnx")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "File too large" in result.stderr
    assert result.stderr.count("error: cannot write ") == 1
    assert os.listdir(trained.parent / "edge") == []


@pytest.mark.parametrize("place", ["file", "file/edge"])
def test_an_impossible_folder_is_an_error(trained: Path, clf_export: Invoke, place: str) -> None:
    (trained.parent / "file").write_text("x")
    result = clf_export(trained, "-o", trained.parent / place, "--format", "onnx")
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"error: cannot write {trained.parent / place}: " in result.stderr
