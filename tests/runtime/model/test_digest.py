"""Damage shows in the digest in `SHA256SUMS`, or in the embedded one of a model that was copied alone."""

import hashlib
import io
import shutil
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest

from edgeclf.runtime import Classifier
from edgeclf.runtime.errors import ModelError
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
from tests.support.small_models import append_card

DATA = b"a model"
DIGEST = hashlib.sha256(DATA).hexdigest()


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@pytest.fixture(scope="module")
def onnx_data(colour_model: Path) -> bytes:
    return colour_model.read_bytes()


@pytest.fixture(scope="module")
def tflite_data(tflite_model: Path) -> bytes:
    return tflite_model.read_bytes()


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

    with pytest.raises(ModelError, match=r"model\.onnx does not match its digest in SHA256SUMS"):
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
def test_every_format_of_sha256sum_is_read(line: str, model: Path) -> None:
    model.with_name(SUMS_NAME).write_bytes(line.encode())

    check_digest(model, DATA)
    with pytest.raises(ModelError):
        check_digest(model, b"b model")


def test_sha256sum_accepts_the_sums(model: Path) -> None:
    (model.with_name(SUMS_NAME)).write_text(format_sums({model.name: DIGEST}))

    subprocess.run(["sha256sum", "-c", "--status", "--strict", SUMS_NAME], cwd=model.parent, check=True)


def test_sums_round_trip(tmp_path: Path) -> None:
    digests = {"model.onnx": DIGEST, "a b.tflite": "1" * 64}
    (tmp_path / SUMS_NAME).write_text(format_sums(digests))

    assert read_sums(tmp_path / SUMS_NAME) == digests


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\0garbage", b"one-word\n"], ids=["empty", "binary", "words"])
def test_an_unreadable_sums_file_is_ignored(content: bytes, model: Path) -> None:
    model.with_name(SUMS_NAME).write_bytes(content)

    check_digest(model, DATA)


@pytest.mark.parametrize("name", ["model.onnx", "model.int8.tflite"])
def test_an_exported_model_with_one_flipped_bit_is_refused(name: str, run_folder: Path, tmp_path: Path) -> None:
    shutil.copy(run_folder / SUMS_NAME, tmp_path)
    data = bytearray((run_folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / name).write_bytes(data)

    with pytest.raises(ModelError, match=SUMS_NAME):
        Classifier.open(tmp_path / name)


def test_embedding_the_digest_changes_nothing_else(onnx_data: bytes) -> None:
    digest = embedded_digest(onnx_data)
    assert digest is not None
    blank = onnx_data.replace(digest.encode(), BLANK_DIGEST.encode())

    assert (embed_digest(blank), embedded_digest(blank)) == (onnx_data, BLANK_DIGEST)
    assert digest == hashlib.sha256(blank).hexdigest() == content_digest(onnx_data)


def test_an_onnx_file_stays_valid_and_has_the_digest_in_its_metadata(onnx_data: bytes) -> None:
    model = onnx.load_from_string(onnx_data)

    onnx.checker.check_model(model, full_check=True)
    assert {entry.key: entry.value for entry in model.metadata_props}[DIGEST_KEY] == embedded_digest(onnx_data)


def test_a_tflite_file_stays_a_zip_and_has_the_digest_as_its_comment(tflite_data: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(tflite_data)) as archive:
        assert archive.testzip() is None
        assert archive.comment.decode() == f"{DIGEST_KEY}:{embedded_digest(tflite_data)}"


def test_a_digest_field_in_the_card_is_not_mistaken_for_the_digest() -> None:
    data = embed_digest(append_card(b"TFL3", f'{{"training": "{DIGEST_KEY}:{"1" * 64}"}}'))

    assert embedded_digest(data) == content_digest(data) != "1" * 64


@pytest.mark.parametrize("data", [b"", b"a model", b"edgeclf.sha256:0000"], ids=["empty", "none", "cut"])
def test_a_file_without_a_blank_field_gets_no_digest(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"no blank edgeclf\.sha256 field"):
        embed_digest(data)


def test_a_digest_is_not_overwritten(onnx_data: bytes) -> None:
    with pytest.raises(ValueError, match="no blank"):
        embed_digest(flipped(onnx_data, 100))


@pytest.mark.parametrize("name", ["onnx_data", "tflite_data"])
def test_a_model_copied_alone_is_opened(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    path = tmp_path / f"model.{name.removesuffix('_data')}"
    path.write_bytes(request.getfixturevalue(name))

    assert Classifier.open(path).predict(np.full((4, 4, 3), (0, 0, 200), np.uint8)).label == "blue"


@pytest.mark.parametrize(("published", "flips"), [("onnx_model", 2000), ("int8_model", 400)])
def test_no_flipped_bit_goes_unnoticed(published: str, flips: int, request: pytest.FixtureRequest, tmp_path: Path) -> None:
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
            assert str(path) in str(error)  # noqa: PT017 (in a loop)

    assert opened == []


@pytest.mark.parametrize("name", ["onnx_data", "tflite_data"])
def test_every_bit_of_the_digest_field_counts(name: str, request: pytest.FixtureRequest) -> None:
    data: bytes = request.getfixturevalue(name)
    start = data.rindex(DIGEST_KEY.encode()) * 8

    for bit in range(start, start + (len(DIGEST_KEY) + 1 + 64) * 8):
        with pytest.raises(ModelError, match=r"model\.x .*damaged"):
            check_digest(Path("model.x"), flipped(data, bit))


@pytest.mark.parametrize("left", [0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize("name", ["onnx_data", "tflite_data"])
def test_a_truncated_model_is_refused(name: str, left: float, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    data: bytes = request.getfixturevalue(name)
    path = tmp_path / f"model.{name.removesuffix('_data')}"
    path.write_bytes(data[: int(len(data) * left)])

    with pytest.raises(ModelError, match=r"copy or export it again|can load|carries no model card"):
        Classifier.open(path)


@pytest.mark.parametrize("comment", [b"", b"edgeclf.sha256:", b"edgeclf.sha256:" + b"g" * 64], ids=["none", "cut", "odd"])
def test_a_card_without_a_digest_is_refused(comment: bytes, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"a\.tflite carries a model card but no digest.*; copy or export it again"):
        check_digest(tmp_path / "a.tflite", append_card(b"TFL3", "{}", comment))


def test_a_blank_digest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"a\.tflite is damaged: .*; copy or export it again"):
        check_digest(tmp_path / "a.tflite", append_card(b"TFL3", "{}"))


def test_a_changed_model_passes_once_it_is_listed(onnx_data: bytes, model: Path) -> None:
    changed = flipped(onnx_data, 100)
    model.with_name(SUMS_NAME).write_text(format_sums({model.name: hashlib.sha256(changed).hexdigest()}))

    check_digest(model, changed)


def test_the_listed_digest_overrides_the_embedded_one(onnx_data: bytes, model: Path) -> None:
    model.with_name(SUMS_NAME).write_text(format_sums({model.name: DIGEST}))

    with pytest.raises(ModelError, match=SUMS_NAME):
        check_digest(model, onnx_data)
