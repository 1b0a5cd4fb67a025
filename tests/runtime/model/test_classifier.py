"""`Classifier` is right, gives the same answers in batches and threads, and refuses an unusable model."""

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from PIL import Image

from edgeclf.runtime import Classifier, ImageError, ModelCard, Preprocess
from edgeclf.runtime.errors import DeviceError, ModelError, OptionError
from edgeclf.runtime.model.digest import BLANK_DIGEST, DIGEST_KEY, embed_digest

ARTEFACTS = ("model.onnx", "model.fp32.tflite", "model.fp16.tflite", "model.dynamic.tflite", "model.int8.tflite")
BuildOnnx = Callable[..., onnx.ModelProto]


@pytest.mark.parametrize("artefact", ARTEFACTS)
@pytest.mark.parametrize("label", ["disc", "square"])
def test_training_images_get_their_class(label: str, artefact: str, run_folder: Path, image_folder: Path) -> None:
    opened = Classifier.open(run_folder / artefact)

    answers = opened.predict(sorted((image_folder / label).iterdir()))

    assert sum(answer.label == label for answer in answers) >= 28


@pytest.mark.parametrize("artefact", ARTEFACTS)
def test_probabilities_sum_to_one(artefact: str, run_folder: Path, image_folder: Path) -> None:
    answers = Classifier.open(run_folder / artefact).predict(sorted(image_folder.rglob("*.png")))

    rounding = 1 / 256 if artefact == "model.int8.tflite" else 1e-5
    np.testing.assert_allclose([answer.probabilities.sum() for answer in answers], 1, atol=rounding)


@pytest.mark.parametrize("artefact", ARTEFACTS)
def test_a_batch_gives_the_same_answers_as_single_images(artefact: str, run_folder: Path, image_folder: Path) -> None:
    opened = Classifier.open(run_folder / artefact)
    some = sorted(image_folder.rglob("*.png"))[20:40]

    together = [answer.probabilities for answer in opened.predict(some)]

    np.testing.assert_allclose(together, [opened.predict(path).probabilities for path in some], atol=1e-6)


@pytest.mark.parametrize("artefact", ARTEFACTS)
def test_eight_threads_get_the_same_answers_as_one(artefact: str, run_folder: Path, image_folder: Path) -> None:
    opened = Classifier.open(run_folder / artefact, threads=1)
    some = sorted(image_folder.rglob("*.png")) * 4
    expected = [opened.predict(path).probabilities for path in some]

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(opened.predict, some))

    np.testing.assert_array_equal([answer.probabilities for answer in answers], expected)


@pytest.mark.parametrize("artefact", ["model.onnx", "model.int8.tflite"])
def test_threads_with_changing_batch_sizes_get_the_same_answers_as_one(
    artefact: str, run_folder: Path, classifier: Classifier
) -> None:
    opened = Classifier.open(run_folder / artefact, threads=1)
    images = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    parts = [images[start : start + size] for size in (1, 3, 2, 5, 4) for start in range(0, 35, size)]
    expected = [opened.probabilities(part) for part in parts]

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(opened.probabilities, parts))

    np.testing.assert_allclose(np.concatenate(answers), np.concatenate(expected), atol=1e-6)


def test_a_path_bytes_and_an_array_get_the_same_answer(classifier: Classifier, image_folder: Path) -> None:
    path = next(image_folder.rglob("*.png"))
    pixels = Preprocess((48, 64))(path)

    answers = classifier.predict([path, str(path), path.read_bytes(), pixels])

    np.testing.assert_array_equal([answer.probabilities for answer in answers], answers[0].probabilities[None].repeat(4, 0))


def test_an_empty_batch_gets_no_answers(classifier: Classifier) -> None:
    assert classifier.predict([]) == []


def test_a_bad_image_is_an_image_error(classifier: Classifier) -> None:
    with pytest.raises(ImageError, match="not_an_image"):
        classifier.predict(b"no image")


def test_colours_are_red_green_blue(colour_model: Path) -> None:
    opened = Classifier.open(colour_model)
    pure = [np.full((8, 8, 3), 200 * row, np.uint8) for row in np.eye(3, dtype=np.uint8)]

    assert [answer.label for answer in opened.predict(pure)] == ["red", "green", "blue"]


@pytest.mark.parametrize("name", ["model.onnx", "model.int8.tflite"])
def test_a_path_and_a_string_open_the_same_model(name: str, run_folder: Path) -> None:
    assert Classifier.open(str(run_folder / name)).card == Classifier.open(run_folder / name).card


@pytest.mark.parametrize("device", ["gpu", "CPU", "cuda:", "cuda:a", "", "cpu:0", "cuda:0 ", "tensorrt:", "trt"])
def test_an_unknown_device_is_an_option_error(device: str, onnx_model: Path) -> None:
    with pytest.raises(OptionError, match=r"there is no device "):
        Classifier.open(onnx_model, device=device)


@pytest.mark.parametrize("device", ["cuda", "cuda:0", "cuda:7", "tensorrt", "tensorrt:1"])
def test_litert_on_cuda_is_a_device_error(device: str, int8_model: Path) -> None:
    with pytest.raises(DeviceError, match="CPU only"):
        Classifier.open(int8_model, device=device)


@pytest.mark.parametrize("device", ["auto", "cpu"])
@pytest.mark.parametrize("artefact", ["model.onnx", "model.int8.tflite"])
def test_the_backend_names_its_device_and_engine(artefact: str, device: str, run_folder: Path) -> None:
    backend = Classifier.open(run_folder / artefact, device=device).backend

    assert backend.device == "cpu" or device == "auto"
    assert backend.engine.startswith(("onnxruntime ", "LiteRT "))


def test_a_given_card_replaces_the_embedded_one(colour_model: Path) -> None:
    card = ModelCard(("rouge", "vert", "bleu"), Preprocess((8, 8)))

    assert Classifier.open(colour_model, card=card).predict(np.full((4, 4, 3), (200, 0, 0), np.uint8)).label == "rouge"


def test_a_model_without_a_card_names_the_flags_to_use(
    build_onnx: BuildOnnx, colour_weights: NDArray[np.float32], tmp_path: Path
) -> None:
    path = tmp_path / "bare.onnx"
    path.write_bytes(build_onnx(colour_weights).SerializeToString())

    with pytest.raises(ModelError, match=r"no model card.* --classes labels\.txt$"):
        Classifier.open(path)


def test_a_model_without_a_card_works_with_a_given_one(
    build_onnx: BuildOnnx, colour_weights: NDArray[np.float32], colour_card: ModelCard, tmp_path: Path
) -> None:
    path = tmp_path / "bare.onnx"
    path.write_bytes(build_onnx(colour_weights).SerializeToString())

    opened = Classifier.open(path, card=colour_card)

    assert opened.predict(np.full((4, 4, 3), (0, 0, 200), np.uint8)).label == "blue"


@pytest.mark.parametrize(
    ("card", "keywords"),
    [
        (ModelCard(("a", "b"), Preprocess((8, 8))), "3 probabilities, .* 2 classes"),
        (ModelCard(("a", "b", "c"), Preprocess((9, 8))), r"\[8, 8, 3\] .*card makes \[9, 8, 3\]"),
        (ModelCard(("a", "b", "c"), Preprocess((8, 8), 1)), r"\[8, 8, 3\] .*card makes \[8, 8, 1\]"),
    ],
    ids=["classes", "size", "channels"],
)
def test_a_card_that_does_not_fit_the_model_is_refused(card: ModelCard, keywords: str, colour_model: Path) -> None:
    with pytest.raises(ModelError, match=keywords):
        Classifier.open(colour_model, card=card)


@pytest.mark.parametrize("card_text", ["{", '{"schema": 2}', "\ud83d"[:0]], ids=["damaged", "newer-schema", "empty"])
def test_an_error_in_the_card_names_the_file(
    card_text: str, build_onnx: BuildOnnx, colour_weights: NDArray[np.float32], tmp_path: Path
) -> None:
    model = build_onnx(colour_weights)
    onnx.helper.set_model_props(model, {"edgeclf.card": card_text, DIGEST_KEY: BLANK_DIGEST})
    path = tmp_path / "bad_card.onnx"
    path.write_bytes(embed_digest(model.SerializeToString()))

    with pytest.raises(ModelError, match=r"bad_card\.onnx: its card"):
        Classifier.open(path)


@pytest.mark.parametrize("suffix", [".onnx", ".tflite"])
@pytest.mark.parametrize("data", [b"", b"hello, I am a text\n", bytes(2000)], ids=["empty", "text", "zeros"])
def test_a_file_of_another_kind_is_a_model_error(suffix: str, data: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"model{suffix}"
    path.write_bytes(data)

    with pytest.raises(ModelError, match=f"model{suffix}"):
        Classifier.open(path)


@pytest.mark.parametrize("name", ["model.onnx", "model.tflite"])
def test_a_pointer_of_git_lfs_is_named_as_such(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 132\n")

    with pytest.raises(ModelError, match=r"pointer of Git LFS.* git lfs pull"):
        Classifier.open(tmp_path / name)


@pytest.mark.parametrize("artefact", ["model.onnx", "model.int8.tflite"])
@pytest.mark.parametrize("tenth", range(1, 10))
def test_a_truncated_model_is_a_model_error(artefact: str, tenth: int, run_folder: Path, tmp_path: Path) -> None:
    data = (run_folder / artefact).read_bytes()
    path = tmp_path / artefact
    path.write_bytes(data[: len(data) * tenth // 10])

    with pytest.raises(ModelError):
        Classifier.open(path)


@pytest.mark.parametrize(("source", "target"), [("model.onnx", "x.tflite"), ("model.int8.tflite", "x.onnx")])
def test_a_model_with_the_wrong_suffix_is_a_model_error(source: str, target: str, run_folder: Path, tmp_path: Path) -> None:
    shutil.copy(run_folder / source, tmp_path / target)

    with pytest.raises(ModelError):
        Classifier.open(tmp_path / target)


def test_a_keras_file_is_sent_to_clf_export(run_folder: Path) -> None:
    with pytest.raises(ModelError, match=r"clf-export .*model\.keras"):
        Classifier.open(run_folder / "model.keras")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.onnx", r"missing\.onnx does not exist"),
        ("folder.onnx", r"folder\.onnx is a folder"),
        ("pipe.onnx", r"pipe\.onnx is not a file"),
        ("loop.onnx", r"cannot read .*loop\.onnx"),
        ("huge.onnx", r"huge\.onnx is larger than 2 GB"),
    ],
)
def test_an_unreadable_path_is_a_model_error(name: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "folder.onnx").mkdir()
    (tmp_path / "loop.onnx").symlink_to(tmp_path / "loop.onnx")
    os.mkfifo(tmp_path / "pipe.onnx")
    with open(tmp_path / "huge.onnx", "wb") as file:
        file.truncate(3 << 30)

    with pytest.raises(ModelError, match=message):
        Classifier.open(tmp_path / name)


def test_a_list_of_any_kinds_of_image_gets_a_list_of_answers(classifier: Classifier, image_folder: Path) -> None:
    paths = sorted(image_folder.rglob("*.png"))[::2]
    kinds = [Path, str, Path.read_bytes, Preprocess((48, 64)), Image.open]
    images = [kinds[number % len(kinds)](path) for number, path in enumerate(paths * 2)]  # type: ignore[operator]

    answers = classifier.predict(images)

    assert [answer.label for answer in answers] == [path.parent.name for path in paths] * 2
    assert len(classifier.predict(tuple(paths))) == len(paths)


def test_a_list_takes_few_runs_of_the_model(onnx_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Classifier.open(onnx_model)
    sizes: list[int] = []
    run = opened.backend.run
    monkeypatch.setattr(opened.backend, "run", lambda batch: (sizes.append(len(batch)), run(batch))[1])

    opened.predict([np.zeros((48, 64, 3), np.uint8)] * 40)

    assert sizes == [32, 8]


def test_the_image_that_cannot_be_read_is_named(classifier: Classifier, image_folder: Path) -> None:
    with pytest.raises(ImageError) as caught:
        classifier.predict([next(image_folder.rglob("*.png")), "nothing.png"])

    assert caught.value.__notes__ == ["image: 'nothing.png'"]


@pytest.mark.parametrize("image", [3, None, {"a": 1}], ids=str)
def test_what_is_no_image_is_an_option_error(image: object, classifier: Classifier) -> None:
    with pytest.raises(OptionError, match=f"an image is a path.*not '{type(image).__name__}'"):
        classifier.predict(image)  # type: ignore[call-overload]
