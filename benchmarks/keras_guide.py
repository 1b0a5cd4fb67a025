"""Transfer learning as the Keras guide has it (keras.io/guides/transfer_learning), for `edgeclf.benchmarks.learning`.

`python -m edgeclf.benchmarks.keras_guide split.csv answers.json`: first the head on a frozen backbone, then all of it
at a low learning rate. The answers for the test images are in the order of the file.
"""

import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from edgeclf.runtime.terminal.console import command_app, friendly_errors

app = command_app()

_BATCH = 64
_HEAD_EPOCHS, _FINE_TUNE_EPOCHS = 20, 10


@app.command()
def keras_guide(
    split: Annotated[Path, typer.Argument(help="A split.csv of clf-train.")],
    output: Annotated[Path, typer.Argument(help="JSON file for the answers and the seconds.")],
    backbone: Annotated[str, typer.Option(help="As clf-train --model.")] = "efficientnet-lite0",
    side: Annotated[int, typer.Option(help="Side of the network's images.")] = 256,
    seed: Annotated[int, typer.Option(help="For everything random.")] = 0,
) -> None:
    """Train, classify the test images, and write both to a file."""
    with friendly_errors():
        from edgeclf.train.data.dataset import read_dataset
        from edgeclf.train.quiet import import_keras

        import_keras()
        import keras
        import numpy as np

        keras.utils.set_random_seed(seed)
        data = read_dataset(split)
        train = _feed(data.train.paths, data.train.labels, side, shuffled=True)
        val, test = (_feed(part.paths, part.labels, side) for part in (data.val, data.test))
        network, base = _network(backbone, side, len(data.classes))
        flip_and_turn = keras.Sequential([keras.layers.RandomFlip("horizontal"), keras.layers.RandomRotation(0.1)])
        shown = train.map(lambda image, label: (flip_and_turn(image, training=True), label)).prefetch(2)
        seconds = {}
        for stage, rate, epochs in (("head", 1e-3, _HEAD_EPOCHS), ("fine-tuning", 1e-5, _FINE_TUNE_EPOCHS)):
            base.trainable = stage == "fine-tuning"
            began = time.perf_counter()
            network.compile(keras.optimizers.Adam(rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
            network.fit(shown, validation_data=val, epochs=epochs, verbose=2)
            seconds[stage] = time.perf_counter() - began
        labels = np.argmax(network.predict(test, verbose=0), axis=1)
        answers = [data.classes[label] for label in labels]
        output.write_text(json.dumps({"answers": answers, "seconds": seconds}))


def _network(backbone: str, side: int, classes: int) -> tuple[Any, Any]:
    """The guide's network and the backbone inside it, which runs in inference mode, also while it is trained."""
    import keras
    from keras import layers

    from edgeclf.train.networks.backbones import Backbone
    from edgeclf.train.networks.pretrained import POOLED

    whole = Backbone(backbone).build((side, side, 3), classes)
    base = keras.Model(whole.input, whole.get_layer(POOLED).input)
    base.trainable = False
    image = keras.Input((side, side, 3))
    pooled = layers.GlobalAveragePooling2D()(base(image, training=False))
    return keras.Model(image, layers.Dense(classes)(layers.Dropout(0.2)(pooled))), base


def _feed(paths: tuple[str, ...], labels: tuple[int, ...], side: int, *, shuffled: bool = False) -> Any:
    """Batches of images and labels. shuffled: in another order in every epoch."""
    import tensorflow as tf

    def load(path: Any, label: Any) -> tuple[Any, Any]:
        image = tf.io.decode_image(tf.io.read_file(path), channels=3, expand_animations=False)
        return tf.image.resize(image, (side, side)), label

    images = tf.data.Dataset.from_tensor_slices((list(paths), list(labels))).map(load, tf.data.AUTOTUNE)
    images = images.cache().shuffle(len(paths)) if shuffled else images.cache()
    return images.batch(_BATCH).prefetch(tf.data.AUTOTUNE)


if __name__ == "__main__":
    app()
