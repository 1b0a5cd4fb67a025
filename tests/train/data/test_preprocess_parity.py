"""Training, Keras's own loaders and every exported model see the same pixels of an image."""

from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edgeclf.runtime import Classifier, Preprocess
from edgeclf.train.data.arrays import load
from edgeclf.train.data.dataset import Split
from tests.support.encodings import pillow

SIZES = {
    "down": ((480, 640), (150, 150)),
    "down-little": ((48, 64), (40, 44)),
    "up": ((20, 30), (150, 150)),
    "up-to-wide": ((100, 37), (91, 217)),
    "narrower-and-higher": ((48, 64), (64, 48)),
    "whole-factor": ((64, 96), (32, 48)),
    "same": ((32, 48), (32, 48)),
    "to-224": ((375, 500), (224, 224)),
    "one-row": ((1, 50), (32, 32)),
}


def noise(size_hw: tuple[int, int]) -> NDArray[np.uint8]:
    return np.random.default_rng(size_hw).integers(0, 256, (*size_hw, 3), dtype=np.uint8)


@pytest.mark.parametrize("case", SIZES)
def test_bilinear_gives_the_same_pixels_as_keras_image_dataset_from_directory(case: str, tmp_path: Path) -> None:
    stored_hw, size_hw = SIZES[case]
    (tmp_path / "class").mkdir()
    path = tmp_path / "class" / "image.png"
    path.write_bytes(pillow(noise(stored_hw), "PNG"))
    dataset = keras.utils.image_dataset_from_directory(tmp_path, labels=None, image_size=size_hw, verbose=False)

    keras_pixels = next(iter(dataset))[0].numpy()

    np.testing.assert_array_equal(Preprocess(size_hw, resize="bilinear")(path), np.rint(keras_pixels))


@pytest.mark.parametrize("case", SIZES)
def test_nearest_gives_the_same_pixels_as_keras_load_img(case: str, tmp_path: Path) -> None:
    stored_hw, size_hw = SIZES[case]
    path = tmp_path / "image.png"
    path.write_bytes(pillow(noise(stored_hw), "PNG"))

    keras_pixels = np.asarray(keras.utils.load_img(path, target_size=size_hw))

    np.testing.assert_array_equal(Preprocess(size_hw, resize="nearest")(path), keras_pixels)


def exif(orientation: int) -> Image.Exif:
    block = Image.Exif()
    block[274] = orientation
    return block


FILES: dict[str, tuple[str, dict[str, object]]] = {
    "jpeg": ("JPEG", {}),
    "jpeg-progressive": ("JPEG", {"progressive": True}),
    "jpeg-grey": ("JPEG", {"mode": "L"}),
    "jpeg-cmyk": ("JPEG", {"mode": "CMYK"}),
    "png": ("PNG", {}),
    "png-grey": ("PNG", {"mode": "L"}),
    "png-alpha": ("PNG", {"mode": "RGBA"}),
    "png-grey-alpha": ("PNG", {"mode": "LA"}),
    "png-palette": ("PNG", {"mode": "P"}),
    "png-16-bit": ("PNG", {"mode": "I;16"}),
    "webp": ("WEBP", {}),
    "gif": ("GIF", {}),
    "bmp": ("BMP", {}),
    "tiff": ("TIFF", {}),
} | {f"jpeg-exif-{orientation}": ("JPEG", {"exif": exif(orientation)}) for orientation in range(1, 9)}


@pytest.fixture(scope="module")
def exported_preprocesses(run_folder: Path) -> dict[str, Preprocess]:
    """The preprocessing in the card of each artefact."""
    names = ("model.onnx", "model.int8.tflite", "model.fp32.tflite")
    return {name: Classifier.open(run_folder / name, threads=1).card.preprocess for name in names}


@pytest.mark.parametrize("name", FILES)
def test_training_and_every_artefact_see_the_same_pixels(
    name: str, exported_preprocesses: dict[str, Preprocess], tmp_path: Path
) -> None:
    format_name, options = FILES[name]
    grey_16 = options.get("mode") == "I;16"
    pixels = noise((150, 110))[..., 0].astype(np.uint16) * 257 if grey_16 else noise((150, 110))
    path = tmp_path / f"image.{format_name.lower()}"
    path.write_bytes(pillow(pixels, format_name, **options))

    trained_on = load(Split((str(path),), (0,)), Preprocess((32, 32)), "train").images[0]

    different = [
        artefact
        for artefact, preprocess in exported_preprocesses.items()
        for image in (path, path.read_bytes())
        if not np.array_equal(preprocess(image), trained_on)
    ]
    assert different == []
