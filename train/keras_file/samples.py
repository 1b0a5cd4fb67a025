"""Sample images inside a `.keras` file, for calibration and verification. Read and written without TensorFlow."""

import zipfile
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.images.encode import encode_image
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.train.data.arrays import Arrays

SAMPLES_BYTES = 4_000_000
"""Approximate maximum size of one set of samples inside the file."""
MAX_SAMPLES = 512
SAMPLES_FOLDER = "edgeclf/samples"


def pick_samples(arrays: Arrays, seed: int = 0) -> Arrays:
    """As many images as fit into SAMPLES_BYTES, the same number from each class if there are enough.

    Takes one image of every class in turn, in a random order that the seed fixes.
    """
    rng = np.random.default_rng(seed)
    queues = [rng.permutation(np.flatnonzero(arrays.labels == label)) for label in np.unique(arrays.labels)]
    chosen: list[int] = []
    bytes_left = SAMPLES_BYTES
    for index in chain.from_iterable(zip_longest(*queues)):
        if index is None:
            continue
        bytes_left -= len(_encode(arrays.images[index]))
        if chosen and (bytes_left < 0 or len(chosen) == MAX_SAMPLES):
            break
        chosen.append(int(index))
    return Arrays(arrays.images[chosen], arrays.labels[chosen])


def write_samples(archive: zipfile.ZipFile, samples: dict[str, Arrays]) -> None:
    """Add named sets of images to an open `.keras` file."""
    for name, chosen in samples.items():
        for number, (image, label) in enumerate(zip(chosen.images, chosen.labels, strict=True)):
            archive.writestr(f"{SAMPLES_FOLDER}/{name}/{number:04}-{label}.png", _encode(image))


def read_samples(path: Path, name: str, preprocess: Preprocess) -> Arrays:
    """The samples called `name` in a `.keras` file, exactly as saved; empty if there are none."""
    images, labels = [], []
    if not zipfile.is_zipfile(path):  # .h5
        return _no_samples(preprocess)
    with zipfile.ZipFile(path) as archive:
        for member in sorted(archive.namelist()):
            if member.startswith(f"{SAMPLES_FOLDER}/{name}/"):
                labels.append(int(member.rpartition("-")[2].removesuffix(".png")))
                images.append(preprocess(archive.read(member)))
    return Arrays(np.stack(images), np.asarray(labels, np.int64)) if images else _no_samples(preprocess)


def _no_samples(preprocess: Preprocess) -> Arrays:
    return Arrays(np.empty((0, *preprocess.shape), np.uint8), np.empty(0, np.int64))


def _encode(image: Pixels) -> bytes:
    """Encode as PNG: lossless, and easy to look at after unzipping the model."""
    try:
        return encode_image(image, ".png")
    except ValueError as error:
        raise ModelError(f"a sample image cannot be saved: {error}") from None
