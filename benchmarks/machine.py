"""What a measurement was made on, in one line of a table."""

import platform

from edgeclf.runtime.cores import usable_cores
from edgeclf.runtime.inspection.environment import installed, processor

_PACKAGES = (
    "onnxruntime",
    "onnxruntime-gpu",
    "ai-edge-litert",
    "opencv-python-headless",
    "opencv-python",
    "tensorflow",
    "keras",
    "openvino",
)


def describe() -> str:
    """Processor, usable cores, system, Python, and the packages that the time goes to."""
    versions = [f"{name} {version}" for name, version in installed(_PACKAGES).items()]
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return f"{processor()}, {usable_cores()} usable cores, {system}, {', '.join(versions)}"
