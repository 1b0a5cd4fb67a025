"""Weights in other files are brought inside, but only from regular files in the model's own folder."""

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnx.external_data_helper import convert_model_to_external_data

from edgeclf.runtime import Classifier
from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.adoption.onnx_external import bring_inside
from edgeclf.runtime.model.adoption.onnx_safety import read_model
from edgeclf.runtime.model.adoption.onnx_surgery import adopt_onnx
from edgeclf.runtime.model.conventions.facts import Fact, Facts, Scaling
from tests.support.foreign_onnx import SIDE, foreign_onnx, own_scores, softmax

FACTS = Facts(classes=Fact(("ants", "bees", "cats"), "labels.txt"), scaling=Fact(Scaling((0.0,), (255.0,)), "config.json"))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """`own/model.onnx` with `own/weights.bin`."""
    path = tmp_path / "own" / "model.onnx"
    path.parent.mkdir()
    proto = foreign_onnx()
    convert_model_to_external_data(proto, location="weights.bin", size_threshold=0)
    onnx.save_model(proto, path)
    return path


def inside(path: Path, **entries: str) -> onnx.ModelProto:
    """The model with its weights inside. entries: what the first weight says about its place."""
    proto = onnx.load(path, load_external_data=False)
    for entry in proto.graph.initializer[0].external_data:
        entry.value = entries.get(entry.key, entry.value)
    read = read_model(path, proto.SerializeToString())
    bring_inside(path, read)
    return onnx.load_from_string(read.SerializeToString())


def weights(model: onnx.ModelProto) -> dict[str, list[float]]:
    return {tensor.name: onnx.numpy_helper.to_array(tensor).ravel().tolist() for tensor in model.graph.initializer}


def test_the_adopted_file_has_its_weights_inside(model: Path, tmp_path: Path) -> None:
    adopted = adopt_onnx(model, model.read_bytes(), FACTS, {})
    (tmp_path / "adopted.onnx").write_bytes(adopted.data)

    pixels = np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE, 3), np.uint8)
    expected = own_scores(foreign_onnx(), (pixels / 255).transpose(0, 3, 1, 2).astype(np.float32))
    found = Classifier.open(tmp_path / "adopted.onnx", device="cpu").probabilities(pixels)
    np.testing.assert_allclose(found, softmax(expected), atol=1e-6)


def test_the_weights_are_read_as_the_onnx_package_reads_them(model: Path) -> None:
    assert weights(inside(model)) == weights(onnx.load(model))


@pytest.mark.parametrize(
    "location", ["/etc/passwd", "../weights.bin", "a/../../weights.bin", "..\\weights.bin", "C:\\weights.bin", "", "a\0b"]
)
def test_a_place_outside_is_refused(location: str, model: Path) -> None:
    (model.parent.parent / "weights.bin").write_bytes((model.parent / "weights.bin").read_bytes())

    with pytest.raises(ModelError, match=r"model.onnx keeps its weights in .*, which is outside its folder"):
        inside(model, location=location)


def test_a_missing_file_is_named(model: Path) -> None:
    (model.parent / "weights.bin").unlink()

    with pytest.raises(ModelError, match=r"keeps its weights in 'weights.bin', which is missing; put that file beside it"):
        inside(model)


def test_memory_of_the_engine_is_no_file(model: Path) -> None:
    with pytest.raises(ModelError, match="which is missing"):
        inside(model, location="*/_ORT_MEM_ADDR_/*")


def test_a_link_that_leads_out_is_refused(model: Path) -> None:
    (model.parent / "weights.bin").rename(model.parent.parent / "elsewhere.bin")
    (model.parent / "weights.bin").symlink_to("../elsewhere.bin")

    with pytest.raises(ModelError, match="a link that leads out of its folder"):
        inside(model)


def test_a_folder_that_leads_out_is_refused(model: Path) -> None:
    (model.parent / "below").symlink_to(model.parent.parent)
    (model.parent / "weights.bin").rename(model.parent.parent / "weights.bin")

    with pytest.raises(ModelError, match="a link that leads out of its folder"):
        inside(model, location="below/weights.bin")


def test_a_link_inside_is_followed(model: Path) -> None:
    expected = weights(onnx.load(model))
    (model.parent / "weights.bin").rename(model.parent / "real.bin")
    (model.parent / "weights.bin").symlink_to("real.bin")

    assert weights(inside(model)) == expected


def test_a_hard_link_is_refused(model: Path) -> None:
    os.link(model.parent / "weights.bin", model.parent.parent / "also.bin")

    with pytest.raises(ModelError, match="a hard link to a file with other names; copy both into one folder"):
        inside(model)


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_regular_file_is_refused(kind: str, model: Path) -> None:
    (model.parent / "weights.bin").unlink()
    if kind == "pipe":
        os.mkfifo(model.parent / "weights.bin")
    else:
        (model.parent / "weights.bin").mkdir()

    with pytest.raises(ModelError, match=r"not a regular file|cannot be read"):
        inside(model)


@pytest.mark.parametrize(
    "entries", [{"offset": "-1"}, {"offset": "99999999"}, {"length": "5"}, {"length": "-5"}, {"offset": "x"}]
)
def test_a_place_that_does_not_fit_is_refused(entries: dict[str, str], model: Path) -> None:
    with pytest.raises(ModelError, match=r"model.onnx does not fit 'weights.bin'"):
        inside(model, **entries)


def test_two_gigabytes_are_too_many_for_one_file(model: Path) -> None:
    proto = onnx.load(model, load_external_data=False)
    proto.graph.initializer[0].ClearField("dims")
    proto.graph.initializer[0].dims.extend([1 << 29])
    assert proto.graph.initializer[0].data_type == TensorProto.FLOAT

    with pytest.raises(ModelError, match=r"is 2 GB or larger with its weights, more than one ONNX file can hold"):
        bring_inside(model, read_model(model, proto.SerializeToString()))
