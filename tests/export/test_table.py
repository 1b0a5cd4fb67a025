"""What the export says about its own proof."""

import re

import numpy as np
import pytest

from edgeclf.export.gate_report import GateReport
from edgeclf.export.options import GateLimits
from edgeclf.export.parity import Parity, Reference
from edgeclf.export.table import show
from edgeclf.train.data.arrays import Arrays


def test_one_image_is_compared_with_the_images_that_may_be_lost(capsys: pytest.CaptureFixture[str]) -> None:
    """120 images, of which 40 are right: one image is less than 1 % of all of them, but 2.5 % of the accuracy."""
    labels = np.arange(120) % 3
    images = Arrays(np.zeros((120, 1, 1, 3), np.uint8), labels, tuple(map(str, labels)), ())
    always_the_first = np.tile(np.array([1, 0, 0], np.float32), (120, 1))
    parity = Parity.failed("model.onnx", "fp32", Reference(images, always_the_first), "it failed")

    show(GateReport((parity,), "Keras", "photos", GateLimits()))

    (sentence,) = re.findall(r"too few images: .*", capsys.readouterr().err)
    assert sentence.startswith("too few images: one of the 40 correct images is 2.5%, more than the 1.0% that may be lost")
