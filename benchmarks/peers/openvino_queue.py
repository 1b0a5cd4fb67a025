"""OpenVINO as its manual recommends for throughput: an asynchronous queue, fed by one Python thread that reads images."""

from pathlib import Path
from typing import Any

import openvino as ov

from edgeclf.benchmarks.peers import ClassifyAll
from edgeclf.benchmarks.peers.reading import label_indices, photographs, read


def prepare(folder: Path) -> ClassifyAll:
    model, height, width = read_model(folder)
    queue = ov.AsyncInferQueue(ov.Core().compile_model(model, "CPU", {"PERFORMANCE_HINT": "THROUGHPUT"}))
    files = photographs(folder)
    found: dict[int, int] = {}
    queue.set_callback(lambda request, number: found.update({number: label_indices(request.get_output_tensor(0).data)[0]}))

    def run() -> list[int]:
        found.clear()
        for number, file in enumerate(files):
            queue.start_async({0: read(file, height, width)}, number)
        queue.wait_all()
        return [found[number] for number in range(len(files))]

    return run


def read_model(folder: Path) -> tuple[Any, int, int]:
    """The model with a batch of one, and the image's height and width. OpenVINO is slower with a dynamic batch."""
    model = ov.Core().read_model(folder / "model.onnx")
    height, width, channels = (side.get_length() for side in model.input(0).partial_shape[1:])
    model.reshape([1, height, width, channels])
    return model, height, width
