"""`clf-export` for files that are not usable models: one line on stderr, exit 2, and nothing written."""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

Invoke = Callable[..., Result]


def _missing(path: Path, good: Path) -> None:
    """Write no file."""


def _folder(path: Path, good: Path) -> None:
    path.mkdir()


def _saved_model(path: Path, good: Path) -> None:
    path.mkdir()
    (path / "saved_model.pb").write_bytes(b"x")


def _lfs_pointer(path: Path, good: Path) -> None:
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n")


def _empty(path: Path, good: Path) -> None:
    path.write_bytes(b"")


def _text(path: Path, good: Path) -> None:
    path.write_text("epoch,accuracy\n" * 100)


def _truncated(path: Path, good: Path) -> None:
    path.write_bytes(good.read_bytes()[:-3000])


def _half(path: Path, good: Path) -> None:
    path.write_bytes(good.read_bytes()[: good.stat().st_size // 2])


def _without_card(path: Path, good: Path) -> None:
    import keras

    keras.models.load_model(good).save(path)


def _foreign_zip(path: Path, good: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("holiday.txt", "photos")


def _card_alone(path: Path, good: Path) -> None:
    _members(path, good, {"edgeclf/card.json": None})


def _broken_card(path: Path, good: Path) -> None:
    _members(path, good, {"edgeclf/card.json": b"{}", "metadata.json": None, "config.json": None, "model.weights.h5": None})


def _later_card(path: Path, good: Path) -> None:
    card = b'{"schema": 99}'
    _members(path, good, {"edgeclf/card.json": card, "metadata.json": None, "config.json": None, "model.weights.h5": None})


def _members(path: Path, good: Path, contents: dict[str, bytes | None]) -> None:
    """A zip with these members. None means the content from the good file."""
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, source.read(name) if content is None else content)


def _flipped(path: Path, good: Path, member: str) -> None:
    """Change the bytes in the middle of a member."""
    with zipfile.ZipFile(good) as archive:
        start = archive.getinfo(member).header_offset + 30 + len(member)
        size = archive.getinfo(member).compress_size
    data = bytearray(good.read_bytes())
    for position in (start + 2, start + size // 2):
        data[position] ^= 0xFF
    path.write_bytes(data)


def _flipped_card(path: Path, good: Path) -> None:
    _flipped(path, good, "edgeclf/card.json")


def _flipped_weights(path: Path, good: Path) -> None:
    _flipped(path, good, "model.weights.h5")


def _flipped_sample(path: Path, good: Path) -> None:
    with zipfile.ZipFile(good) as archive:
        sample = next(name for name in archive.namelist() if name.startswith("edgeclf/samples/verification/"))
    _flipped(path, good, sample)


BAD_MODELS: dict[str, tuple[Callable[[Path, Path], None], str]] = {
    "missing": (_missing, "does not exist"),
    "a folder": (_folder, "holds no model"),
    "a SavedModel folder": (_saved_model, "saved_model.pb"),
    "a Git LFS pointer": (_lfs_pointer, "git lfs pull"),
    "empty": (_empty, "copy it again"),
    "text": (_text, "copy it again"),
    "end cut off": (_truncated, "copy it again"),
    "half": (_half, "copy it again"),
    "Keras file without card": (_without_card, "model card"),
    "zip of something else": (
        _foreign_zip,
        "lacks config.json or model.weights.h5",
    ),
    "card without network": (_card_alone, "lacks config.json or model.weights.h5"),
    "unreadable card": (_broken_card, "its card cannot be read"),
    "card of a later version": (_later_card, "schema 99"),
    "bits flipped in the card": (_flipped_card, ""),
    "bits flipped in the weights": (_flipped_weights, "Keras"),
    "bits flipped in a sample": (_flipped_sample, "Keras"),
}


@pytest.mark.parametrize(("spoil", "keyword"), BAD_MODELS.values(), ids=BAD_MODELS)
def test_a_bad_model_is_a_one_line_error_and_nothing_is_written(
    run_folder: Path, tmp_path: Path, clf_export: Invoke, spoil: Callable[[Path, Path], None], keyword: str
) -> None:
    path = tmp_path / "bad" / "model.keras"
    path.parent.mkdir()
    spoil(path, run_folder / "model.keras")
    _refuses_in_one_line(clf_export, path, keyword)


def _channels_first(keras: Any) -> Any:
    """A network that was trained on a GPU. TensorFlow cannot run it on a processor."""
    image = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(4, 3, data_format="channels_first")(keras.layers.Permute((3, 1, 2))(image))
    return keras.Model(image, keras.layers.Dense(2)(keras.layers.Flatten()(x)))


def _one_at_a_time(keras: Any) -> Any:
    image = keras.Input((32, 32, 3), batch_size=1)
    return keras.Model(image, keras.layers.Dense(2)(keras.ops.reshape(image, (1, -1))))


def _raises(keras: Any) -> Any:
    """A matrix of zeros has no Cholesky decomposition."""
    image = keras.Input((32, 32, 3))
    x = keras.ops.cholesky(keras.layers.Reshape((2, 2))(keras.layers.Dense(4)(keras.layers.Flatten()(image))))
    return keras.Model(image, keras.layers.Dense(2)(keras.layers.Flatten()(x)))


def _without_counterpart(keras: Any) -> Any:
    """It runs in TensorFlow, and neither ONNX nor TFLite has the operation."""
    image = keras.Input((32, 32, 3))
    x = keras.ops.erfinv(keras.layers.GlobalAveragePooling2D()(image) / 256)
    return keras.Model(image, keras.layers.Dense(2)(x))


BAD_NETWORKS: dict[str, tuple[Callable[[Any], Any], str, str]] = {
    "channels first": (_channels_first, "onnx", "build it with channels_last"),
    "one image at a time": (_one_at_a_time, "onnx", "returns 1 row for any number of images"),
    "an operation that fails": (_raises, "onnx", "cannot be run by TensorFlow (Cholesky"),
    "no counterpart in ONNX": (_without_counterpart, "onnx", "ONNX opset 17, which has no counterpart of Erfinv; "),
    "no counterpart in TFLite": (_without_counterpart, "tflite", "TFLite, which has no counterpart of Erfinv; "),
}


@pytest.mark.parametrize(("build", "format_", "keyword"), BAD_NETWORKS.values(), ids=BAD_NETWORKS)
def test_a_network_that_cannot_be_exported_is_a_one_line_error_and_nothing_is_written(
    tmp_path: Path, image_folder: Path, clf_export: Invoke, build: Callable[[Any], Any], format_: str, keyword: str
) -> None:
    import keras

    keras.utils.set_random_seed(1)
    (tmp_path / "labels.txt").write_text("disc\nsquare\n")
    path = tmp_path / "bad" / "model.keras"
    path.parent.mkdir()
    network = build(keras)
    if build is _channels_first:
        from tests.support.keras_networks import skip_if_it_runs

        skip_if_it_runs(network)
    network.save(path)
    options = ["--classes", tmp_path / "labels.txt", "--data", image_folder, "--format", format_]
    _refuses_in_one_line(clf_export, path, keyword, *options)


def _refuses_in_one_line(clf_export: Invoke, path: Path, keyword: str, *options: object) -> None:
    before = os.listdir(path.parent)
    result = clf_export(path, *options)
    assert (result.exit_code, result.stdout, type(result.exception)) == (2, "", SystemExit)
    assert [line for line in result.stderr.splitlines() if not line.endswith(" ...")] == [
        line for line in result.stderr.splitlines() if line.startswith(f"error: {path}") and keyword in line
    ]
    assert result.stderr.count("error: ") == 1
    assert os.listdir(path.parent) == before
