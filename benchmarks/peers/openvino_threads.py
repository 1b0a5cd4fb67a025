"""OpenVINO arranged like edgeclf's engines: one worker thread per core, each with its own request and stream."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import openvino as ov

from edgeclf.benchmarks.peers import ClassifyAll
from edgeclf.benchmarks.peers.openvino_queue import read_model
from edgeclf.benchmarks.peers.reading import label_indices, photographs, read
from edgeclf.runtime.cores import usable_cores


def prepare(folder: Path) -> ClassifyAll:
    cv2.setNumThreads(1)
    model, height, width = read_model(folder)
    workers = usable_cores()
    compiled = ov.Core().compile_model(model, "CPU", {"NUM_STREAMS": workers, "INFERENCE_NUM_THREADS": workers})
    # Run once on one thread: OpenVINO 2026.4.1 deadlocks if two threads pass their first numpy arrays at the same time.
    compiled({0: np.zeros((1, height, width, 3), np.uint8)})
    own = threading.local()
    executor = ThreadPoolExecutor(workers, initializer=lambda: setattr(own, "request", compiled.create_infer_request()))
    files = photographs(folder)

    def label(file: Path) -> int:
        own.request.infer({0: read(file, height, width)})
        return label_indices(own.request.get_output_tensor(0).data)[0]

    return lambda: list(executor.map(label, files))
