"""`keras.utils.image_dataset_from_directory` and `predict`, as in Keras's tutorials."""

from pathlib import Path

from edgeclf.benchmarks.peers import ClassifyAll
from edgeclf.benchmarks.peers.reading import label_indices
from edgeclf.train.quiet import import_keras

import_keras()

import keras  # noqa: E402


def prepare(folder: Path) -> ClassifyAll:
    network = keras.models.load_model(folder / "model.keras")
    size = network.input_shape[1:3]

    def run() -> list[int]:
        dataset = keras.utils.image_dataset_from_directory(
            folder / "photographs", labels=None, image_size=size, shuffle=False, verbose=False
        )
        return label_indices(network.predict(dataset, verbose=0))

    return run
