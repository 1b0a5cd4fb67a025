"""The fastest batch size is found, and batches that do not fit into memory are split."""

import time
from collections.abc import Callable

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from edgeclf.runtime import Classifier, ModelCard
from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.backend import batch_error
from edgeclf.runtime.model.batching import BatchSplitter, best_batch
from edgeclf.runtime.model.digest import embed_digest

MOST = 4


@pytest.fixture(scope="module")
def narrow(
    build_onnx: Callable[..., onnx.ModelProto],
    colour_weights: NDArray[np.float32],
    colour_card: ModelCard,
    tmp_path_factory: pytest.TempPathFactory,
) -> Classifier:
    """The colour model, which fails on batches larger than MOST as if memory were short."""
    model = build_onnx(colour_weights, colour_card)
    graph = model.graph
    graph.initializer.append(helper.make_tensor("zeros", TensorProto.FLOAT, [MOST + 1], [0.0] * (MOST + 1)))
    graph.initializer.append(helper.make_tensor("first", TensorProto.INT64, [1], [0]))
    inner = [
        helper.make_node("Shape", ["image"], ["shape"]),
        helper.make_node("Gather", ["shape", "first"], ["count"]),
        helper.make_node("Gather", ["zeros", "count"], ["nothing"]),  # out of range for a larger batch
        helper.make_node("Add", ["mean", "nothing"], ["checked"]),
    ]
    product = next(node for node in graph.node if node.op_type == "MatMul")
    product.input[0] = "checked"
    nodes = list(graph.node)
    position = nodes.index(product)
    del graph.node[:]
    graph.node.extend([*nodes[:position], *inner, *nodes[position:]])
    path = tmp_path_factory.mktemp("narrow") / "narrow.onnx"
    path.write_bytes(embed_digest(model.SerializeToString()))
    return Classifier.open(path, threads=1)


def colours(count: int) -> NDArray[np.uint8]:
    """uint8 `[count, 8, 8, 3]`, alternating red, green and blue."""
    images = np.zeros((count, 8, 8, 3), np.uint8)
    for number in range(count):
        images[number, ..., number % 3] = 200
    return images


@pytest.mark.parametrize("count", [1, 4, 5, 8, 9, 31])
def test_a_batch_that_does_not_fit_is_split(narrow: Classifier, count: int) -> None:
    answers = BatchSplitter(narrow).probabilities(colours(count))

    assert answers.argmax(1).tolist() == [number % 3 for number in range(count)]


def test_the_split_is_reported_once(narrow: Classifier, capsys: pytest.CaptureFixture[str]) -> None:
    model = BatchSplitter(narrow)
    for _ in range(3):
        model.probabilities(colours(8))

    said = capsys.readouterr().err
    assert (said.count("\n"), "batch of 8" in said, said.rstrip()[-1]) == (1, True, "4")


class Sleeper:
    """A backend that takes a known time per run and per image."""

    engine, device, card_text = "sleeper", "cpu", None
    input_shape = (8, 8, 3)

    def __init__(self, run_s: float, image_s: float) -> None:
        self.run_s, self.image_s = run_s, image_s

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        time.sleep(self.run_s + self.image_s * len(images))
        return np.full((len(images), 3), 1 / 3, np.float32)


def test_a_model_that_fails_on_a_single_image_is_an_error(colour_card: ModelCard) -> None:
    class Broken(Sleeper):
        def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
            raise batch_error(len(images), RuntimeError("out of memory"))

    with pytest.raises(ModelError, match=r"batch of 1 \(out of memory\)"):
        BatchSplitter(Classifier(Broken(0, 0), colour_card)).probabilities(colours(8))


@pytest.mark.parametrize(("run_s", "image_s", "best"), [(0.008, 0.0, {8, 16, 32}), (0.0, 0.008, {1})], ids=["run", "image"])
def test_the_best_batch_is_large_if_a_run_is_expensive_and_1_if_an_image_is(
    run_s: float, image_s: float, best: set[int], colour_card: ModelCard
) -> None:
    assert best_batch(Classifier(Sleeper(run_s, image_s), colour_card), workers=2) in best


class Clock:
    """A GPU with a clock of its own, so that the load of the machine does not matter."""

    engine, device, card_text = "clock", "cuda:0", None
    input_shape = (8, 8, 3)

    def __init__(self, run_s: float) -> None:
        self.run_s, self.now = run_s, 0.0

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.now += self.run_s
        return np.full((len(images), 3), 1 / 3, np.float32)


@pytest.mark.parametrize(
    ("run_s", "best"),
    [(0.02, 256), (0.0009, 32), (0.00004, 1), (0.4, 2)],
    ids=["expensive", "enough", "at once", "no time left"],
)
def test_on_a_gpu_batches_grow_until_the_model_is_not_the_bottleneck(
    run_s: float, best: int, colour_card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu = Clock(run_s)
    monkeypatch.setattr(time, "perf_counter", lambda: gpu.now)

    assert best_batch(Classifier(gpu, colour_card), workers=1) == best


def test_with_tensorrt_no_batch_is_tried(colour_card: ModelCard) -> None:
    class Untouched(Sleeper):
        device = "tensorrt:0"

        def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
            raise AssertionError("each run would build an engine")

    assert best_batch(Classifier(Untouched(0, 0), colour_card), workers=2) == 64


def test_the_best_batch_fits_into_memory(narrow: Classifier) -> None:
    assert best_batch(narrow, workers=2) <= MOST
