"""How the sources are put together: which comes first, what belongs to the model, and what contradicts what."""

import json
import tracemalloc
from pathlib import Path
from typing import Any, get_args

import pytest

from edgeclf.runtime.errors import EdgeclfError, ModelError, OptionError
from edgeclf.runtime.images.preprocess import Fit, Resize
from edgeclf.runtime.model.conventions.evidence import Evidence
from edgeclf.runtime.model.conventions.facts import Facts
from edgeclf.runtime.model.conventions.onnx_properties import read_onnx_properties
from edgeclf.runtime.model.conventions.package import ModelPackage, find_model
from edgeclf.runtime.model.conventions.reading import CONVENTIONS, read_facts
from tests.runtime.model.conventions.conftest import OnnxWith, ReadBeside, classes_of, values_of, write_files

TIMM = {"architecture": "x", "num_classes": 2, "label_names": ["ant", "bee"]}
ULTRALYTICS = {"task": "classify", "names": "{0: 'ant', 1: 'bee', 2: 'cat'}"}


@pytest.mark.parametrize(
    ("files", "origin"),
    [
        ({"m.labels.txt": "a\nb\n", "labels.txt": "c\nd\n"}, "m.labels.txt"),
        ({"m_labels.txt": "a\nb\n", "labels.txt": "c\nd\ne\n"}, "m_labels.txt"),
        ({"labels.txt": "a\nb\n", "classes.txt": "a\nb\n"}, "labels.txt"),
        ({"dict.txt": "a\nb\n"}, "dict.txt"),
        ({"class_indices.json": {"a": 0, "b": 1}}, "class_indices.json"),
        ({"other.txt": "a\nb\n"}, None),
        ({"other_labels.txt": "a\nb\n"}, None),
    ],
)
def test_a_list_named_after_the_model_comes_before_the_usual_names(
    files: dict[str, Any], origin: str | None, read_beside: ReadBeside
) -> None:
    found = classes_of(read_beside(files, "m.onnx"))
    assert found == (origin and (("a", "b"), origin))


def test_what_is_inside_the_file_comes_before_what_is_beside_it(read_beside: ReadBeside, onnx_with: OnnxWith) -> None:
    facts = read_beside({"config.json": TIMM, "labels.txt": "x\ny\n"}, data=onnx_with(ULTRALYTICS))
    assert facts.tool == "ultralytics"
    assert classes_of(facts) == (("ant", "bee", "cat"), "ONNX metadata (names)")
    assert values_of(facts)["resize"] == "pillow-bilinear"


THREE = {"config.json": TIMM, "labels.txt": "a\nb\nc\n"}


@pytest.mark.parametrize(
    ("files", "model", "keyword"),
    [
        (THREE, {}, r"config.json \(label_names\) names 2 classes, but labels.txt names 3 classes"),
        ({"m_labels.txt": "a\nb\n"}, ULTRALYTICS, r"ONNX metadata \(names\) names 3 classes, but m_labels.txt names 2"),
        (
            {"config.json": TIMM, "labels.txt": "bee\nant\n"},
            {},
            r"config.json \(label_names\) and labels.txt have the classes in",
        ),
    ],
)
def test_sources_that_contradict_each_other_are_both_named(
    files: dict[str, Any], model: dict[str, str], keyword: str, read_beside: ReadBeside, onnx_with: OnnxWith
) -> None:
    with pytest.raises(ModelError, match=rf"^[^\n]*m\.onnx: {keyword}[^\n]*--classes$"):
        read_beside(files, "m.onnx", onnx_with(model))


def test_classes_that_the_user_gives_end_the_contradiction(tmp_path: Path, onnx_with: OnnxWith) -> None:
    write_files(tmp_path, {"m.onnx": onnx_with({}), **THREE})
    with find_model(tmp_path / "m.onnx") as package:
        facts = read_facts(package, classes_given=True)
    assert (facts.tool, facts.classes) == ("timm", None)


def test_facts_of_two_tools_are_not_mixed(read_beside: ReadBeside) -> None:
    parameters = {"model_parameters": {"labels": ["a", "b"], "image_input_width": 8, "image_input_height": 8}}
    luxonis = {"config_version": "1.0", "model": {"inputs": [], "heads": []}}
    facts = read_beside({"config.json": luxonis, "model_parameters.json": parameters})
    assert (facts.tool, values_of(facts), facts.classes) == ("luxonis", {"resize": "opencv-bilinear"}, None)


def test_the_description_of_another_model_is_not_mixed_in(read_beside: ReadBeside) -> None:
    own = {"model_type": "vit", "id2label": {"0": "a", "1": "b"}}
    facts = read_beside({"m.json": own, "config.json": TIMM}, "m.onnx")
    assert (facts.tool, values_of(facts)) == ("huggingface", {"channels": "rgb", "head": "logits"})


def test_other_names_for_as_many_classes_are_no_contradiction(read_beside: ReadBeside) -> None:
    facts = read_beside({"config.json": TIMM, "labels.txt": "Ant\nBee\n"})
    assert classes_of(facts) == (("ant", "bee"), "config.json (label_names)")


HOSTILE: dict[str, Any] = {
    "deep": "[" * 200_000,
    "deep objects": '{"a":' * 100_000,
    "not a number": '{"pretrained_cfg": {"mean": [NaN, 1, 1]}}',
    "endless": '{"pretrained_cfg": {"mean": [Infinity, 1, 1]}}',
    "infinite by its digits": '{"pretrained_cfg": {"mean": [1e999, 1, 1]}}',
    "a number of a million digits": '{"pretrained_cfg": {"crop_pct": ' + "9" * 1_000_000 + "}}",
    "not UTF-8": b'{"a": "\xff"}',
    "cut off": '{"pretrained_cfg": {"mean": [0.4',
    "empty": "",
    "a list of a million names": json.dumps({"architecture": "x", "num_classes": 1, "label_names": ["x"] * 1_000_000}),
    "half a surrogate pair": '{"architecture": "x", "num_classes": 2, "label_names": ["\\ud800", "b"]}',
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_hostile_json_ends_in_one_sentence_with_the_name_of_the_file(content: str | bytes, read_beside: ReadBeside) -> None:
    with pytest.raises(EdgeclfError, match=r"^[^\n]*config\.json[^\n]*$") as refused:
        read_beside({"config.json": content})
    assert len(str(refused.value)) < 400


def test_a_description_that_is_too_large_is_not_read(read_beside: ReadBeside) -> None:
    with pytest.raises(ModelError, match=r"config\.json is larger than 16 MB"):
        read_beside({"config.json": b" " * ((16 << 20) + 1)})


def test_a_list_of_labels_that_is_too_large_is_not_read(read_beside: ReadBeside) -> None:
    with pytest.raises(OptionError, match=r"labels\.txt is larger than 16 MB"):
        read_beside({"labels.txt": b"x\n" * (9 << 20)})


def test_a_link_that_leads_nowhere_does_not_count(tmp_path: Path, onnx_with: OnnxWith) -> None:
    write_files(tmp_path, {"m.onnx": onnx_with({})})
    (tmp_path / "labels.txt").symlink_to("missing.txt")
    with find_model(tmp_path / "m.onnx") as package:
        assert read_facts(package) == Facts()


def test_properties_are_limited(onnx_with: OnnxWith) -> None:
    data = onnx_with({f"key {number}": "x" for number in range(1_500)})
    assert len(read_onnx_properties(data)) == 1_000


def test_large_properties_are_left_out(onnx_with: OnnxWith) -> None:
    data = onnx_with({"a": "x" * (17 << 20), "b": "y"})
    tracemalloc.start()
    properties = read_onnx_properties(data)
    assert "a" not in properties
    assert tracemalloc.get_traced_memory()[1] < 40 << 20
    tracemalloc.stop()


def test_a_damaged_onnx_file_is_named(read_beside: ReadBeside) -> None:
    with pytest.raises(ModelError, match=r"m\.onnx is damaged or not an ONNX file"):
        read_beside({}, "m.onnx", b"\xff" * 100)


def test_every_convention_has_defaults_of_its_name() -> None:
    for name, convention in CONVENTIONS.items():
        assert convention.defaults.tool == name
        assert {fact.origin for fact in convention.defaults.known().values()} == {f"--from {name}"}


@pytest.mark.parametrize("name", CONVENTIONS)
def test_every_default_is_a_setting_of_preprocess(name: str) -> None:
    values = values_of(CONVENTIONS[name].defaults)
    assert values["resize"] in get_args(Resize)
    assert values["fit"] in get_args(Fit)


@pytest.mark.parametrize("name", CONVENTIONS)
def test_a_model_that_says_nothing_follows_no_convention(name: str, tmp_path: Path) -> None:
    package = ModelPackage(tmp_path / "m.onnx", "m.onnx", (tmp_path,))
    assert CONVENTIONS[name].read(Evidence(package)) is None
