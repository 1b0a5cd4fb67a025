"""`keras.utils.image_dataset_from_directory` and `predict`, as Keras's tutorials have it."""

from pathlib import Path

from edgeclf.benchmarks.peers import Run
from edgeclf.benchmarks.peers.reading import labels
from edgeclf.train.quiet import quiet_tensorflow

quiet_tensorflow()

import keras  # noqa: E402


def prepare(folder: Path) -> Run:
    network = keras.models.load_model(folder / "model.keras")
    size = network.input_shape[1:3]

    def run() -> list[int]:
        dataset = keras.utils.image_dataset_from_directory(
            folder / "photographs", labels=None, image_size=size, shuffle=False, verbose=False
        )
        return labels(network.predict(dataset, verbose=0))

    return run
