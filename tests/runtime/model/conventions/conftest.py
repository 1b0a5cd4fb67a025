"""Models and the files beside them, as other tools write them."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper

from edgeclf.runtime.model.conventions.facts import Facts
from edgeclf.runtime.model.conventions.package import find_model
from edgeclf.runtime.model.conventions.reading import read_facts

OnnxWith = Callable[[Mapping[str, str]], bytes]
ReadBeside = Callable[..., Facts]


@pytest.fixture(scope="session")
def onnx_with(build_onnx: Callable[..., onnx.ModelProto], colour_weights: NDArray[np.float32]) -> OnnxWith:
    """An ONNX file with these metadata properties."""

    def build(properties: Mapping[str, str]) -> bytes:
        model = build_onnx(colour_weights)
        helper.set_model_props(model, dict(properties))
        return bytes(model.SerializeToString())

    return build


@pytest.fixture
def read_beside(tmp_path: Path, onnx_with: OnnxWith) -> ReadBeside:
    """The facts of a model in a folder with these files; objects are written as JSON. model: its name. data: its bytes."""

    def read(files: Mapping[str, object], model: str = "model.onnx", data: bytes | None = None) -> Facts:
        write_files(tmp_path, {model: onnx_with({}) if data is None else data, **files})
        with find_model(tmp_path / model) as package:
            return read_facts(package)

    return read


def write_files(folder: Path, files: Mapping[str, object]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str | bytes) else json.dumps(content)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())


def values_of(facts: Facts) -> dict[str, object]:
    """The values of the facts that are known, except for the classes."""
    return {name: fact.value for name, fact in facts.known().items() if name != "classes"}


def classes_of(facts: Facts) -> tuple[tuple[str, ...], str] | None:
    """The classes and their origin."""
    return (facts.classes.value, facts.classes.origin) if facts.classes else None
