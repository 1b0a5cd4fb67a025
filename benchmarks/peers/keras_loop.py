"""`load_img`, `img_to_array` and `predict` for one image at a time: how most tutorials end."""

from pathlib import Path

from edgeclf.benchmarks.peers import Run
from edgeclf.benchmarks.peers.reading import labels, photographs
from edgeclf.train.quiet import quiet_tensorflow

quiet_tensorflow()

import keras  # noqa: E402
import numpy as np  # noqa: E402


def prepare(folder: Path, most: int | None = None) -> Run:
    """most: of the images; each takes as long as the others, and twenty times as long as elsewhere."""
    network = keras.models.load_model(folder / "model.keras")
    size = network.input_shape[1:3]
    files = photographs(folder)[:most]

    def label(file: Path) -> int:
        image = keras.utils.load_img(file, target_size=size)
        batch = np.expand_dims(keras.utils.img_to_array(image), axis=0)
        return labels(network.predict(batch, verbose=0))[0]

    return lambda: [label(file) for file in files]
