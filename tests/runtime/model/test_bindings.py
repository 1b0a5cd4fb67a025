"""I/O binding on the CPU: it never changes the answers, for any batch, thread or model."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from edgeclf.runtime import Classifier, ModelCard
from edgeclf.runtime.model.bindings import Bindings, working_bindings
from edgeclf.runtime.model.prediction import Prediction
from edgeclf.runtime.model.providers import open_session, try_providers
from edgeclf.runtime.outcomes import classify
from edgeclf.runtime.sources.source import open_source

Pixels = NDArray[np.uint8]


def open_on_cpu(path: Path) -> ort.InferenceSession:
    return open_session(path, path.read_bytes(), "cpu", 1)


@pytest.fixture
def session(colour_model: Path) -> ort.InferenceSession:
    return open_on_cpu(colour_model)


@pytest.fixture
def bindings(session: ort.InferenceSession) -> Bindings:
    return Bindings(session, "cpu")


def noise(seed: int, count: int) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 3), np.uint8)


def unbound(session: ort.InferenceSession, images: Pixels) -> NDArray[np.float32]:
    return np.asarray(session.run(None, {"image": images})[0])


def test_binding_does_not_change_the_answers(session: ort.InferenceSession, bindings: Bindings) -> None:
    batches = [noise(seed, count) for seed, count in enumerate([1, 1, 4, 4, 9, 2, 9, 1, 30])]

    for images in batches:
        np.testing.assert_array_equal(bindings.run(images), unbound(session, images))


def test_answers_are_not_overwritten_by_the_next_batch(session: ort.InferenceSession, bindings: Bindings) -> None:
    first = bindings.run(noise(1, 4))
    bindings.run(noise(2, 4))

    np.testing.assert_array_equal(first, unbound(session, noise(1, 4)))


def test_each_thread_gets_its_own_answers(session: ort.InferenceSession, bindings: Bindings) -> None:
    def differences(thread: int) -> int:
        batches = (noise(1000 * thread + number, 1 + (thread + number) % 7) for number in range(100))
        return sum(not np.array_equal(bindings.run(images), unbound(session, images)) for images in batches)

    with ThreadPoolExecutor(8) as executor:
        assert list(executor.map(differences, range(8))) == [0] * 8


def test_two_models_in_one_thread_do_not_mix(
    session: ort.InferenceSession, bindings: Bindings, build_onnx: Callable[..., onnx.ModelProto], tmp_path: Path
) -> None:
    path = tmp_path / "two.onnx"
    path.write_bytes(build_onnx(np.ones((3, 2), np.float32) * np.float32([0.1, -0.1])).SerializeToString())
    other = open_on_cpu(path)
    others = Bindings(other, "cpu")

    for seed in range(4):
        np.testing.assert_array_equal(bindings.run(noise(seed, 5)), unbound(session, noise(seed, 5)))
        np.testing.assert_array_equal(others.run(noise(seed, 5)), unbound(other, noise(seed, 5)))


def test_non_contiguous_images_are_accepted(session: ort.InferenceSession, bindings: Bindings) -> None:
    images = noise(0, 12)[::3]
    np.testing.assert_array_equal(bindings.run(images), unbound(session, np.ascontiguousarray(images)))


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((2, 8, 8, 3), np.float32), np.zeros((2, 9, 8, 3), np.uint8), np.zeros((2, 8, 8), np.uint8)],
    ids=["type", "height", "axes"],
)
def test_a_wrong_batch_is_refused_and_the_next_one_works(
    wrong: NDArray[np.generic], session: ort.InferenceSession, bindings: Bindings
) -> None:
    bindings.run(noise(0, 2))

    with pytest.raises((TypeError, ValueError)):
        bindings.run(wrong)  # type: ignore[arg-type]

    np.testing.assert_array_equal(bindings.run(noise(1, 2)), unbound(session, noise(1, 2)))


class BoundBackend:
    """Like OnnxBackend on a GPU."""

    engine, device, card_text = "bound", "cpu", None
    input_shape = (8, 8, 3)

    def __init__(self, session: ort.InferenceSession) -> None:
        self._bindings = Bindings(session, "cpu")

    def run(self, images: Pixels) -> NDArray[np.float32]:
        return self._bindings.run(images)


def test_the_pipelines_workers_share_a_bound_session(
    session: ort.InferenceSession, colour_model: Path, colour_card: ModelCard, image_folder: Path
) -> None:
    def answers(classifier: Classifier) -> Iterator[NDArray[np.float32]]:
        outcomes = classify(open_source(str(image_folder)), classifier, workers=4, batch=7)
        return (outcome.result.probabilities for outcome in outcomes if isinstance(outcome.result, Prediction))

    bound = list(answers(Classifier(BoundBackend(session), colour_card)))

    np.testing.assert_array_equal(bound, list(answers(Classifier.open(colour_model))))
    assert len(bound) == 60


def test_working_bindings_are_used(session: ort.InferenceSession, capsys: pytest.CaptureFixture[str]) -> None:
    assert working_bindings(session, "cpu") is not None
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(not try_providers()["CUDAExecutionProvider"], reason="CUDA starts here")
def test_failing_bindings_are_dropped_with_a_note(session: ort.InferenceSession, capsys: pytest.CaptureFixture[str]) -> None:
    assert working_bindings(session, "cuda:0") is None
    assert capsys.readouterr().err.startswith("I/O binding does not work on cuda:0 (")


def test_bindings_that_change_the_answers_are_dropped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nodes = [
        helper.make_node("Cast", ["image"], ["levels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["levels"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("RandomUniformLike", ["mean"], ["probabilities"]),  # another answer every time
    ]
    images = helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", 8, 8, 3])
    answers = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 3])
    graph = helper.make_graph(nodes, "random", [images], [answers])
    path = tmp_path / "random.onnx"
    path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString())

    assert working_bindings(open_on_cpu(path), "cpu") is None
    assert "it changes the predictions" in capsys.readouterr().err
