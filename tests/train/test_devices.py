"""Several devices and half precision, as far as they can be tested without a GPU."""

import subprocess
import sys
from contextlib import nullcontext

import pytest

from edgeclf.runtime.errors import DeviceError
from edgeclf.train.devices import HalfPrecision, several_devices

TWO_DEVICES = """
import numpy as np, tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
import edgeclf.train.devices as devices
found = tf.config.list_logical_devices
tf.config.list_logical_devices = lambda kind=None: found("CPU" if kind == "GPU" else kind)
from pathlib import Path
from edgeclf.train.data.arrays import Arrays
from edgeclf.train.fit import fit
from edgeclf.train.networks.architectures import ConvNet
from edgeclf.train.recipes import LIGHT, Recipe
with devices.several_devices():
    print(tf.distribute.get_strategy().num_replicas_in_sync)
images = Arrays(np.random.default_rng(0).integers(0, 256, (20, 12, 16, 3), dtype=np.uint8), np.arange(20) % 2)
trained = fit(Recipe(ConvNet((4,)), epochs=2, batch=8, augmentation=LIGHT), 2, images, images, Path("."))
print(trained.epochs, np.isfinite(trained.network.predict_on_batch(images.images.astype("f4"))).all())
"""


def test_one_device_needs_no_strategy() -> None:
    assert isinstance(several_devices(), nullcontext)


@pytest.mark.slow
def test_two_devices_share_the_work(tmp_path: object) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES], capture_output=True, text=True, cwd=str(tmp_path), check=False
    )
    assert done.stdout.split() == ["2", "2", "True"], done.stderr


def test_half_precision_without_a_gpu_is_refused() -> None:
    with pytest.raises(DeviceError, match=r"--mixed-precision .*GPU"):
        HalfPrecision(True)
