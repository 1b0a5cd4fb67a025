"""Keras's own way from the start of a process to its first answer, for comparison: import, load, read an image, predict.

Arguments: a `.keras` file that has been vetted, and an image. Writes a `FirstAnswer` as a line of JSON.
"""

import sys

import keras
import numpy as np

from edgeclf.benchmarks.bench.trial import first_answer, say


def main() -> None:
    model, image = sys.argv[1:]
    network = keras.models.load_model(model, compile=False)
    height, width, channels = network.input_shape[1:]
    mode = "grayscale" if channels == 1 else "rgb"
    loaded = keras.utils.load_img(image, target_size=(height, width), color_mode=mode)
    network.predict(keras.utils.img_to_array(loaded)[np.newaxis], verbose=0)
    say(first_answer())


if __name__ == "__main__":
    main()
