"""The same images through edgeclf and through the alternatives that a user could write or install; one module for each.

A module's `prepare(folder)` opens `folder/model.onnx`, `.keras` or `.fp32.tflite`, and returns a `ClassifyAll` for the
images in `folder/photographs`.
"""

from collections.abc import Callable

ClassifyAll = Callable[[], list[int]]
"""Classifies all images once, from files to label indices, in the order of `reading.photographs`."""
