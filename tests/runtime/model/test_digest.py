"""`SHA256SUMS` beside a model is believed."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from edgeclf.runtime import Classifier
from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.digest import SUMS_NAME, check_digest, format_sums, read_sums

DATA = b"a model"
DIGEST = hashlib.sha256(DATA).hexdigest()


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
