"""`load_img`, `img_to_array` and `predict` for one image at a time, as in most tutorials."""

from pathlib import Path

from edgeclf.benchmarks.peers import ClassifyAll
from edgeclf.benchmarks.peers.reading import label_indices, photographs
from edgeclf.train.quiet import import_keras

import_keras()

import keras  # noqa: E402
import numpy as np  # noqa: E402


def prepare(folder: Path, most: int | None = None) -> ClassifyAll:
    """most: number of images. Each takes the same time, about twenty times as long as with other peers."""
    network = keras.models.load_model(folder / "model.keras")
    size = network.input_shape[1:3]
    files = photographs(folder)[:most]

    def label(file: Path) -> int:
        image = keras.utils.load_img(file, target_size=size)
        batch = np.expand_dims(keras.utils.img_to_array(image), axis=0)
        return label_indices(network.predict(batch, verbose=0))[0]

    return lambda: [label(file) for file in files]
