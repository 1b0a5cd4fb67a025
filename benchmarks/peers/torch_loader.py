"""A torch DataLoader with one worker process per core, as its manual recommends, in front of onnxruntime."""

from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from edgeclf.benchmarks.peers import ClassifyAll
from edgeclf.benchmarks.peers.reading import label_indices, photographs, read
from edgeclf.runtime.cores import usable_cores

BATCH = 4
"""The fastest here of 1 to 32; a large batch waits for its last image."""


def prepare(folder: Path) -> ClassifyAll:
    options = ort.SessionOptions()
    # Leaves the cores to the workers; 1.5 times as fast.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = ort.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])
    _, height, width, _ = session.get_inputs()[0].shape
    loader = DataLoader(
        Photographs(photographs(folder), height, width),
        batch_size=BATCH,
        num_workers=usable_cores(),
        persistent_workers=True,
        worker_init_fn=one_thread,
    )
    return lambda: [label for batch in loader for label in label_indices(session.run(None, {"image": batch.numpy()})[0])]


class Photographs(Dataset):  # type: ignore[type-arg, misc, unused-ignore]
    """uint8 `[height, width, 3]` RGB, read on access."""

    def __init__(self, files: list[Path], height: int, width: int) -> None:
        self._files, self._height, self._width = files, height, width

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, number: int) -> NDArray[np.uint8]:
        return np.asarray(read(self._files[number], self._height, self._width)[0])


def one_thread(worker: int) -> None:
    """The workers already use all cores."""
    cv2.setNumThreads(1)
