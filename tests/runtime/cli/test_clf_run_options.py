"""Options, models and sources that `clf-run` refuses: one sentence, exit code 2, and nothing is written."""

import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto
from typer.testing import Result

from edgeclf.runtime import ModelCard
from edgeclf.runtime.model.digest import embed_digest
from tests.conftest import Invoke
from tests.runtime.cli.conftest import rows_of
from tests.support.outputs import READERS

BuildOnnx = Callable[..., onnx.ModelProto]


def check_is_refused(done: Result, pattern: str = "", code: int = 2) -> None:
    """One sentence on stderr that matches, nothing on stdout, the exit code."""
    assert (done.exit_code, done.stdout) == (code, "")
    assert re.fullmatch(rf"error: .*{pattern}.*\n", done.stderr), done.stderr
    assert done.stderr.removesuffix("\n").isprintable()


def write_model(path: Path, model: onnx.ModelProto) -> None:
    data = model.SerializeToString()
    path.write_bytes(embed_digest(data) if model.metadata_props else data)


@pytest.mark.parametrize("name", [b"no\nsuch\x1b[31m.png", b"caf\xe9.png"], ids=["escapes", "latin-1"])
def test_a_missing_source_with_an_odd_name_is_shown_escaped(name: bytes, clf_run: Invoke, colour_model: Path) -> None:
    check_is_refused(clf_run(colour_model, "-s", os.fsdecode(name)))


@pytest.mark.parametrize("name", [b"no\nsuch\x1b[31m.onnx", b"caf\xe9.onnx"], ids=["escapes", "latin-1"])
def test_a_missing_model_with_an_odd_name_is_shown_escaped(name: bytes, clf_run: Invoke, photos: Path) -> None:
    check_is_refused(clf_run(os.fsdecode(name), "-s", "photos"))


@pytest.fixture(scope="module")
def wrong_models(
    tmp_path_factory: pytest.TempPathFactory,
    run_folder: Path,
    build_onnx: BuildOnnx,
    colour_weights: NDArray[np.float32],
    colour_card: ModelCard,
) -> Path:
    """A folder with every kind of model that cannot be used. Read only."""
    folder = tmp_path_factory.mktemp("wrong")
    (folder / "text.onnx").write_text("hello\n")
    write_model(folder / "float.onnx", build_onnx(colour_weights, colour_card, TensorProto.FLOAT))
    write_model(folder / "bare.onnx", build_onnx(colour_weights))
    write_model(folder / "nan.onnx", build_onnx(colour_weights * np.float32(np.nan), colour_card))
    external = folder / "external.onnx"
    model = build_onnx(colour_weights, colour_card)
    onnx.save_model(model, external, save_as_external_data=True, location="weights.bin", size_threshold=0)
    write_model(external, onnx.load(external, load_external_data=False))
    shutil.copy(run_folder / "model.keras", folder)
    (folder / "digest").mkdir()
    shutil.copy(run_folder / "SHA256SUMS", folder / "digest")
    (folder / "digest" / "model.onnx").write_bytes((run_folder / "model.onnx").read_bytes() + b"\x00")
    return folder


@pytest.mark.parametrize(
    ("model", "pattern"),
    [
        ("missing.onnx", "the model .*missing.onnx does not exist"),
        ("text.onnx", "text.onnx is .*ONNX"),
        ("float.onnx", "uint8"),
        ("bare.onnx", "add --classes labels.txt$"),
        ("nan.onnx", "NaN"),
        ("external.onnx", "external.onnx is .*ONNX model"),
        ("model.keras", "clf-export .*model.keras"),
        ("digest/model.onnx", "SHA256SUMS"),
    ],
)
def test_a_wrong_model_is_refused_and_leaves_no_result(
    model: str, pattern: str, clf_run: Invoke, wrong_models: Path, photos: Path
) -> None:
    check_is_refused(clf_run(wrong_models / model, "-s", "photos", "-o", "results.csv"), pattern)
    assert os.listdir(photos.parent) == ["photos"]


def test_a_wrong_model_leaves_the_journal_of_an_interrupted_run(clf_run: Invoke, colour_model: Path, photos: Path) -> None:
    clf_run(colour_model, "-s", "photos", "-o", "results.csv")
    before = (photos.parent / "results.csv.journal").read_bytes()

    assert clf_run("missing.onnx", "-s", "photos", "-o", "results.csv").exit_code == 2
    assert (photos.parent / "results.csv.journal").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        (["-s", "nowhere"], "'nowhere' does not exist"),
        (["-s", "void"], "'void' .*no images"),
        (["-s", "photos", "-o", "nowhere/results.csv"], "nowhere/results.csv: No such file or directory"),
        (["-s", "photos", "-o", "results.xls"], "results.xls .*.csv, .jsonl.*.xlsx"),
        (["-s", "photos", "-o", "r.xlsx", "--excel"], "--excel is for CSV; .*.xlsx without it"),
        (["-s", "photos", "-o", "r.parquet", "--excel"], "--excel is for CSV; name a .csv file instead of r.parquet"),
        (["-s", "photos", "--json", "--excel"], "--excel is for CSV; leave out --json"),
        (["-s", "photos", "-o", "x" * 300 + ".csv"], "x{100}"),
        (["-s", "photos", "-o", "/dev/full"], "No space left on device"),
        (["-s", "photos", "--device", "tpu"], "no device 'tpu'; did you mean cpu"),
        (["-s", "photos", "--classes", "nowhere.txt"], "nowhere.txt"),
        (["-s", "photos", "--classes", "names.txt", "--imgsz", "big"], "--imgsz takes .*320x240.*, not 'big'"),
        (["-s", "photos", "--classes", "names.txt", "--imgsz", "9"], "--imgsz 9 does not fit .* takes 8; leave it out"),
        (["-s", "photos", "--grey"], "--classes"),
        (["-s", "bad.csv:path", "-o", "r.csv"], "bad.csv"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)
def test_what_cannot_work_is_refused(
    arguments: list[str], pattern: str, clf_run: Invoke, colour_model: Path, photos: Path
) -> None:
    (photos.parent / "void").mkdir()
    (photos.parent / "names.txt").write_text("red\ngreen\nblue\n")
    (photos.parent / "bad.csv").write_text("path\n" + "photos/a.png\n" * 300 + '"abc"def\n')

    done = clf_run(colour_model, *arguments)

    assert done.exit_code == 2
    assert re.fullmatch(rf"error: .*{pattern}.*\n", done.stderr), done.stderr


def test_a_folder_without_images_leaves_no_result(clf_run: Invoke, colour_model: Path, tmp_path: Path) -> None:
    (tmp_path / "void").mkdir()

    clf_run(colour_model, "-s", "void", "-o", "results.csv")

    assert os.listdir(tmp_path) == ["void"]


@pytest.mark.parametrize(
    "flags",
    [
        ["--retry-failed"],
        ["--restart"],
        ["--sources-moved"],
        ["-o", "r.csv", "--no-journal", "--restart"],
        ["-o", "r.csv", "--no-journal", "--sources-moved"],
        ["-o", "r.csv", "--no-journal", "--journal", "j"],
        ["--sort", "copy"],
        ["--sort-dir", "x"],
        ["--sort", "burn", "--sort-dir", "x"],
        ["--sort", "copy", "--sort-dir", "photos/sorted"],
        ["--topk", "0"],
        ["--topk", "most"],
        ["--max-failures", "many"],
        ["--verify", "perhaps"],
        ["-o", "r.csv", "--json"],
        ["-o", "r.csv", "--journal", "./r.csv"],
        ["--summary", "nowhere/summary.json"],
        ["-o", "r.csv", "--summary", "./r.csv"],
        ["--watch", "-s", "-"],
        ["-0"],
    ],
    ids=" ".join,
)
def test_flags_that_contradict_each_other_are_refused(
    flags: list[str], clf_run: Invoke, colour_model: Path, photos: Path
) -> None:
    check_is_refused(clf_run(colour_model, "-s", "photos", *flags))
    assert os.listdir(photos.parent) == ["photos"]


@pytest.mark.parametrize("size", [(), ("--imgsz", "8"), ("--imgsz", "8x8")], ids=["from the file", "8", "8x8"])
def test_a_model_without_a_card_works_with_flags(
    size: tuple[str, ...], clf_run: Invoke, build_onnx: BuildOnnx, colour_weights: NDArray[np.float32], photos: Path
) -> None:
    write_model(photos.parent / "bare.onnx", build_onnx(colour_weights))
    (photos.parent / "labels.txt").write_text(" red \n\ngreen\r\nblue")

    done = clf_run("bare.onnx", "-s", "photos", "--classes", "labels.txt", *size)

    assert done.exit_code == 0
    assert {row["label"] for row in rows_of(done.stdout)} <= {"red", "green", "blue"}


@pytest.mark.skipif("CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="this onnxruntime has CUDA")
def test_cuda_that_is_not_available_is_exit_4(clf_run: Invoke, colour_model: Path, photos: Path) -> None:
    check_is_refused(clf_run(colour_model, "-s", "photos", "--device", "cuda"), "CUDA", 4)


def test_litert_on_cuda_is_exit_4(clf_run: Invoke, int8_model: Path, photos: Path) -> None:
    check_is_refused(clf_run(int8_model, "-s", "photos", "--device", "cuda"), "cuda", 4)


@pytest.fixture
def model_places(tmp_path: Path, colour_model: Path) -> Path:
    """A model in every place where `clf-run` looks for one, and a model to be named."""
    for name in ("named/x.onnx", "model.onnx", "runs/old/model.onnx", "runs/new/model.onnx"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(colour_model, tmp_path / name)
    os.utime(tmp_path / "runs/old/model.onnx", (1, 1))
    return tmp_path


@pytest.mark.parametrize(
    ("named", "absent", "found"),
    [
        ("named/x.onnx", [], "named/x.onnx"),
        ("", [], "model.onnx"),
        ("", ["model.onnx"], "runs/new/model.onnx"),
    ],
    ids=["environment", "current folder", "newest run"],
)
def test_a_model_is_found_and_named(
    named: str,
    absent: list[str],
    found: str,
    clf_run: Invoke,
    model_places: Path,
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    list(map(os.unlink, [model_places / name for name in absent]))
    monkeypatch.setenv("CLF_MODEL", named)

    done = clf_run("-s", "photos")

    assert done.exit_code == 0
    assert done.stderr.startswith(f"model: {found}")


def test_without_a_model_the_error_says_where_it_looked(
    clf_run: Invoke, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLF_MODEL", "")
    check_is_refused(clf_run("-s", "photos"), r"\$CLF_MODEL, ./model\*.onnx and runs/\*/")


def test_version_is_shown(clf_run: Invoke) -> None:
    assert re.fullmatch(r"edgeclf \d+\.\d+\.\d+\n", clf_run("--version").stdout)


@pytest.mark.parametrize("restart", [(), ("--restart",), ("--no-journal",)], ids=["plain", "restart", "no journal"])
def test_a_file_of_the_user_is_no_output(
    restart: tuple[str, ...], clf_run: Invoke, colour_model: Path, photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "labels.csv").write_text("path,label\n")

    refused = clf_run(colour_model, "-s", "photos", "-o", "labels.csv", *restart)

    assert refused.exit_code == 2
    assert "labels.csv exists already" in refused.stderr
    assert (tmp_path / "labels.csv").read_text() == "path,label\n"
    assert not (tmp_path / "labels.csv.journal").exists()


@pytest.mark.parametrize("text", ["mine", "[1]", '{"schema": 1}', '{"edgeclf_journal":2}'])
def test_a_file_of_the_user_is_no_summary(
    text: str, clf_run: Invoke, colour_model: Path, photos: Path, tmp_path: Path
) -> None:
    line = (colour_model, "-s", "photos", "-o", "r.csv", "--summary")
    (tmp_path / "mine.json").write_text(text)

    refused, twice = clf_run(*line, "mine.json"), [clf_run(*line, "new.json").exit_code for _ in range(2)]

    assert (refused.exit_code, (tmp_path / "mine.json").read_text()) == (2, text)
    assert twice == [0, 0]


def test_a_summary_that_is_a_folder_is_refused_before_the_run(clf_run: Invoke, colour_model: Path, photos: Path) -> None:
    refused = clf_run(colour_model, "-s", "photos", "-o", "r.csv", "--summary", "photos")

    assert (refused.exit_code, (photos.parent / "r.csv").exists()) == (2, False)
    assert "--summary photos is a folder" in refused.stderr


def test_a_workbook_without_its_package_is_refused_before_anything_is_classified(
    clf_run: Invoke, colour_model: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    monkeypatch.delitem(sys.modules, "edgeclf.runtime.results.xlsx_sink", raising=False)

    done = clf_run(colour_model, "photos", "-o", "r.xlsx")

    assert done.exit_code == 2
    assert done.stderr == "error: this needs xlsxwriter, which is not installed: pip install 'edgeclf[excel]'\n"
    assert not list(photos.parent.glob("r.xlsx*"))


def test_the_answers_of_a_workbook_become_another_file_without_classifying_again(
    clf_run: Invoke, colour_model: Path, photos: Path
) -> None:
    clf_run(colour_model, "photos", "-o", "r.xlsx")

    done = clf_run(colour_model, "photos", "-o", "r.parquet", "--journal", "r.xlsx.journal")

    assert "3 images, all of them from earlier runs" in done.stderr
    assert [READERS[suffix](photos.parent / f"r{suffix}")[2]["path"] for suffix in (".xlsx", ".parquet")] == [
        "photos/c.png"
    ] * 2
