"""The plain loop with LiteRT: one interpreter on all cores, one image after the other, as in the example of its manual."""

from pathlib import Path

from ai_edge_litert.interpreter import Interpreter

from edgeclf.benchmarks.peers import ClassifyAll
from edgeclf.benchmarks.peers.reading import label_indices, photographs, read
from edgeclf.runtime.cores import usable_cores


def prepare(folder: Path) -> ClassifyAll:
    interpreter = Interpreter(str(folder / "model.fp32.tflite"), num_threads=usable_cores())
    interpreter.allocate_tensors()
    image, scores = (details()[0] for details in (interpreter.get_input_details, interpreter.get_output_details))
    _, height, width, _ = image["shape"]
    files = photographs(folder)

    def label(file: Path) -> int:
        interpreter.set_tensor(image["index"], read(file, height, width))
        interpreter.invoke()
        return label_indices(interpreter.get_tensor(scores["index"]))[0]

    return lambda: [label(file) for file in files]
