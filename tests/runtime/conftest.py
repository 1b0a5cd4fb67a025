"""What the tests of the runtime share: one telling image, encoders for every format, small models of every format."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper
from PIL import Image

from edgeclf.runtime import Classifier, ModelCard, Preprocess
from edgeclf.runtime.model.card import CARD_KEY, CARD_MEMBER
from edgeclf.runtime.model.digest import BLANK_DIGEST, DIGEST_KEY, embed_digest
from tests.support.small_models import COLOUR_WEIGHTS, append_card
from tests.support.trained_run import KEPT_RUN

if TYPE_CHECKING:
    from tests.support.object_store import ObjectStore

Encode = Callable[..., bytes]


@pytest.fixture(scope="session")
def object_store() -> "Iterator[ObjectStore]":
    """One S3-compatible server for all tests; each test or module makes buckets with names of its own."""
    from tests.support.object_store import start_object_store  # imports boto3, which takes seconds

    with start_object_store() as store:
        yield store


@pytest.fixture(scope="session")
def scene() -> NDArray[np.uint8]:
    """uint8 `[32, 48, 3]` RGB: four corners of four colours, so that every rotation and reflection changes it."""
    pixels = np.empty((32, 48, 3), np.uint8)
    pixels[:16, :24] = (250, 20, 20)
    pixels[:16, 24:] = (20, 250, 20)
    pixels[16:, :24] = (20, 20, 250)
    pixels[16:, 24:] = (240, 240, 60)
    return pixels


@pytest.fixture(scope="session")
def texture() -> NDArray[np.uint8]:
    """uint8 `[96, 128, 3]` RGB noise. It does not compress, so every truncated file lacks pixels."""
    return np.random.default_rng(7).integers(0, 256, (96, 128, 3), dtype=np.uint8)


@pytest.fixture(scope="session")
def encode() -> Encode:
    """`encode(pixels, "PNG", mode="L", **options of Pillow)` returns the bytes of a file."""

    def to_bytes(pixels: NDArray[np.generic], format_name: str, mode: str | None = None, **options: object) -> bytes:
        image = Image.fromarray(np.ascontiguousarray(pixels))
        file = io.BytesIO()
        (image.convert(mode) if mode else image).save(file, format_name, **options)
        return file.getvalue()

    return to_bytes


@pytest.fixture(scope="session")
def png(encode: Encode, scene: NDArray[np.uint8]) -> bytes:
    """A good image."""
    return encode(scene, "PNG")


@pytest.fixture(scope="session")
def classifier(onnx_model: Path) -> Classifier:
    """The trained model through onnxruntime."""
    return Classifier.open(onnx_model, threads=1)


@pytest.fixture(scope="session")
def build_onnx() -> Callable[..., onnx.ModelProto]:
    """A classifier of 8 x 8 images: mean colour, times `weights` `[3, classes]`, softmax. The card is optional.

    With a card, the model also has the blank digest field that `embed_digest` fills in.
    """

    def build(
        weights: NDArray[np.float32], card: ModelCard | None = None, input_type: int = TensorProto.UINT8
    ) -> onnx.ModelProto:
        classes = weights.shape[1]
        nodes = [
            helper.make_node("Cast", ["image"], ["levels"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["levels"], ["mean"], axes=[1, 2], keepdims=0),
            helper.make_node("MatMul", ["mean", "weights"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        ]
        graph = helper.make_graph(
            nodes,
            "mean_colour",
            [helper.make_tensor_value_info("image", input_type, ["batch", 8, 8, 3])],
            [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", classes])],
            [onnx.numpy_helper.from_array(weights, "weights")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        if card:
            helper.set_model_props(model, {CARD_KEY: card.to_json(), DIGEST_KEY: BLANK_DIGEST})
        return model

    return build


@pytest.fixture(scope="session")
def colour_card() -> ModelCard:
    """The card for `build_onnx` with `colour_weights`."""
    return ModelCard(("red", "green", "blue"), Preprocess((8, 8)))


@pytest.fixture(scope="session")
def colour_weights() -> NDArray[np.float32]:
    """With these weights, the strongest colour wins."""
    return COLOUR_WEIGHTS


@pytest.fixture(scope="session")
def colour_model(
    build_onnx: Callable[..., onnx.ModelProto],
    colour_weights: NDArray[np.float32],
    colour_card: ModelCard,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """An ONNX file that names the strongest colour of an image. Quick to open. Read only."""
    path = tmp_path_factory.mktemp("colour") / "model.onnx"
    path.write_bytes(embed_digest(build_onnx(colour_weights, colour_card).SerializeToString()))
    return path


@pytest.fixture(scope="session")
def bare_tflite() -> bytes:
    """The same classifier as TFLite, made by TensorFlow, without a card."""
    return (KEPT_RUN / "colour.tflite").read_bytes()


@pytest.fixture(scope="session")
def tflite_model(bare_tflite: bytes, colour_card: ModelCard, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The TFLite classifier as the exporter writes it: card and digest in an appended zip. Read only."""
    path = tmp_path_factory.mktemp("tflite") / "model.tflite"
    path.write_bytes(embed_digest(append_card(bare_tflite, colour_card.to_json())))
    return path


@pytest.fixture(scope="session")
def keras_model(colour_card: ModelCard, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network inside a network, saved by Keras, with a card and three sample images. Read only."""
    path = tmp_path_factory.mktemp("keras") / "model.keras"
    path.write_bytes((KEPT_RUN / "nested.keras").read_bytes())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(CARD_MEMBER, colour_card.to_json())
        for name in ("calibration/0000-0.png", "calibration/0001-1.png", "verification/0000-2.png"):
            archive.writestr(f"edgeclf/samples/{name}", b"png")
    return path


@pytest.fixture
def colour_files(colour_model: Path, tflite_model: Path, keras_model: Path, tmp_path: Path) -> Path:
    """The test's own folder with copies of the three models and a parity report for two of them."""
    for source in (colour_model, tflite_model, keras_model):
        (tmp_path / source.name).write_bytes(source.read_bytes())
    entries = [
        {
            "file": name,
            "bytes": (tmp_path / name).stat().st_size,
            "images": 40,
            "reference_accuracy": 0.95,
            "accuracy": 0.925,
            "accuracy_95_interval": [0.801, 0.974],
            "agreement": 0.975,
            "max_probability_difference": 0.0123,
        }
        for name in ("model.onnx", "model.tflite")
    ]
    report = {"verified_on": "the validation split", "artifacts": entries, "made_with": {"edgeclf": "0.1.0"}}
    (tmp_path / "model.parity.json").write_text(json.dumps(report))
    return tmp_path
