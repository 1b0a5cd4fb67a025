"""OpenVINO arranged as edgeclf arranges its engine: a worker thread a core, each with a request and a stream of its own."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import openvino as ov

from edgeclf.benchmarks.peers import Run
from edgeclf.benchmarks.peers.openvino_queue import read_model
from edgeclf.benchmarks.peers.reading import labels, photographs, read
from edgeclf.runtime.cores import usable_cores


def prepare(folder: Path) -> Run:
    cv2.setNumThreads(1)
    model, height, width = read_model(folder)
    workers = usable_cores()
    compiled = ov.Core().compile_model(model, "CPU", {"NUM_STREAMS": workers, "INFERENCE_NUM_THREADS": workers})
    # Once on one thread: OpenVINO 2026.4.1 waits for itself when two threads hand over their first numpy arrays together.
    compiled({0: np.zeros((1, height, width, 3), np.uint8)})
    own = threading.local()
    executor = ThreadPoolExecutor(workers, initializer=lambda: setattr(own, "request", compiled.create_infer_request()))
    files = photographs(folder)

    def answer(file: Path) -> int:
        own.request.infer({0: read(file, height, width)})
        return labels(own.request.get_output_tensor(0).data)[0]

    return lambda: list(executor.map(answer, files))
