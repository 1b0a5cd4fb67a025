"""Ultralytics' metadata, as version 8.4 writes it into ONNX and TFLite files and beside SavedModel folders."""

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from edgeclf.runtime.errors import EdgeclfError, ModelError
from edgeclf.runtime.model.conventions.facts import Facts, Scaling
from tests.runtime.model.conventions.conftest import OnnxWith, ReadBeside, classes_of, values_of

METADATA = {
    "description": "Ultralytics YOLO11n-cls model ",
    "author": "Ultralytics",
    "version": "8.4.190",
    "task": "classify",
    "head": "Classify",
    "batch": "1",
    "imgsz": "[64, 64]",
    "names": "{0: 'ant', 1: \"bee's\", 2: 'c\"d'}",
    "args": "{'data': None, 'batch': 1, 'nms': None}",
    "channels": "3",
    "end2end": "False",
}
NAMES = ("ant", "bee's", 'c"d')
AS_TOOL = {
    "scaling": Scaling((0.0,), (255.0,)),
    "channels": "rgb",
    "size_hw": (64, 64),
    "resize": "pillow-bilinear",
    "fit": "crop",
    "crop_pct": 1.0,
    "crop_offset": "round",
    "head": "softmax",
}
Read = Callable[..., Facts]


@pytest.fixture
def read_onnx(read_beside: ReadBeside, onnx_with: OnnxWith) -> Read:
    return lambda **properties: read_beside({}, data=onnx_with({**METADATA, **properties}))


def appended(tflite: bytes, name: str, text: str) -> bytes:
    file = io.BytesIO()
    file.write(tflite)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(name, text)
    return file.getvalue()


def typed() -> dict[str, Any]:
    """The metadata before the values become texts."""
    return METADATA | {"batch": 1, "imgsz": [64, 64], "names": dict(enumerate(NAMES)), "args": {"data": None}}


def test_an_onnx_file_tells_everything(read_onnx: Read) -> None:
    facts = read_onnx()
    assert (facts.tool, values_of(facts)) == ("ultralytics", AS_TOOL)
    assert classes_of(facts) == (NAMES, "ONNX metadata (names)")


@pytest.mark.parametrize(
    ("name", "text"), [("metadata.json", json.dumps(typed())), ("temp_meta.txt", str(typed()))], ids=["JSON", "literal"]
)
def test_a_tflite_file_tells_everything(name: str, text: str, read_beside: ReadBeside, bare_tflite: bytes) -> None:
    facts = read_beside({}, "model.tflite", appended(bare_tflite, name, text))
    assert (facts.tool, values_of(facts)) == ("ultralytics", AS_TOOL)
    assert classes_of(facts) == (NAMES, f"{name} inside the file (names)")


def test_a_saved_model_has_it_beside_it(read_beside: ReadBeside) -> None:
    yaml = """description: 'Ultralytics YOLO11n-cls model trained on x x x x x x x x x x x x x x x
  x x '
author: Ultralytics
task: classify
batch: 1
imgsz:
- 64
- 64
names:
  0: ant
  1: 'bee''s'
  2: c"d
args:
  data: null
end2end: false
"""
    facts = read_beside({"m/metadata.yaml": yaml}, "m/saved_model.pb", b"x")
    assert (facts.tool, values_of(facts)) == ("ultralytics", AS_TOOL)
    assert classes_of(facts) == (NAMES, "metadata.yaml (names)")


def test_a_size_that_is_no_square_is_a_stretch(read_onnx: Read) -> None:
    found = values_of(read_onnx(imgsz="[64, 96]"))
    assert (found["size_hw"], found["fit"], found.get("crop_pct")) == ((64, 96), "stretch", None)


@pytest.mark.parametrize("version", ["8.0.9", "8.0.180", "8.0.232"])
def test_old_versions_resized_with_opencv(version: str, read_onnx: Read) -> None:
    found = values_of(read_onnx(version=version))
    assert (found["resize"], found["fit"], found.get("crop_pct")) == ("opencv-bilinear", "crop", None)


@pytest.mark.parametrize("version", ["8.0.239", "8.1.0", "8.10.0", "9.0.1", "x" * 1000])
def test_newer_versions_resize_as_pillow(version: str, read_onnx: Read) -> None:
    assert values_of(read_onnx(version=version))["resize"] == "pillow-bilinear"


@pytest.mark.parametrize(
    ("task", "kind"),
    [("detect", "detection"), ("segment", "segmentation"), ("pose", "pose"), ("obb", "rotated-box"), ("depth", "'depth'")],
)
def test_another_task_is_refused_by_name(task: str, kind: str, read_onnx: Read) -> None:
    with pytest.raises(ModelError, match=f"model.onnx is a {kind}.* model of Ultralytics"):
        read_onnx(task=task)


HOSTILE = {
    "code": "__import__('os').system('touch hacked')",
    "code in a dictionary": "{0: open('hacked', 'w'), 1: 'b'}",
    "a call": "dict(a=1)",
    "deep": "[" * 100_000,
    "deep and closed": "(" * 5000 + ")" * 5000,
    "long": "[" + "'a'," * 1_000_000 + "]",
    "many": str({number: "x" * 3 + str(number) for number in range(100_001)})[: 1 << 20],
    "a number": "7",
    "a gap": "{0: 'a', 2: 'b'}",
    "one": "{0: 'a'}",
    "no texts": "{0: 1, 1: 2}",
    "nested": "{0: ['a'], 1: {'b': 1}}",
    "lists as keys": "{[0]: 'a'}",
    "a backslash": "{0: '\\d', 1: '\\d'",
    "empty": "",
    "zero byte": "{0: 'a\0'",
    "surrogates": "{0: '\\ud800', 1: 'b'}",
}


@pytest.mark.parametrize("names", HOSTILE.values(), ids=HOSTILE)
def test_hostile_names_are_refused_and_never_run(
    names: str, read_onnx: Read, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(str(tmp_path))
    with pytest.raises(EdgeclfError, match=r"^[^\n]+$") as refused:
        read_onnx(names=names)
    assert "names" in str(refused.value)
    assert len(str(refused.value)) < 400


def test_a_text_that_takes_much_memory_to_parse_is_not_parsed(read_onnx: Read) -> None:
    with pytest.raises(ModelError, match="1,200,002 characters"):
        read_onnx(names="[" + "'ant'," * 200_000 + "]")


def test_other_metadata_is_not_of_ultralytics(read_beside: ReadBeside, onnx_with: OnnxWith) -> None:
    assert read_beside({}, data=onnx_with({"task": "classify"})) == Facts()
    assert read_beside({}, data=onnx_with({"names": "{0: 'a', 1: 'b'}", "stride": "32"})) == Facts()
