"""Freed memory is reused: the buffers of images cause page faults once, not for every image."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
import cv2
import numpy as np
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.pipeline import ordered_map

noise = np.random.default_rng(0).integers(0, 256, (375, 500, 3), dtype=np.uint8)
image = bytes(cv2.imencode(".jpg", noise)[1])
if sys.argv[1] == "return":  # pretend that it was called, without its effect
    sys.modules["edgeclf.runtime.pipeline"].keep_freed_memory = lambda: None
for _ in ordered_map(Preprocess((224, 224)), [image] * 100, 2):
    pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""


def faults(mode: str) -> int:
    done = subprocess.run([sys.executable, "-c", PROGRAM, mode], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc only")
def test_workers_reuse_buffers_without_page_faults_for_every_image() -> None:
    assert faults("keep") < faults("return") - 100 * 20
