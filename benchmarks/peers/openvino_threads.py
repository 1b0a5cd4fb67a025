"""OpenVINO arranged as edgeclf arranges its engine: a worker thread a core, each with a request and a stream of its own."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import openvino as ov

from edgeclf.benchmarks.peers.openvino_queue import read_model
from edgeclf.benchmarks.peers.reading import photographs, read
from edgeclf.runtime.cores import usable_cores


def prepare(folder: Path) -> Callable[[], int]:
    cv2.setNumThreads(1)
    model, height, width = read_model(folder)
    workers = usable_cores()
    compiled = ov.Core().compile_model(model, "CPU", {"NUM_STREAMS": workers, "INFERENCE_NUM_THREADS": workers})
    own = threading.local()
    executor = ThreadPoolExecutor(workers, initializer=lambda: setattr(own, "request", compiled.create_infer_request()))
    files = photographs(folder)

    def answer(file: Path) -> object:
        own.request.infer({0: read(file, height, width)})
        return own.request.get_output_tensor(0).data.copy()

    return lambda: len(list(executor.map(answer, files)))
