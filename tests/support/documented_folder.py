"""A folder that holds what the documentation's commands assume: labelled images, runs, models, a video and more."""

import gzip
import shutil
import zipfile
from pathlib import Path

import onnx

from tests.support.drawings import write_images
from tests.support.foreign_onnx import foreign_onnx
from tests.support.foreign_tflite import Foreign
from tests.support.onnx_properties import ultralytics_properties
from tests.support.small_models import COLOUR_WEIGHTS
from tests.support.trained_run import KEPT_OUTPUTS, KEPT_RUN
from tests.support.video_files import noise, write_video

_LABELS = "disc\nsquare\n"
_OWN = ("model.keras", "model.onnx", "model.int8.tflite")


def write_everything(folder: Path) -> None:
    """Fill a folder. It has no `runs/photos`, which the commands make. Loads TensorFlow."""
    for name in ("photos", "cells", "night", "test", "inbox"):
        write_images(folder / name, 20, ".jpg")  # with fewer, clf-check warns
    write_images(folder / "more", 20, ".jpg", first_seed=500)
    (folder / "labels.txt").write_text(_LABELS)
    shutil.copy(folder / "photos/disc/disc000.jpg", folder / "cell.png")
    shutil.copy(folder / "photos/disc/disc001.jpg", folder / "night/001.jpg")
    for archive in ("photos.zip", "day.zip"):
        _zip(folder / archive, folder / "photos")
    _write_labels(folder)
    write_video(folder / "clip.mp4", noise(12), codec="mp4v")
    (folder / "runs/cells").mkdir(parents=True)
    for name in _OWN:
        kept = KEPT_RUN / name if name == "model.keras" else KEPT_OUTPUTS / name
        for place in (folder, folder / "runs/cells"):
            shutil.copy(kept, place)
    _write_foreign(folder)
    _write_keras_files(folder)
    (folder / "rows").mkdir()
    (folder / "inventory").mkdir()
    (folder / "inventory/keys.csv.gz").write_bytes(gzip.compress(b'"bucket","photos/a%20b.jpg"\n"bucket","c.txt"\n'))


def _write_keras_files(folder: Path) -> None:
    """Keras models without a card: `mine.keras`, `saved/` and `converted_keras.zip`."""
    import keras

    keras.utils.set_random_seed(1)
    layers = [keras.layers.Conv2D(4, 3, activation="relu"), keras.layers.GlobalAveragePooling2D()]
    network = keras.Sequential([keras.Input((32, 32, 3)), *layers, keras.layers.Dense(2, activation="softmax")])
    network.save(folder / "mine.keras")
    network.save(folder / "keras_model.h5")
    network.export(folder / "saved", verbose=False)
    _zip_of(folder / "converted_keras.zip", {"keras_model.h5": (folder / "keras_model.h5").read_bytes()})


def _write_labels(folder: Path) -> None:
    """`labels.csv`: images in a folder for each day."""
    rows = ["path,label"]
    for number, image in enumerate(sorted((folder / "cells").rglob("*.jpg"))):
        path = Path(f"202611{number % 8 + 1:02}") / image.name
        (folder / path).parent.mkdir(exist_ok=True)
        shutil.copy(image, folder / path)
        rows.append(f"{path},{image.parent.name}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")


def _write_foreign(folder: Path) -> None:
    """Models as other tools write them."""
    theirs = foreign_onnx(outputs=2)
    theirs.producer_name = "pytorch"
    onnx.save(theirs, folder / "resnet18.onnx")
    own = foreign_onnx(outputs=2, end="Softmax")
    onnx.helper.set_model_props(own, ultralytics_properties(_LABELS.split()))
    for name in ("best.onnx", "yolo11n-cls.onnx"):
        onnx.save(own, folder / name)
    _zip_of(folder / "converted_tflite.zip", {"model_unquant.tflite": Foreign(COLOUR_WEIGHTS[:2]).to_bytes()})


def _zip_of(path: Path, files: dict[str, bytes]) -> None:
    """A zip as Teachable Machine makes it."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        archive.writestr("labels.txt", "0 disc\n1 square\n")


def _zip(path: Path, images: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for image in sorted(images.rglob("*.jpg")):
            archive.write(image, image.relative_to(images.parent))
