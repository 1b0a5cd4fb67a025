"""`SHA256SUMS` beside a model is believed, and so is the digest inside one that was copied alone."""

import hashlib
import io
import shutil
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from edgeclf.runtime import Classifier, ModelCard
from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.card import CARD_MEMBER
from edgeclf.runtime.model.digest import (
    BLANK_DIGEST,
    DIGEST_KEY,
    SUMS_NAME,
    check_digest,
    content_digest,
    embed_digest,
    embedded_digest,
    format_sums,
    read_sums,
)

DATA = b"a model"
DIGEST = hashlib.sha256(DATA).hexdigest()


def append_card(tflite: bytes, card_text: str, comment: bytes = f"{DIGEST_KEY}:{BLANK_DIGEST}".encode()) -> bytes:
    """A `.tflite` file as the exporter makes it: a zip behind it with the card, and the digest as the zip's comment."""
    file = io.BytesIO()
    file.write(tflite)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(CARD_MEMBER, card_text)
        archive.comment = comment
    return file.getvalue()


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@pytest.fixture(scope="module")
def sealed_onnx(colour_model: Path) -> bytes:
    return colour_model.read_bytes()


@pytest.fixture(scope="module")
def sealed_tflite(colour_card: ModelCard, colour_weights: NDArray[np.float32]) -> bytes:
    """The colour model once more, through TensorFlow's converter."""

    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.uint8, "image")])  # type: ignore[untyped-decorator]
    def answer(image: tf.Tensor) -> tf.Tensor:
        return tf.nn.softmax(tf.linalg.matmul(tf.reduce_mean(tf.cast(image, tf.float32), [1, 2]), colour_weights))

    converter = tf.lite.TFLiteConverter.from_concrete_functions([answer.get_concrete_function()], answer)
    return embed_digest(append_card(bytes(converter.convert()), colour_card.to_json()))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(DATA)
    return path


def test_listed_file_with_its_digest_passes(model: Path) -> None:
    model.with_name(SUMS_NAME).write_text(format_sums({model.name: DIGEST}))

    check_digest(model, DATA)


def test_listed_file_with_another_digest_is_refused(model: Path) -> None:
    model.with_name(SUMS_NAME).write_text(format_sums({model.name: DIGEST}))

    with pytest.raises(ModelError, match=r"model\.onnx is not the file that SHA256SUMS beside it describes"):
        check_digest(model, b"b model")


def test_file_without_sums_beside_it_passes(model: Path) -> None:
    check_digest(model, DATA)


def test_file_that_is_not_listed_passes(model: Path) -> None:
    model.with_name(SUMS_NAME).write_text(format_sums({"other.onnx": "0" * 64}))

    check_digest(model, DATA)


@pytest.mark.parametrize(
    "line",
    [f"{DIGEST}  model.onnx\n", f"{DIGEST} *model.onnx\n", f"{DIGEST}  model.onnx\r\n", f"{DIGEST.upper()}  model.onnx\n"],
    ids=["text", "binary", "crlf", "upper-case"],
)
def test_every_spelling_of_sha256sum_is_understood(line: str, model: Path) -> None:
    model.with_name(SUMS_NAME).write_bytes(line.encode())

    check_digest(model, DATA)
    with pytest.raises(ModelError):
        check_digest(model, b"b model")


def test_sums_are_what_sha256sum_checks(model: Path) -> None:
    (model.with_name(SUMS_NAME)).write_text(format_sums({model.name: DIGEST}))

    subprocess.run(["sha256sum", "-c", "--status", "--strict", SUMS_NAME], cwd=model.parent, check=True)


def test_sums_are_read_as_they_were_written(tmp_path: Path) -> None:
    digests = {"model.onnx": DIGEST, "a b.tflite": "1" * 64}
    (tmp_path / SUMS_NAME).write_text(format_sums(digests))

    assert read_sums(tmp_path / SUMS_NAME) == digests


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\0garbage", b"one-word\n"], ids=["empty", "binary", "words"])
def test_sums_that_are_none_say_nothing(content: bytes, model: Path) -> None:
    model.with_name(SUMS_NAME).write_bytes(content)

    check_digest(model, DATA)


@pytest.mark.parametrize("name", ["model.onnx", "model.int8.tflite"])
def test_exported_model_with_one_flipped_bit_is_refused(name: str, run_folder: Path, tmp_path: Path) -> None:
    shutil.copy(run_folder / SUMS_NAME, tmp_path)
    data = bytearray((run_folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / name).write_bytes(data)

    with pytest.raises(ModelError, match=SUMS_NAME):
        Classifier.open(tmp_path / name)


def test_seal_fills_the_field_and_changes_nothing_else(sealed_onnx: bytes) -> None:
    digest = embedded_digest(sealed_onnx)
    assert digest is not None
    blank = sealed_onnx.replace(digest.encode(), BLANK_DIGEST.encode())

    assert (embed_digest(blank), embedded_digest(blank)) == (sealed_onnx, BLANK_DIGEST)
    assert digest == hashlib.sha256(blank).hexdigest() == content_digest(sealed_onnx)


def test_sealed_onnx_is_still_an_onnx_model_with_the_digest_as_metadata(sealed_onnx: bytes) -> None:
    model = onnx.load_from_string(sealed_onnx)

    onnx.checker.check_model(model, full_check=True)
    assert {entry.key: entry.value for entry in model.metadata_props}[DIGEST_KEY] == embedded_digest(sealed_onnx)


def test_sealed_tflite_is_still_a_zip_with_the_digest_as_comment(sealed_tflite: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(sealed_tflite)) as archive:
        assert archive.testzip() is None
        assert archive.comment.decode() == f"{DIGEST_KEY}:{embedded_digest(sealed_tflite)}"


def test_the_digest_is_the_last_field_whatever_the_card_says() -> None:
    data = embed_digest(append_card(b"TFL3", f'{{"training": "{DIGEST_KEY}:{"1" * 64}"}}'))

    assert embedded_digest(data) == content_digest(data) != "1" * 64


@pytest.mark.parametrize("data", [b"", b"a model", b"edgeclf.sha256:0000"], ids=["empty", "none", "cut"])
def test_what_has_no_field_cannot_be_sealed(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"no blank edgeclf\.sha256 field"):
        embed_digest(data)


def test_what_is_sealed_is_not_sealed_again(sealed_onnx: bytes) -> None:
    with pytest.raises(ValueError, match="no blank"):
        embed_digest(flipped(sealed_onnx, 100))


@pytest.mark.parametrize("name", ["sealed_onnx", "sealed_tflite"])
def test_a_model_copied_alone_is_opened(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    path = tmp_path / f"model.{name.removeprefix('sealed_')}"
    path.write_bytes(request.getfixturevalue(name))

    assert Classifier.open(path).predict(np.full((4, 4, 3), (0, 0, 200), np.uint8)).label == "blue"


@pytest.mark.parametrize(("published", "flips"), [("onnx_model", 2000), ("int8_model", 400)])
def test_no_flipped_bit_ever_answers_otherwise(
    published: str, flips: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Copied alone, without `SHA256SUMS`."""
    original: Path = request.getfixturevalue(published)
    data, path = original.read_bytes(), tmp_path / original.name
    bits = np.random.default_rng(1).choice(len(data) * 8, min(flips, len(data) * 8), replace=False)

    opened = []
    for bit in bits:
        path.write_bytes(flipped(data, int(bit)))
        try:
            opened.append((bit, Classifier.open(path)))
        except ModelError as error:
            assert str(path) in str(error)  # noqa: PT017 (two thousand times)

    assert opened == []


@pytest.mark.parametrize("name", ["sealed_onnx", "sealed_tflite"])
def test_every_bit_of_the_field_itself_counts(name: str, request: pytest.FixtureRequest) -> None:
    data: bytes = request.getfixturevalue(name)
    start = data.rindex(DIGEST_KEY.encode()) * 8

    for bit in range(start, start + (len(DIGEST_KEY) + 1 + 64) * 8):
        with pytest.raises(ModelError, match=r"model\.x .*damaged"):
            check_digest(Path("model.x"), flipped(data, bit))


@pytest.mark.parametrize("left", [0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize("name", ["sealed_onnx", "sealed_tflite"])
def test_a_cut_model_is_refused(name: str, left: float, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    data: bytes = request.getfixturevalue(name)
    path = tmp_path / f"model.{name.removeprefix('sealed_')}"
    path.write_bytes(data[: int(len(data) * left)])

    with pytest.raises(ModelError, match=r"copy or export it again|can load|carries no model card"):
        Classifier.open(path)


@pytest.mark.parametrize("comment", [b"", b"edgeclf.sha256:", b"edgeclf.sha256:" + b"g" * 64], ids=["none", "cut", "odd"])
def test_a_card_without_a_digest_is_refused(comment: bytes, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"a\.tflite carries a model card but no digest.*; copy or export it again"):
        check_digest(tmp_path / "a.tflite", append_card(b"TFL3", "{}", comment))


def test_a_file_that_was_never_sealed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"a\.tflite is damaged: .*; copy or export it again"):
        check_digest(tmp_path / "a.tflite", append_card(b"TFL3", "{}"))


def test_a_changed_model_passes_once_it_is_listed(sealed_onnx: bytes, model: Path) -> None:
    changed = flipped(sealed_onnx, 100)
    model.with_name(SUMS_NAME).write_text(format_sums({model.name: hashlib.sha256(changed).hexdigest()}))

    check_digest(model, changed)


def test_a_listed_model_with_another_digest_is_refused_although_its_own_agrees(sealed_onnx: bytes, model: Path) -> None:
    model.with_name(SUMS_NAME).write_text(format_sums({model.name: DIGEST}))

    with pytest.raises(ModelError, match=SUMS_NAME):
        check_digest(model, sealed_onnx)
