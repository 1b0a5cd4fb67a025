"""Keras's cold start, for comparison: import Keras, load a model, read an image, predict.

Arguments: a `.keras` file that has passed the safety checks, and an image. Writes a `FirstPrediction` as a line of JSON.
"""

import sys

import numpy as np

from edgeclf.benchmarks.bench.measurement import first_prediction, write_line
from edgeclf.train.quiet import import_keras


def main() -> None:
    import_keras()
    import keras

    model, image = sys.argv[1:]
    network = keras.models.load_model(model, compile=False)
    height, width, channels = network.input_shape[1:]
    mode = "grayscale" if channels == 1 else "rgb"
    loaded = keras.utils.load_img(image, target_size=(height, width), color_mode=mode)
    network.predict(keras.utils.img_to_array(loaded)[np.newaxis], verbose=0)
    write_line(first_prediction())
