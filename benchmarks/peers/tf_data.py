"""tf.data as its performance guide recommends (parallel map, batches, prefetching), in front of the TFLite file."""

from pathlib import Path
from typing import Any

from edgeclf.benchmarks.peers import ClassifyAll
from edgeclf.benchmarks.peers.reading import label_indices, photographs
from edgeclf.runtime.cores import usable_cores
from edgeclf.train.quiet import import_keras

import_keras()

import tensorflow as tf  # noqa: E402
from ai_edge_litert.interpreter import Interpreter  # noqa: E402

BATCH = 4
"""As fast here as 1 and 16; larger batches wait for their last image."""


def prepare(folder: Path) -> ClassifyAll:
    interpreter = Interpreter(str(folder / "model.fp32.tflite"), num_threads=usable_cores())
    image, scores = (details()[0]["index"] for details in (interpreter.get_input_details, interpreter.get_output_details))
    size = [int(side) for side in interpreter.get_input_details()[0]["shape"][1:3]]
    files = [str(file) for file in photographs(folder)]

    def load(file: Any) -> Any:
        pixels = tf.io.decode_jpeg(tf.io.read_file(file), channels=3)  # also decodes PNGs
        return tf.cast(tf.round(tf.image.resize(pixels, size)), tf.uint8)

    def classify(batch: Any) -> list[int]:
        interpreter.resize_tensor_input(image, batch.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(image, batch)
        interpreter.invoke()
        return label_indices(interpreter.get_tensor(scores))

    def run() -> list[int]:
        paths = tf.data.Dataset.from_tensor_slices(files)
        batches = paths.map(load, num_parallel_calls=tf.data.AUTOTUNE).batch(BATCH).prefetch(tf.data.AUTOTUNE)
        return [label for batch in batches.as_numpy_iterator() for label in classify(batch)]

    return run
