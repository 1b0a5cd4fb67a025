"""`clf-bench` as its users meet it: a table and a sentence for people, data on stdout, gates with exit code 3."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from edgeclf.benchmarks import clf_bench as cli
from tests.conftest import Command, Invoke
from tests.support.drawings import write_images

QUICK = ("--rounds", "2", "--seconds", "0.1")


@pytest.fixture
def clf_bench(in_process: Callable[[typer.Typer], Invoke]) -> Invoke:
    return in_process(cli.app)


@pytest.fixture(scope="module")
def artifacts(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two files of a training run, with its split."""
    folder = tmp_path_factory.mktemp("artifacts")
    for name in ("model.onnx", "model.int8.tflite", "model.keras", "split.csv"):
        shutil.copy(run_folder / name, folder)
    return folder


@pytest.fixture(scope="module")
def earlier(artifacts: Path) -> dict[str, Any]:
    """What `--json` says of them."""
    from edgeclf.benchmarks.bench.run import Options, bench

    report = bench(Options(models=(artifacts,), rounds=2, seconds=0.1)).to_json()
    return dict(json.loads(json.dumps(report)))


def test_a_folder_is_all_it_needs(command: Command, artifacts: Path) -> None:
    done = command("clf-bench", artifacts, *QUICK)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in (str(artifacts / "model.onnx"), str(artifacts / "model.int8.tflite"))
    assert "model.int8.tflite" in done.stderr
    assert f"the test part in {artifacts / 'split.csv'}" in done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("ship model")


def test_json_holds_every_measure(earlier: dict[str, Any]) -> None:
    assert [row["name"] for row in earlier["results"]] == ["model.onnx", "model.int8.tflite"]
    for row in earlier["results"]:
        assert row["images_per_s"] > 0
        assert 0 < row["latency"]["p50_ms"] <= row["latency"]["p90_ms"] <= row["latency"]["p99_ms"]
        assert 0 <= row["accuracy"]["accuracy"] <= 1
        assert len(row["rates"]) == len(row["limits"]) == 2
        assert row["cold_start"]["seconds"] > 0
        assert row["size_bytes"] > 1000
    assert earlier["machine"]["cores_usable"] >= 1
    assert earlier["passed"] is True
    assert earlier["results"][earlier["ship"]]["name"] in earlier["because"]


def test_the_first_row_is_as_fast_as_itself(earlier: dict[str, Any]) -> None:
    assert earlier["results"][0]["ratio"] == {"low": 1.0, "middle": 1.0, "high": 1.0}


def test_output_is_written_where_it_is_asked_for(clf_bench: Invoke, artifacts: Path, tmp_path: Path) -> None:
    done = clf_bench(artifacts / "model.onnx", *QUICK, "--infer-only", "-o", "bench", "--json")
    assert done.exit_code == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "bench").iterdir()) == [
        "bench.html", "bench.json", "bench.md", "pareto.png"
    ]  # fmt: skip
    assert json.loads((tmp_path / "bench" / "bench.json").read_text()) == json.loads(done.stdout)
    assert json.loads(done.stdout)["mode"] == "inference only"


@pytest.mark.parametrize(
    ("gate", "sentence"),
    [
        (("--min-fps", "1e9"), "does .* images a second; the limit is 1,000,000,000.0"),
        (("--max-regression", "10%", "--baseline"), "less than the .*; the limit is 10%"),
    ],
    ids=["too slow", "slower than before"],
)
def test_a_missed_gate_is_exit_code_3_and_says_which(
    gate: tuple[str, ...], sentence: str, clf_bench: Invoke, artifacts: Path, earlier: dict[str, Any], tmp_path: Path
) -> None:
    for row in earlier["results"]:
        row["images_per_s"] = 1e9
    (tmp_path / "bench.json").write_text(json.dumps(earlier))
    file = ["bench.json"] if gate[-1] == "--baseline" else []
    done = clf_bench(artifacts / "model.onnx", *QUICK, *gate, *file)
    assert done.exit_code == 3
    assert done.stderr.count("error: ") == 1

    assert re.search(sentence, done.stderr)


@pytest.mark.slow
def test_keras_is_what_it_is_compared_with_when_it_is_named(clf_bench: Invoke, artifacts: Path) -> None:
    done = clf_bench(artifacts / "model.onnx", *QUICK, "--against", artifacts / "model.keras", "--json")
    assert done.exit_code == 0, done.stderr
    reference = json.loads(done.stdout)["reference"]
    assert reference["name"] == "model.keras"
    assert reference["cold_start"]["cpu_seconds"] > 1


def test_several_batches_and_threads_are_several_rows(clf_bench: Invoke, artifacts: Path) -> None:
    done = clf_bench(
        artifacts / "model.onnx", "--rounds", "1", "--seconds", "0.1", "-b", "1,4", "--threads", "1,2", "--json"
    )
    rows = json.loads(done.stdout)["results"]
    assert [(row["batch"], row["threads"]) for row in rows] == [(1, 1), (4, 1), (1, 2), (4, 2)]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("-b", "0"), 2, "--batch takes whole numbers from 1 on, with commas between, not '0'"),
        (("-b", "1;2"), 2, "--batch takes whole numbers from 1 on"),
        (("--threads", "x"), 2, "--threads takes whole numbers from 1 on"),
        (("--max-regression", "x"), 2, "--max-regression takes a percentage such as 10%, not 'x'"),
        (("--max-regression", "0.1"), 2, "--max-regression takes a percentage such as 10%, not '0.1'"),
        (("--max-regression", "5%"), 2, "--max-regression compares with an earlier run; name its bench.json"),
        (("-o", "/proc/x"), 2, "/proc/x"),
        (("--baseline", "absent.json"), 2, "--baseline absent.json is no bench.json of clf-bench"),
        (("--data", "absent"), 2, "absent"),
        (("--device", "tpu"), 2, "'tpu'"),
        (("--device", "cuda:99"), 4, "CUDA was asked for"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_cannot_be_measured_is_one_sentence(
    arguments: tuple[str, ...], code: int, sentence: str, clf_bench: Invoke, artifacts: Path
) -> None:
    done = clf_bench(artifacts / "model.onnx", *QUICK, *arguments)
    assert done.exit_code == code
    assert sentence in done.stderr.splitlines()[-1]
    assert done.stdout == ""


def test_the_same_images_with_a_damaged_one_are_the_same_images(clf_bench: Invoke, artifacts: Path, tmp_path: Path) -> None:
    write_images(tmp_path / "data", 3)
    (tmp_path / "data" / "disc" / "disc001.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    line = (artifacts / "model.onnx", "--data", "data", "--rounds", "1", "--seconds", "0.1", "--json")
    (tmp_path / "bench.json").write_text(clf_bench(*line).stdout)
    said = json.loads(clf_bench(*line, "--baseline", "bench.json", "--max-regression", "99%").stdout)
    assert said["images"] == "all 6 images of data, without 1 that cannot be read"
    assert not [note for note in said["notes"] if "other images" in note]


def test_a_gate_of_accuracy_without_images_is_not_passed(clf_bench: Invoke, artifacts: Path, tmp_path: Path) -> None:
    shutil.copy(artifacts / "model.onnx", tmp_path)
    done = clf_bench("model.onnx", *QUICK, "--max-drop", "0.01")
    assert done.exit_code == 2
    assert "--max-drop needs labelled images, and there are none; name some with --data DIR" in done.stderr


def test_a_reference_with_the_name_of_a_row_is_another_one(clf_bench: Invoke, artifacts: Path, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    shutil.copy(artifacts / "model.onnx", tmp_path / "old")
    line = (artifacts / "model.onnx", "--against", "old/model.onnx", "--rounds", "1", "--seconds", "0.1", "--json")
    said = json.loads(clf_bench(*line).stdout)
    assert said["reference"]["name"] == "old/model.onnx"
    assert [row["name"] for row in said["results"]] == [f"{artifacts.name}/model.onnx"]


def test_a_model_that_is_not_there_is_one_sentence(clf_bench: Invoke) -> None:
    done = clf_bench("absent.onnx")
    assert (done.exit_code, done.stderr) == (2, "error: cannot read the model absent.onnx: No such file or directory\n")
