"""`clf-bench` as its users see it: a table and a recommendation for people, data on stdout, exit code 3 for missed gates."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from edgeclf.benchmarks.clf_bench import app
from edgeclf.runtime.model.run_folder import Choice, choose
from tests.conftest import Command, Invoke
from tests.support.drawings import write_images

QUICK = ("--rounds", "1", "--seconds", "0.1")


@pytest.fixture
def clf_bench(in_process: Callable[[typer.Typer], Invoke]) -> Invoke:
    return in_process(app)


@pytest.fixture(scope="module")
def artifacts(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models of a training run, with its split."""
    folder = tmp_path_factory.mktemp("artifacts")
    for name in ("model.onnx", "model.int8.tflite", "model.keras", "split.csv"):
        shutil.copy(run_folder / name, folder)
    return folder


@pytest.fixture(scope="module")
def report(artifacts: Path) -> dict[str, Any]:
    """The JSON of both models. Copy it before changing it."""
    from edgeclf.benchmarks.bench.options import Options
    from edgeclf.benchmarks.bench.run import bench

    report = bench(Options(models=(artifacts,), rounds=2, seconds=0.1)).to_json()
    return dict(json.loads(json.dumps(report)))


def test_a_folder_is_all_it_needs(command: Command, artifacts: Path) -> None:
    done = command("clf-bench", artifacts, *QUICK)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in (str(artifacts / "model.onnx"), str(artifacts / "model.int8.tflite"))
    assert "model.int8.tflite" in done.stderr
    assert f"the test split in {artifacts / 'split.csv'}" in done.stderr
    *_, recommendation, next_step = done.stderr.strip().splitlines()
    assert recommendation.startswith("ship model")
    assert next_step == f"next: clf-run {done.stdout.strip()} photos/"
    assert choose(artifacts) == Choice(Path(done.stdout.strip()), "which clf-bench recommended")


def test_json_holds_every_measurement(report: dict[str, Any]) -> None:
    assert [each["name"] for each in report["results"]] == ["model.onnx", "model.int8.tflite"]
    for each in report["results"]:
        assert each["images_per_s"] > 0
        assert 0 < each["latency"]["p50_ms"] <= each["latency"]["p90_ms"] <= each["latency"]["p99_ms"]
        assert 0 <= each["accuracy"]["accuracy"] <= 1
        assert len(each["rates"]) == len(each["limits"]) == 2
        assert each["cold_start"]["seconds"] > 0
        assert each["size_bytes"] > 1000
    assert report["machine"]["cores_usable"] >= 1
    assert report["passed"] is True
    assert report["results"][report["ship"]]["name"] in report["because"]


def test_the_first_result_is_as_fast_as_itself(report: dict[str, Any]) -> None:
    assert report["results"][0]["ratio"] == {"low": 1.0, "middle": 1.0, "high": 1.0}


def test_output_files_are_written_to_the_folder(clf_bench: Invoke, artifacts: Path, tmp_path: Path) -> None:
    done = clf_bench(artifacts / "model.onnx", *QUICK, "--infer-only", "-o", "bench", "--json")
    assert done.exit_code == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "bench").iterdir()) == [
        "bench.html", "bench.json", "bench.md", "pareto.png"
    ]  # fmt: skip
    assert json.loads((tmp_path / "bench" / "bench.json").read_text()) == json.loads(done.stdout)
    assert json.loads(done.stdout)["mode"] == "inference only"


@pytest.mark.parametrize(
    ("gate", "keywords"),
    [
        (("--min-fps", "1e9"), r"the limit is 1,000,000,000\.0"),
        (("--max-regression", "10%", "--baseline", "bench.json"), "less than the .*; the limit is 10%"),
    ],
    ids=["too slow", "slower than before"],
)
def test_a_missed_gate_is_exit_code_3_and_named(
    gate: tuple[str, ...], keywords: str, clf_bench: Invoke, artifacts: Path, report: dict[str, Any], tmp_path: Path
) -> None:
    fast = {**report, "results": [{**each, "images_per_s": 1e9} for each in report["results"]]}
    (tmp_path / "bench.json").write_text(json.dumps(fast))
    done = clf_bench(artifacts / "model.onnx", *QUICK, *gate)
    assert done.exit_code == 3
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert re.search(keywords, error)


@pytest.mark.slow
def test_keras_is_the_reference_model_when_it_is_named(clf_bench: Invoke, artifacts: Path) -> None:
    done = clf_bench(artifacts / "model.onnx", *QUICK, "--against", artifacts / "model.keras", "--json")
    assert done.exit_code == 0, done.stderr
    reference = json.loads(done.stdout)["reference"]
    assert reference["name"] == "model.keras"
    assert reference["cold_start"]["cpu_seconds"] > 1


def test_several_batch_sizes_and_threads_are_several_results(clf_bench: Invoke, artifacts: Path) -> None:
    done = clf_bench(artifacts / "model.onnx", *QUICK, "--infer-only", "-b", "1,4", "--threads", "1,2", "--json")
    results = json.loads(done.stdout)["results"]
    assert [(each["batch"], each["threads"]) for each in results] == [(1, 1), (4, 1), (1, 2), (4, 2)]


@pytest.mark.parametrize(
    ("arguments", "code", "keywords"),
    [
        (("-b", "0"), 2, "--batch takes whole numbers"),
        (("--threads", "x"), 2, "--threads takes whole numbers"),
        (("--max-regression", "x"), 2, "--max-regression takes a number"),
        (("--max-regression", "5%"), 2, "--baseline"),
        (("-o", "/proc/x"), 2, "/proc/x"),
        (("--baseline", "absent.json"), 2, "--baseline absent.json is not a bench.json"),
        (("--data", "absent"), 2, "absent"),
        (("--device", "tpu"), 2, "'tpu'"),
        (("--device", "cuda:99"), 4, "CUDA"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_cannot_be_measured_is_one_sentence(
    arguments: tuple[str, ...], code: int, keywords: str, clf_bench: Invoke, artifacts: Path
) -> None:
    done = clf_bench(artifacts / "model.onnx", *QUICK, *arguments)
    assert done.exit_code == code
    assert keywords in done.stderr.splitlines()[-1]
    assert done.stdout == ""


def test_an_unreadable_image_does_not_make_the_images_of_a_baseline_different(
    clf_bench: Invoke, artifacts: Path, tmp_path: Path
) -> None:
    write_images(tmp_path / "data", 3)
    (tmp_path / "data" / "disc" / "disc001.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    line = (artifacts / "model.onnx", "--data", "data", *QUICK, "--infer-only", "--json")
    (tmp_path / "bench.json").write_text(clf_bench(*line).stdout)
    report = json.loads(clf_bench(*line, "--baseline", "bench.json", "--max-regression", "99%").stdout)
    assert report["images"] == "all 6 images of data, without 1 that cannot be read"
    assert not [note for note in report["notes"] if "other images" in note]


def test_an_accuracy_gate_without_labelled_images_is_an_error(
    clf_bench: Invoke, artifacts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeclf.benchmarks.bench.bench_images.GENERATED", 2)
    shutil.copy(artifacts / "model.onnx", tmp_path)
    done = clf_bench("model.onnx", *QUICK, "--max-drop", "0.01")
    assert done.exit_code == 2
    assert "--max-drop needs labelled images" in done.stderr
    assert "--data DIR" in done.stderr


def test_a_reference_model_with_the_file_name_of_a_candidate_gets_its_own_name(
    clf_bench: Invoke, artifacts: Path, tmp_path: Path
) -> None:
    (tmp_path / "old").mkdir()
    shutil.copy(artifacts / "model.onnx", tmp_path / "old")
    done = clf_bench(artifacts / "model.onnx", "--against", "old/model.onnx", *QUICK, "--infer-only", "--json")
    report = json.loads(done.stdout)
    assert report["reference"]["name"] == "old/model.onnx"
    assert [each["name"] for each in report["results"]] == [f"{artifacts.name}/model.onnx"]


def test_a_missing_model_is_one_sentence(clf_bench: Invoke) -> None:
    done = clf_bench("absent.onnx")
    assert done.exit_code == 2
    assert done.stderr.startswith("error: the model absent.onnx does not exist")
    assert len(done.stderr.splitlines()) == 1


def test_a_page_of_someone_else_is_refused_before_any_measurement(clf_bench: Invoke, tmp_path: Path) -> None:
    (tmp_path / "bench.html").write_text("mine")
    done = clf_bench("absent.onnx", "-o", ".")
    assert done.exit_code == 2
    assert done.stderr.startswith("error: bench.html exists already")
    assert [path.name for path in tmp_path.iterdir()] == ["bench.html"]
