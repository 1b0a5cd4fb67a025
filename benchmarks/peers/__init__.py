"""The same images through edgeclf and through what one would otherwise write or install; each module is one way.

Its `prepare(folder)` opens `folder/model.onnx`, `.keras` or `.fp32.tflite` and returns a `Run` over `folder/photographs`.
"""

from collections.abc import Callable

Run = Callable[[], list[int]]
"""Everything once, from files to answers: the index of each image's label, in the order of `reading.photographs`."""
