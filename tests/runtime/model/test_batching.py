"""Batches: the quickest size is found, and what does not fit into memory is answered all the same."""

import time
from collections.abc import Callable
from pathlib import Path

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


@pytest.fixture
def narrow(
    build_onnx: Callable[..., onnx.ModelProto],
    colour_weights: NDArray[np.float32],
    colour_card: ModelCard,
    tmp_path: Path,
) -> Classifier:
    """The colour model, which fails on batches of more than MOST as if the memory were too small."""
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
    path = tmp_path / "narrow.onnx"
    path.write_bytes(embed_digest(model.SerializeToString()))
    return Classifier.open(path, threads=1)


def colours(count: int) -> NDArray[np.uint8]:
    """Red, green and blue in turn: uint8 `[count, 8, 8, 3]`."""
    images = np.zeros((count, 8, 8, 3), np.uint8)
    for number in range(count):
        images[number, ..., number % 3] = 200
    return images


@pytest.mark.parametrize("count", [1, 4, 5, 8, 9, 31])
def test_a_batch_that_does_not_fit_is_answered_in_halves(narrow: Classifier, count: int) -> None:
    answers = BatchSplitter(narrow).probabilities(colours(count))

    assert answers.argmax(1).tolist() == [number % 3 for number in range(count)]


def test_it_is_said_once(narrow: Classifier, capsys: pytest.CaptureFixture[str]) -> None:
    model = BatchSplitter(narrow)
    for _ in range(3):
        model.probabilities(colours(8))

    assert capsys.readouterr().err == "a batch of 8 does not fit into memory; going on with 4\n"


class Sleeper:
    """A backend whose time is known: so much for a run, and so much for each image of it."""

    engine, device, card_text = "sleeper", "cpu", None
    input_shape = (8, 8, 3)

    def __init__(self, run_s: float, image_s: float) -> None:
        self.run_s, self.image_s = run_s, image_s

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        time.sleep(self.run_s + self.image_s * len(images))
        return np.full((len(images), 3), 1 / 3, np.float32)


def test_where_not_even_one_image_can_be_answered_the_error_goes_on(colour_card: ModelCard) -> None:
    class Broken(Sleeper):
        def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
            raise batch_error(len(images), RuntimeError("out of memory"))

    with pytest.raises(ModelError, match=r"cannot answer a batch of 1 \(out of memory\)"):
        BatchSplitter(Classifier(Broken(0, 0), colour_card)).probabilities(colours(8))


@pytest.mark.parametrize(("run_s", "image_s", "best"), [(0.008, 0.0, {8, 16, 32}), (0.0, 0.008, {1})], ids=["run", "image"])
def test_the_best_batch_is_large_where_the_run_is_dear_and_not_the_image(
    run_s: float, image_s: float, best: set[int], colour_card: ModelCard
) -> None:
    assert best_batch(Classifier(Sleeper(run_s, image_s), colour_card), workers=2) in best


class Clock:
    """A GPU whose runs cost exactly so much time of the clock, whatever the machine is busy with."""

    engine, device, card_text = "clock", "cuda:0", None
    input_shape = (8, 8, 3)

    def __init__(self, run_s: float) -> None:
        self.run_s, self.now = run_s, 0.0

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.now += self.run_s
        return np.full((len(images), 3), 1 / 3, np.float32)


@pytest.mark.parametrize(
    ("run_s", "best"), [(0.02, 256), (0.0009, 32), (0.00004, 1), (0.4, 2)], ids=["dear", "enough", "at once", "no time left"]
)
def test_on_a_gpu_batches_grow_until_the_model_is_not_what_takes_the_time(
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


def test_the_best_batch_is_one_that_fits(narrow: Classifier) -> None:
    assert best_batch(narrow, workers=2) <= MOST
