"""The onnxruntime backend takes only self-contained uint8 classifiers with finite answers."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto

from edgeclf.runtime import Classifier, ModelCard, Preprocess
from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.backend import open_backend
from edgeclf.runtime.model.digest import BLANK_DIGEST, embed_digest
from tests.support.saturating_onnx import SCALE, SIDE, saturating_onnx

BuildOnnx = Callable[..., onnx.ModelProto]


def test_products_of_8_bits_are_added_in_full_on_every_processor(tmp_path: Path) -> None:
    images = np.stack([np.full((SIDE, SIDE, 3), level, np.uint8) for level in (255, 200, 100)])
    expected = 1 / (1 + np.exp(-127 * SCALE * images.sum(axis=(1, 2, 3), dtype=np.float64)))
    found = open_backend(tmp_path / "int8.onnx", "cpu", 1, saturating_onnx()).run(images)
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf], ids=str)
def test_weights_that_are_not_finite_are_refused(
    value: float, build_onnx: BuildOnnx, colour_card: ModelCard, tmp_path: Path
) -> None:
    path = tmp_path / "damaged.onnx"
    path.write_bytes(embed_digest(build_onnx(np.full((3, 3), value, np.float32), colour_card).SerializeToString()))

    with pytest.raises(ModelError, match="NaN or infinity"):
        Classifier.open(path)


def test_an_overflow_on_a_single_image_is_an_error(build_onnx: BuildOnnx, colour_card: ModelCard, tmp_path: Path) -> None:
    path = tmp_path / "overflowing.onnx"
    weights = np.array([[8e35, 0, 0], [-8e35, 0, 0], [8e35, 0, 0]], np.float32)  # only red and blue together overflow
    path.write_bytes(embed_digest(build_onnx(weights, colour_card).SerializeToString()))
    opened = Classifier.open(path)

    with pytest.raises(ModelError, match="NaN or infinity"):
        opened.predict(np.full((8, 8, 3), (255, 0, 255), np.uint8))


def test_a_float_input_is_refused_by_name(
    build_onnx: BuildOnnx, colour_weights: NDArray[np.float32], colour_card: ModelCard, tmp_path: Path
) -> None:
    path = tmp_path / "float.onnx"
    path.write_bytes(embed_digest(build_onnx(colour_weights, colour_card, TensorProto.FLOAT).SerializeToString()))

    with pytest.raises(ModelError, match=r"uint8 image batch .*tensor\(float\)"):
        Classifier.open(path)


def set_batch(model: onnx.ModelProto, size: int) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = size


def set_variable_height(model: onnx.ModelProto, name: str) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = name


def test_a_batch_fixed_at_several_images_is_refused(
    build_onnx: BuildOnnx, colour_weights: NDArray[np.float32], colour_card: ModelCard, tmp_path: Path
) -> None:
    model = build_onnx(colour_weights, colour_card)
    set_batch(model, 2)
    (tmp_path / "fixed.onnx").write_bytes(embed_digest(model.SerializeToString()))

    with pytest.raises(ModelError, match="uint8 image batch"):
        Classifier.open(tmp_path / "fixed.onnx")


def test_a_batch_fixed_at_one_image_is_run_image_by_image(
    build_onnx: BuildOnnx,
    colour_weights: NDArray[np.float32],
    colour_card: ModelCard,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = build_onnx(colour_weights, colour_card)
    set_batch(model, 1)
    (tmp_path / "fixed.onnx").write_bytes(embed_digest(model.SerializeToString()))
    red, blue = np.full((8, 8, 3), (250, 0, 0), np.uint8), np.full((8, 8, 3), (0, 0, 250), np.uint8)

    predictions = Classifier.open(tmp_path / "fixed.onnx", device="cpu").predict([red, blue, red])

    assert [prediction.label for prediction in predictions] == ["red", "blue", "red"]
    assert capsys.readouterr().err == ""


def test_a_variable_height_is_refused(
    build_onnx: BuildOnnx, colour_weights: NDArray[np.float32], colour_card: ModelCard, tmp_path: Path
) -> None:
    model = build_onnx(colour_weights, colour_card)
    set_variable_height(model, "height")
    (tmp_path / "free.onnx").write_bytes(embed_digest(model.SerializeToString()))

    with pytest.raises(ModelError, match="uint8 image batch"):
        Classifier.open(tmp_path / "free.onnx")


def test_a_second_input_is_refused(
    build_onnx: BuildOnnx, colour_weights: NDArray[np.float32], colour_card: ModelCard, tmp_path: Path
) -> None:
    model = build_onnx(colour_weights, colour_card)
    extra = onnx.helper.make_tensor_value_info("seed", TensorProto.FLOAT, [1])
    model.graph.input.append(extra)
    (tmp_path / "two.onnx").write_bytes(embed_digest(model.SerializeToString()))

    with pytest.raises(ModelError, match="uint8 image batch"):
        Classifier.open(tmp_path / "two.onnx")


@pytest.fixture
def external(build_onnx: BuildOnnx, colour_card: ModelCard, tmp_path: Path) -> Path:
    """A model with its weights in another file beside it."""
    weights = np.eye(3, dtype=np.float32)
    path = tmp_path / "external.onnx"
    onnx.save_model(
        build_onnx(weights, colour_card), path, save_as_external_data=True, location="weights.bin", size_threshold=0
    )
    path.write_bytes(embed_digest(path.read_bytes()))
    return path


def test_external_data_beside_the_model_is_refused(external: Path) -> None:
    assert external.with_name("weights.bin").exists()

    with pytest.raises(ModelError, match=r"not an ONNX model .*its weights are in other files, .*onnx\.save"):
        Classifier.open(external)


def test_external_data_in_the_working_directory_is_refused(external: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(external.parent)

    with pytest.raises(ModelError, match="not an ONNX model"):
        Classifier.open("external.onnx")


@pytest.mark.parametrize("location", ["/etc/passwd", "../weights.bin", "none/../weights.bin"])
def test_external_data_elsewhere_is_refused(location: str, external: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = onnx.load(external, load_external_data=False)
    model.graph.initializer[0].external_data[0].value = location
    (external.parent / "below").mkdir()
    model.metadata_props[1].value = BLANK_DIGEST
    path = external.parent / "below" / "model.onnx"
    path.write_bytes(embed_digest(model.SerializeToString()))
    monkeypatch.chdir(path.parent)

    with pytest.raises(ModelError, match="not an ONNX model"):
        Classifier.open(path)


@pytest.mark.parametrize("ending", ["Sigmoid", "Softmax"])
def test_many_classes_in_8_bits_are_told_apart_by_the_last_operation(
    ending: str, build_onnx: BuildOnnx, tmp_path: Path
) -> None:
    """600 probabilities that all round to 0 can be those of a softmax as well as of sigmoids."""
    model = build_onnx(np.zeros((3, 600), np.float32))
    del model.graph.node[-1]
    for name, value in (("step", np.float32(1 / 256)), ("bias", np.float32(-9)), ("zero", np.uint8(0))):
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(value), name))
    for operation, inputs, output in (
        ("Add", ["logits", "bias"], "scores"),
        (ending, ["scores"], "exact"),
        ("QuantizeLinear", ["exact", "step", "zero"], "stored"),
        ("DequantizeLinear", ["stored", "step", "zero"], "probabilities"),
    ):
        model.graph.node.append(onnx.helper.make_node(operation, inputs, [output]))
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    card = ModelCard(tuple(map(str, range(600))), Preprocess((8, 8)))

    with nullcontext() if ending == "Softmax" else pytest.raises(ModelError, match="a sigmoid, one yes or no per class"):
        Classifier.open(path, card=card)
