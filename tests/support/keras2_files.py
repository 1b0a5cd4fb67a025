"""Networks that Keras 2 describes in another way than Keras 3, in both of its formats.

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


def answers(name: str) -> NDArray[np.float32]:
    """What Keras 2 answered for `images()`."""
    return np.asarray(json.loads((KEPT / "answers.json").read_text())[name], np.float32)


def main() -> None:
    import tf_keras

    KEPT.mkdir(exist_ok=True)
    found = {}
    for name, (build, suffixes) in NETWORKS.items():
        tf_keras.utils.set_random_seed(1)
        network = build(tf_keras, tf_keras.layers)
        rng = np.random.default_rng(0)
        weights = network.get_weights()
        network.set_weights([weight + rng.uniform(0, 0.1, weight.shape) * (weight.ndim > 0) for weight in weights])
        for suffix in suffixes:
            network.save(KEPT / f"{name}.{suffix}")
        found[name] = network(images().astype(np.float32), training=False).numpy().round(6).tolist()
    (KEPT / "answers.json").write_text(json.dumps(found) + "\n")


def _layers(keras, layers):  # type: ignore[no-untyped-def]
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


def _operations(keras, layers):  # type: ignore[no-untyped-def]
    """Arithmetic between layers, as `preprocess_input` has it, and tensors among the arguments of a call."""
    image = keras.Input(SHAPE)
    inner = keras.Sequential([layers.Conv2D(3, 3, padding="same")])
    x = keras.applications.mobilenet_v2.preprocess_input(image)
    x = keras.applications.densenet.preprocess_input(x * 255.0) * 0.1
    x = 1.0 - (x[:, 2:-2] + inner(x)[:, 4:] / 2)
    x = layers.Reshape((12 * 20, 3))(x)
    x = layers.GlobalAveragePooling1D()(x + layers.MultiHeadAttention(2, 4)(x, layers.LayerNormalization()(x)))
    return keras.Model(image, layers.Dense(3, activation="softmax")(x))


def _caffe(keras, layers):  # type: ignore[no-untyped-def]
    """Keras 2 cannot write three dots into a `.keras` file."""
    image = keras.Input(SHAPE)
    x = keras.applications.resnet50.preprocess_input(image)
    x = layers.GlobalAveragePooling2D()(layers.Concatenate()([x, x[..., :2]]) * 0.01)
    return keras.Model(image, layers.Dense(3, activation="softmax")(x))


def _teachable_machine(keras, layers):  # type: ignore[no-untyped-def]
    """A body in a network in a network, and a head without a bias at its end: the `keras_model.h5` of Teachable Machine."""
    map_ = keras.Input(SHAPE)
    x = layers.Conv2D(4, 3, strides=2, use_bias=False)(layers.ZeroPadding2D(((0, 1), (0, 1)))(map_))
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(layers.ReLU(6.0)(layers.BatchNormalization()(x)))
    body = keras.Model(map_, layers.ReLU(6.0)(layers.BatchNormalization()(x)))
    head = [layers.Dense(5, "relu", input_shape=(4,)), layers.Dense(3, "softmax", use_bias=False)]
    whole = [
        keras.Sequential([body, layers.GlobalAveragePooling2D()], "sequential_1"),
        keras.Sequential(head, "sequential_3"),
    ]
    network = keras.Sequential(whole, "sequential_4")
    network.compile("adam", "categorical_crossentropy")
    return network


NETWORKS = {
    "model": (_layers, ("h5", "keras")),
    "operations": (_operations, ("h5", "keras")),
    "caffe": (_caffe, ("h5",)),
    "teachable_machine": (_teachable_machine, ("h5",)),
}
FILES = [f"{name}.{suffix}" for name, (_, suffixes) in NETWORKS.items() for suffix in suffixes]


if __name__ == "__main__":
    main()
