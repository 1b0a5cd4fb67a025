"""Every command that an error advises for a model from another tool works as it is pasted: no second, different error."""

import importlib
import os
import re
import shlex
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from typer.testing import Result

from tests.runtime.model.conventions.conftest import write_files
from tests.runtime.model.conventions.test_custom_vision import INSIDE, PROPERTIES
from tests.runtime.model.conventions.test_descriptions import EDGE_IMPULSE, LOBE, luxonis
from tests.runtime.model.conventions.test_huggingface import CONFIG, VIT
from tests.runtime.model.conventions.test_timm import SETTINGS
from tests.support.drawings import write_images
from tests.support.foreign_onnx import SIDE, foreign_onnx, set_shape
from tests.support.foreign_tflite import Foreign, quantised, with_metadata
from tests.support.onnx_properties import geti_properties, ultralytics_properties
from tests.support.scripts import SCRIPTS

Invoke = Callable[..., Result]
Files = dict[str, object]
COMMAND = re.compile(r"(clf-(?:run|export) .*--data photos/|clf-run .*-s photos/)\)?$", re.MULTILINE)
ADDED = re.compile(r"; add (--.*)$", re.MULTILINE)
NAMES = ["ant", "bee", "cat"]
LABELS = [*NAMES, "dog"]
GREY = np.array([[0.1], [-0.1]], np.float32)
ONE_ROW = np.array([[0.1, 0.0, -0.1]], np.float32)


def as_file(model: onnx.ModelProto, producer: str = "pytorch", **properties: str) -> bytes:
    model.producer_name = producer
    helper.set_model_props(model, {key.replace("__", "."): value for key, value in properties.items()})
    return bytes(model.SerializeToString())


def of_any_size(**settings: Any) -> bytes:
    model = foreign_onnx(**settings)
    set_shape(model.graph.input[0], ["batch", 3, "height", "width"])
    return as_file(model)


def without(settings: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name not in names}


ULTRALYTICS = ultralytics_properties(NAMES)
GETI = geti_properties(NAMES)
TYPES = {"float32": 1, "uint8": TensorProto.UINT8, "int8": TensorProto.INT8, "float16": 10, "double": 11}


def onnx_files() -> Iterator[tuple[str, bytes]]:
    for name, kind in TYPES.items():
        for first in (True, False):
            yield f"{name} {'NCHW' if first else 'NHWC'}", as_file(foreign_onnx(input_type=kind, channels_first=first))
    yield "another producer", as_file(foreign_onnx(), "tf2onnx")
    yield "one image", as_file(foreign_onnx(batch=1))
    yield "grey", as_file(foreign_onnx(channels=1))
    yield "quantised", as_file(foreign_onnx(input_type=TensorProto.INT8, step=0.05, zero_point=3))
    for end in ("Softmax", "LogSoftmax", "Relu", "Tanh", "Identity"):
        yield f"ends with {end}", as_file(foreign_onnx(end=end), "tf2onnx")
    yield "one sigmoid", as_file(foreign_onnx(end="Sigmoid", outputs=1))
    yield "one number", as_file(foreign_onnx(outputs=1))
    yield "any size", of_any_size()
    yield "any size, open head", of_any_size(end="Relu")
    for missing in (*ULTRALYTICS, ""):
        yield f"Ultralytics without {missing or 'nothing'}", as_file(foreign_onnx(), **without(ULTRALYTICS, missing))
    for missing in (*GETI, ""):
        yield f"Geti without {missing or 'nothing'}", as_file(foreign_onnx(), **without(GETI, missing))


def tflite_files() -> Iterator[tuple[str, bytes]]:
    plain = Foreign().to_bytes()
    yield "plain", plain
    yield "NCHW", Foreign(channels_first=True).to_bytes()
    yield "one image", Foreign(fixed_batch=True).to_bytes()
    yield "logits", Foreign(head="").to_bytes()
    yield "one sigmoid", Foreign(head="LOGISTIC", weights=ONE_ROW).to_bytes()
    yield "one number", Foreign(head="", weights=ONE_ROW).to_bytes()
    yield "grey", Foreign(weights=GREY).to_bytes()
    yield "any size", Foreign(open_size=True).to_bytes()
    for name in ("softmax", "scores"):
        yield f"quantised {name}", quantised(name)
    yield "quantised, other steps", quantised(steps=(0.01, 3))
    yield "quantised int8", quantised(dtype="int8")
    yield "metadata without labels", with_metadata(plain, [127.5], [127.5])
    yield "metadata without a scale", with_metadata(plain, labels=b"ant\nbee\ncat\n")
    yield "metadata with all", with_metadata(plain, [127.5], [127.5], b"ant\nbee\ncat\n")


def folders() -> Iterator[tuple[str, Files]]:
    network, tflite = as_file(foreign_onnx()), Foreign().to_bytes()
    timm = {"architecture": "resnet18", "num_classes": 3, "label_names": NAMES}
    for missing in ("mean", "std", "interpolation", "crop_pct", "crop_mode", "input_size", ""):
        yield (
            f"timm without {missing}",
            {"model.onnx": network, "config.json": timm | {"pretrained_cfg": without(SETTINGS, missing)}},
        )
    yield (
        "timm without names",
        {"model.onnx": network, "config.json": without(timm, "label_names") | {"pretrained_cfg": SETTINGS}},
    )
    for missing in (*VIT, ""):
        yield f"Transformers without {missing}", {
            "model.onnx": network, "config.json": CONFIG, "preprocessor_config.json": without(VIT, missing)
        }  # fmt: skip
    yield "Transformers without classes", {
        "onnx/model.onnx": network, "config.json": without(CONFIG, "id2label"), "preprocessor_config.json": VIT
    }  # fmt: skip
    yield "Transformers without the processor", {"model.onnx": network, "config.json": CONFIG}
    yield "Luxonis", {"model.onnx": network, "config.json": luxonis({"classes": NAMES, "n_classes": 3})}
    yield "Luxonis with a resize mode", {
        "model.onnx": network, "config.json": luxonis({"classes": NAMES, "n_classes": 3}, resize_mode="STRETCH")
    }  # fmt: skip
    lobe = LOBE | {"classes": {"Label": NAMES}, "inputs": {"Image": {"dtype": "float32", "shape": [None, SIDE, SIDE, 3]}}}
    for missing in ("classes", "inputs", "filename", ""):
        yield f"Lobe without {missing}", {"model.onnx": network, "signature.json": without(lobe, missing)}
    for missing in (*PROPERTIES, ""):
        yield (
            f"Custom Vision without {missing}",
            {
                "model.onnx": as_file(foreign_onnx(), **INSIDE),
                "metadata_properties.json": without(PROPERTIES, missing),
                "labels.txt": "\n".join(NAMES),
            },
        )
    yield (
        "Custom Vision without labels",
        {"model.onnx": as_file(foreign_onnx(), **INSIDE), "metadata_properties.json": PROPERTIES},
    )
    impulse = EDGE_IMPULSE | {"labels": NAMES, "image_input_width": 8, "image_input_height": 8}
    for missing in (*impulse, ""):
        yield (
            f"Edge Impulse without {missing}",
            {"trained.tflite": tflite, "model_parameters.json": without(impulse, missing)},
        )
    for labels in ("0 ant\n1 bee\n2 cat\n", "ant\nbee\ncat\n"):
        yield f"Teachable Machine with {labels[:5]}", {"model_unquant.tflite": tflite, "labels.txt": labels}
    yield "Teachable Machine without labels", {"model_unquant.tflite": tflite}
    yield "Frigate", {"model.tflite": tflite, "labelmap.txt": "ant\nbee\ncat\n"}


@pytest.fixture
def invoke(in_process: Callable[..., Invoke], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    write_images(tmp_path / "drawn", 2)
    (tmp_path / "photos").mkdir()
    for number, path in enumerate(sorted((tmp_path / "drawn").rglob("*.png"))):
        path.rename(tmp_path / "photos" / f"{number}.png")

    def run(line: str) -> Result:
        name, *arguments = shlex.split(line)
        return in_process(importlib.import_module(SCRIPTS[name].partition(":")[0]).app)(*arguments)

    return run


def follow(invoke: Invoke, line: str, number: int) -> str:
    """What is wrong with the command that an error or a report advises; "" if it works, or if none is needed."""
    said = invoke(line)
    wanted = "  to do" if "clf-inspect" in line else "error: "
    text = "\n".join(row for row in (said.stderr + said.stdout).splitlines() if row.startswith(wanted))
    if said.exit_code == 0 and not text:
        return ""
    found, added = COMMAND.search(text), ADDED.search(text)
    if not (found or added):
        return f"{line} advises nothing: {text}"
    advised = found[1] if found else f"{line} {added[1]}"  # type: ignore[index]
    if "-o " not in advised:
        advised += f" -o out{number}" if advised.startswith("clf-export") else f" -o rows{number}.csv"
    done = invoke(advised)
    return "" if done.exit_code in (0, 3) else f"{text}\n  {advised}\n  {done.stderr[-300:]}"


CASES: dict[str, Files] = {
    **{f"ONNX, {name}": {"net.onnx": data} for name, data in onnx_files()},
    **{f"TFLite, {name}": {"net.tflite": data} for name, data in tflite_files()},
    **dict(folders()),
}
OF_TWO = {f"{kind}, one {output}" for kind in ("ONNX", "TFLite") for output in ("sigmoid", "number")} | {"TFLite, grey"}
USUAL = {
    *("ONNX, float32 NCHW", "ONNX, another producer", "ONNX, ends with Tanh", "ONNX, any size, open head"),
    *("TFLite, plain", "TFLite, quantised int8", "TFLite, metadata without labels", "TFLite, metadata with all"),
    *("timm without mean", "Transformers without the processor", "Luxonis", "Teachable Machine without labels"),
}
"""The others of the same kinds take minutes, and every second of them is only for `-m exhaustive`."""
MARKS = {name: pytest.mark.exhaustive if number % 2 else pytest.mark.slow for number, name in enumerate(CASES)}


@pytest.mark.parametrize("name", [name if name in USUAL else pytest.param(name, marks=MARKS[name]) for name in CASES])
def test_what_is_advised_works(name: str, invoke: Invoke, tmp_path: Path) -> None:
    write_files(tmp_path / "their model", CASES[name])
    (tmp_path / "labels.txt").write_text(
        "\n".join(LABELS[: 4 if "TFLite, quantised" in name else 2 if name in OF_TWO else 3])
    )
    model = shlex.quote(f"their model/{next(iter(CASES[name])) if len(CASES[name]) == 1 else ''}")
    lines = (f"clf-run {model} -s photos/ -o rows.csv", f"clf-inspect {model}", f"clf-export {model} -o out")

    assert [wrong for number, line in enumerate(lines) if (wrong := follow(invoke, line, number))] == []


FOREIGN = ("best.pt", "net.pth", "learn.pkl", "n.hef", "n.rknn", "n.eim", "n.mlmodel", "n.engine", "n_edgetpu.tflite")
COMMANDS = ("clf-run {} -s photos/", "clf-inspect {}", "clf-export {} --data photos/", "clf-bench {} --data photos/")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.split()[0])
def test_files_that_only_another_tool_opens_get_what_to_export_instead(command: str, invoke: Invoke, tmp_path: Path) -> None:
    for name in FOREIGN:
        (tmp_path / name).write_bytes(b"\x80\x02x" * 10)

        done = invoke(command.format(name))

        assert (done.exit_code, done.stderr.count("error: ")) == (2, 1), done.stderr
        assert re.search(rf"^error: {name} is (?!not ).*(export|download|take the \.tflite)", done.stderr, re.MULTILINE), (
            done.stderr
        )


def write_odd_files(folder: Path) -> list[str]:
    """Paths that no command can open as a model."""
    whole = as_file(foreign_onnx())
    (folder / "folder.onnx").mkdir()
    os.mkfifo(folder / "pipe.onnx")
    (folder / "loop.onnx").symlink_to(folder / "loop.onnx")
    with zipfile.ZipFile(folder / "torch.onnx", "w") as archive:  # as torch.save writes a .pt file
        archive.writestr("archive/data.pkl", b"\x80\x02.")
    for suffix in ("onnx", "tflite"):
        with open(folder / f"huge.{suffix}", "wb") as file:
            file.truncate(3 << 30)
        (folder / f"empty.{suffix}").touch()
    (folder / "cut.onnx").write_bytes(whole[: len(whole) // 2])
    (folder / "cut.tflite").write_bytes(Foreign().to_bytes()[:300])
    with zipfile.ZipFile(folder / "slip.zip", "w") as archive:
        archive.writestr("../../net.onnx", whole)
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.split()[0])
def test_what_is_no_model_is_refused_in_one_sentence_and_nothing_is_written(
    command: str, invoke: Invoke, tmp_path: Path
) -> None:
    (tmp_path / "odd").mkdir()
    names = write_odd_files(tmp_path / "odd")
    for name in names:
        done = invoke(command.format(f"odd/{name}"))

        errors = [line for line in done.stderr.splitlines() if not line.startswith("INFO")]
        assert (done.exit_code, len(errors)) == (2, 1), f"{name}: {done.stderr}"
        assert f"odd/{name}" in errors[0]
    assert sorted(path.name for path in (tmp_path / "odd").iterdir()) == names
