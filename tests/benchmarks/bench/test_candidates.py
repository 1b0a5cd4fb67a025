"""A benchmark measures every model file in every configuration that it can run in."""

from pathlib import Path

import pytest

from edgeclf.benchmarks.bench.candidates import find_models, list_candidates, short_names
from edgeclf.runtime.errors import ModelError, OptionError


def named(*names: str) -> dict[Path, str]:
    return {Path(name): name for name in names}


def test_a_folder_stands_for_its_models_with_the_shortest_suffix_first(tmp_path: Path) -> None:
    for name in ("model.int8.tflite", "model.keras", "model.onnx", "model.fp32.tflite", "SHA256SUMS"):
        (tmp_path / name).touch()
    assert [path.name for path in find_models([tmp_path]).models] == ["model.onnx", "model.fp32.tflite", "model.int8.tflite"]


def test_a_model_that_is_named_twice_is_measured_once(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").touch()
    assert find_models([tmp_path / "model.onnx", tmp_path]).models == (tmp_path / "model.onnx",)


def test_a_model_that_is_spelt_in_two_ways_is_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.onnx").touch()
    monkeypatch.chdir(tmp_path)
    assert find_models([Path("model.onnx"), tmp_path / "model.onnx"]).models == (Path("model.onnx"),)


@pytest.mark.parametrize(
    ("name", "keywords"),
    [
        ("model.keras", r"--against .*model\.keras.*clf-export"),
        ("notes.txt", r"notes\.txt is not a \.onnx or \.tflite file"),
        ("absent.onnx", r"absent\.onnx does not exist"),
    ],
)
def test_a_file_that_is_not_an_exported_model_is_refused(name: str, keywords: str, tmp_path: Path) -> None:
    (tmp_path / "model.keras").touch()
    (tmp_path / "notes.txt").write_text("notes")
    with pytest.raises(ModelError, match=keywords):
        find_models([tmp_path / name])


def test_a_folder_without_models_is_refused_and_the_error_says_how_to_export(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"has no \.onnx or \.tflite file; name a folder"):
        find_models([tmp_path])
    (tmp_path / "model.keras").touch()
    with pytest.raises(ModelError, match=r"clf-export .*/model\.keras$"):
        find_models([tmp_path])


def test_a_file_without_a_card_in_a_folder_is_left_out_and_said(tmp_path: Path) -> None:
    (tmp_path / "theirs.onnx").write_bytes(b"another tool made this")
    with pytest.raises(ModelError, match=r"no model in .* card .*--classes labels\.txt"):
        find_models([tmp_path])
    (tmp_path / "ours.tflite").write_bytes(b"edgeclf/card.json")

    found = find_models([tmp_path])

    assert [path.name for path in found.models] == ["ours.tflite"]
    (sentence,) = found.left_out
    assert "theirs.onnx" in sentence
    assert "--classes labels.txt" in sentence
    assert len(find_models([tmp_path], described=True).models) == 2
    assert len(find_models([tmp_path / "theirs.onnx"]).models) == 1


def test_suffixes_count_in_capitals_and_lite_is_tflite(tmp_path: Path) -> None:
    for name in ("A.ONNX", "b.lite", "c.TFLITE", "d.txt"):
        (tmp_path / name).touch()

    found = find_models([tmp_path]).models

    assert sorted(path.name for path in found) == ["A.ONNX", "b.lite", "c.TFLITE"]
    named_files = dict(zip(found, ("x", "y", "z"), strict=True))
    assert [one.model.name for one in list_candidates(named_files, ["cuda"], [1], [1])] == ["A.ONNX"]


def test_every_combination_is_a_candidate_and_batch_sizes_vary_fastest() -> None:
    found = list_candidates(named("a.onnx", "b.tflite"), ["cpu"], [1, None], [1, 2])
    assert [(one.name, one.threads, one.batch) for one in found] == [
        (name, threads, batch) for name in ("a.onnx", "b.tflite") for threads in (1, 2) for batch in (1, None)
    ]


def test_tflite_is_skipped_on_a_gpu_with_a_note(capsys: pytest.CaptureFixture[str]) -> None:
    found = list_candidates(named("a.onnx", "b.tflite"), ["cpu", "cuda"], [1], [1])
    assert [(one.name, one.device) for one in found] == [("a.onnx", "cpu"), ("a.onnx", "cuda"), ("b.tflite", "cpu")]
    assert capsys.readouterr().err == "b.tflite runs only on the CPU and is not measured on cuda\n"


def test_no_runnable_combination_is_an_error() -> None:
    with pytest.raises(OptionError, match="none of the models runs on cuda"):
        list_candidates(named("b.tflite"), ["cuda"], [1], [1])


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["runs/a/model.onnx"], ["model.onnx"]),
        (["a/model.onnx", "a/model.int8.onnx"], ["model.onnx", "model.int8.onnx"]),
        (["x/a/model.onnx", "y/b/model.onnx"], ["a/model.onnx", "b/model.onnx"]),
        (["x/a/model.onnx", "y/a/model.onnx"], ["x/a/model.onnx", "y/a/model.onnx"]),
    ],
    ids=["one", "one folder", "parents differ", "grandparents differ"],
)
def test_names_are_as_short_as_possible(paths: list[str], names: list[str]) -> None:
    assert short_names([Path(path) for path in paths]) == names
