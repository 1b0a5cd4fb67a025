"""A network with layers that Keras 2 describes in another way than Keras 3, in both of its formats.

The files are kept with the tests. Make them again with `uv run --with tf_keras python -m tests.support.keras2_files`.
"""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

KEPT = Path(__file__).with_name("kept_keras2")
SHAPE = (16, 20, 3)


def images() -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (4, *SHAPE)).astype(np.uint8)


def main() -> None:
    import tf_keras

    tf_keras.utils.set_random_seed(1)
    network = _network(tf_keras, tf_keras.layers)
    rng = np.random.default_rng(0)
    network.set_weights([weight + rng.uniform(0, 0.1, weight.shape) * (weight.ndim > 0) for weight in network.get_weights()])
    KEPT.mkdir(exist_ok=True)
    for suffix in ("h5", "keras"):
        network.save(KEPT / f"model.{suffix}")
    answers = network(images().astype(np.float32), training=False).numpy()
    (KEPT / "answers.json").write_text(json.dumps(answers.round(6).tolist()) + "\n")


def _network(keras, layers):  # type: ignore[no-untyped-def]
    """As in tutorials of its time: augmentation and a body in networks of their own."""
    augmentation = keras.Sequential([layers.RandomFlip(), layers.RandomRotation(0.2), layers.RandomContrast(0.1)])
    map_ = keras.Input((16, 20, 3))
    x = layers.DepthwiseConv2D(3, activation="relu")(map_)
    body = keras.Model(map_, layers.SeparableConv2D(4, 3, name="block/conv")(x))
    ending = [layers.Dropout(0.2), layers.Dense(4, activation="relu"), layers.Dense(3, activation="softmax")]

    image = keras.Input(SHAPE)
    x = layers.Rescaling(1 / 127.5, -1)(augmentation(image))
    x = body(x, training=False)
    x = layers.BatchNormalization()(layers.SpatialDropout2D(0.1)(x))
    x = layers.ReLU(6.0)(layers.Conv2DTranspose(4, 3)(x))
    x = layers.Concatenate()([layers.LSTM(4)(layers.Reshape((14 * 18, 4))(x)), layers.GlobalAveragePooling2D()(x)])
    return keras.Model(image, keras.Sequential(ending)(x))


if __name__ == "__main__":
    main()
