"""An adopted TFLite file predicts from uint8 images what the original predicts from what its own tool hands it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from edgeclf.runtime import Classifier
from edgeclf.runtime.errors import ModelError, OptionError
from edgeclf.runtime.model.adoption.adopted import Adopted
from edgeclf.runtime.model.adoption.tflite_surgery import adopt_tflite
from edgeclf.runtime.model.conventions.appended_members import appended_text_members
from edgeclf.runtime.model.conventions.facts import Fact, Facts, Scaling
from edgeclf.runtime.model.conventions.tflite_metadata import read_tflite_metadata
from edgeclf.runtime.model.digest import check_digest
from tests.support.foreign_tflite import Foreign, changed, quantised, with_metadata

PATH = Path("net.tflite")
IMAGES = np.random.default_rng(3).integers(0, 256, (7, 8, 8, 3), np.uint8)
PLAIN = Scaling((0.0,), (255.0,))
SCALINGS = [PLAIN, Scaling((127.5,), (127.5,)), Scaling((123.7, 116.3, 103.5), (58.4, 57.1, 57.4)), Scaling((0.0,), (1.0,))]


def facts(classes: int, scaling: Scaling | None = PLAIN, channels: str = "rgb", **more: Any) -> Facts:
    named = Fact(tuple(f"class {number}" for number in range(classes)), "labels.txt")
    known = Fact(scaling, "config.json") if scaling else None
    return Facts(classes=named, scaling=known, channels=Fact(channels, "config.json"), **more)  # type: ignore[arg-type]


def original(data: bytes, images: NDArray[Any]) -> NDArray[np.float32]:
    """What the file returns for images as it takes them, one by one; real numbers for levels."""
    interpreter = Interpreter(model_content=data)
    image, output = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    interpreter.resize_tensor_input(image["index"], (1, *images.shape[1:]))
    interpreter.allocate_tensors()
    rows = []
    for one in images:
        interpreter.set_tensor(image["index"], np.ascontiguousarray(one[None]).astype(image["dtype"]))
        interpreter.invoke()
        rows.append(interpreter.get_tensor(output["index"]).reshape(-1).astype(np.float32))
    scale, zero_point = output["quantization"]
    found = np.stack(rows)
    real: NDArray[np.float32] = (found - np.float32(zero_point)) * np.float32(scale) if scale else found
    return real


def opened(adopted: Adopted, folder: Path) -> Classifier:
    path = folder / "adopted.tflite"
    path.write_bytes(adopted.data)
    check_digest(path, adopted.data)
    classifier = Classifier.open(path)
    assert classifier.card == adopted.card
    return classifier


def scaled(scaling: Scaling, images: NDArray[np.uint8] = IMAGES) -> NDArray[np.float32]:
    return np.asarray((images - np.array(scaling.mean)) / np.array(scaling.std), np.float32)


def softmax(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    raised = np.exp(scores - scores.max(1, keepdims=True))
    return np.asarray(raised / raised.sum(1, keepdims=True), np.float32)


@pytest.mark.parametrize("channels", ["rgb", "bgr"])
@pytest.mark.parametrize("channels_first", [False, True])
@pytest.mark.parametrize("scaling", SCALINGS, ids=["0..1", "-1..1", "imagenet", "none"])
def test_a_float_network_predicts_the_same(scaling: Scaling, channels_first: bool, channels: str, tmp_path: Path) -> None:
    data = Foreign(channels_first=channels_first).to_bytes()
    taken = scaled(scaling, IMAGES[..., ::-1] if channels == "bgr" else IMAGES)
    expected = original(data, taken.transpose(0, 3, 1, 2) if channels_first else taken)

    adopted = adopt_tflite(PATH, data, facts(3, scaling, channels), {"from": "net.tflite"})

    assert (adopted.one_by_one, adopted.card.training) == (False, {"from": "net.tflite"})
    np.testing.assert_allclose(opened(adopted, tmp_path).probabilities(IMAGES), expected, atol=1e-6)


def test_a_graph_for_one_image_is_run_image_by_image(tmp_path: Path) -> None:
    data = Foreign(fixed_batch=True).to_bytes()

    adopted = adopt_tflite(PATH, data, facts(3), {})

    assert adopted.one_by_one
    np.testing.assert_allclose(opened(adopted, tmp_path).probabilities(IMAGES), original(data, scaled(PLAIN)), atol=1e-6)


@pytest.mark.parametrize("output", [None, (1, 3, 1, 1), (1, 1, 1, 3), (3,)])
def test_scores_of_any_shape_become_probabilities(output: tuple[int, ...] | None, tmp_path: Path) -> None:
    data = Foreign(head="", output=output).to_bytes()

    got = opened(adopt_tflite(PATH, data, facts(3, SCALINGS[3], head=Fact("logits", "timm")), {}), tmp_path)

    np.testing.assert_allclose(got.probabilities(IMAGES), softmax(original(data, scaled(SCALINGS[3]))), atol=1e-6)


@pytest.mark.parametrize("head", ["LOGISTIC", ""])
def test_one_unit_becomes_two_columns(head: str, tmp_path: Path) -> None:
    weights = np.array([[0.5, -0.3, 0.1]], np.float32)
    second = original(Foreign(weights, head="LOGISTIC").to_bytes(), scaled(PLAIN))

    known = facts(2, head=None if head else Fact("logits", "--head"))

    got = opened(adopt_tflite(PATH, Foreign(weights, head=head).to_bytes(), known, {}), tmp_path)

    np.testing.assert_allclose(got.probabilities(IMAGES), np.hstack([1 - second, second]), atol=1e-6)


def test_a_grey_network_of_any_size_takes_the_size_that_is_known(tmp_path: Path) -> None:
    data = Foreign(np.array([[0.1], [0.2]], np.float32), open_size=True).to_bytes()
    known = facts(2, size_hw=Fact((6, 5), "--imgsz"))
    images = IMAGES[:, :6, :5, :1]

    got = opened(adopt_tflite(PATH, data, known, {}), tmp_path)

    assert got.backend.input_shape == (6, 5, 1)
    np.testing.assert_allclose(got.probabilities(images), original(data, scaled(PLAIN, images)), atol=1e-6)


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_a_quantised_network_whose_levels_are_those_of_the_image_stays_as_it_is(dtype: str, tmp_path: Path) -> None:
    data = quantised(dtype=dtype)
    expected = original(data, IMAGES.astype(int) - (128 if dtype == "int8" else 0))

    adopted = adopt_tflite(PATH, data, facts(4, None), {})

    np.testing.assert_array_equal(opened(adopted, tmp_path).probabilities(IMAGES), expected)


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_other_levels_are_in_the_card(dtype: str, tmp_path: Path) -> None:
    """The network takes -2 to 2 by 256 levels, and its training took -1 to 1."""
    steps = (4 / 255, 128 if dtype == "uint8" else 0)
    data = quantised(dtype=dtype, steps=steps)
    levels = np.rint((IMAGES / 127.5 - 1) / steps[0] + steps[1]).astype(np.int64)

    adopted = adopt_tflite(PATH, data, facts(4, Scaling((127.5,), (127.5,))), {})

    classifier = opened(adopted, tmp_path)
    prepared = np.stack([classifier.card.preprocess(image) for image in IMAGES])
    np.testing.assert_array_equal(classifier.probabilities(prepared), original(data, levels))


@pytest.mark.parametrize("channels", ["rgb", "bgr"])
def test_quantised_scores_become_probabilities(channels: str, tmp_path: Path) -> None:
    data = quantised("scores")
    expected = softmax(original(data, IMAGES[..., ::-1] if channels == "bgr" else IMAGES))

    adopted = adopt_tflite(PATH, data, facts(4, None, channels), {})

    np.testing.assert_allclose(opened(adopted, tmp_path).probabilities(IMAGES), expected, atol=1e-6)


def test_metadata_and_labels_stay_in_the_file(tmp_path: Path) -> None:
    data = with_metadata(Foreign().to_bytes(), [127.5], [127.5], b"ants\nbees\ncats\n", color_space=1)
    known = read_tflite_metadata(data)

    adopted = adopt_tflite(PATH, data, known, {})

    assert read_tflite_metadata(adopted.data) == known
    assert list(appended_text_members(adopted.data)) == ["labels.txt", "edgeclf/card.json"]
    assert opened(adopted, tmp_path).card.classes == ("ants", "bees", "cats")


def test_the_input_and_the_output_have_the_names_of_the_contract() -> None:
    adopted = adopt_tflite(PATH, Foreign().to_bytes(), facts(3), {})

    signature = Interpreter(model_content=adopted.data).get_signature_runner()
    assert list(signature.get_input_details()) == ["image"]
    assert list(signature.get_output_details()) == ["probabilities"]


@pytest.mark.parametrize(
    ("known", "problem"),
    [
        (replace(facts(3), scaling=None), "the range of pixels that net.tflite takes is unknown; name it with --scale"),
        (facts(3, Scaling((1.0, 2.0), (1.0,))), "the mean has 2 numbers, but net.tflite takes images of 3 channels"),
        (facts(3, Scaling((0.0,), (0.0,))), "std above 0"),
        (facts(4), "returns 3 scores, but labels.txt names 4"),
        (replace(facts(3), classes=None), "classes of net.tflite are unknown; .*--classes"),
    ],
)
def test_facts_that_are_missing_or_wrong_are_named(known: Facts, problem: str) -> None:
    with pytest.raises(OptionError, match=problem):
        adopt_tflite(PATH, Foreign().to_bytes(), known, {})


def test_a_file_with_a_card_is_not_adopted_again() -> None:
    adopted = adopt_tflite(PATH, Foreign().to_bytes(), facts(3), {})

    with pytest.raises(ModelError, match="card already"):
        adopt_tflite(PATH, adopted.data, facts(3), {})


def test_a_graph_for_several_images_is_refused() -> None:
    def for_four(model: Any) -> None:
        model.subgraphs[0].tensors[0].shape = np.array([4, 8, 8, 3], np.int32)
        constant = next(tensor for tensor in model.subgraphs[0].tensors if list(tensor.shape) == [2] and tensor.buffer > 1)
        model.buffers[constant.buffer].data = np.frombuffer(np.array([4, 3], np.int32).tobytes(), np.uint8)

    with pytest.raises(ModelError, match="does not run on single images"):
        adopt_tflite(PATH, changed(Foreign(fixed_batch=True).to_bytes(), for_four), facts(3), {})
