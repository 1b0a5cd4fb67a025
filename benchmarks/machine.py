"""What a measurement was made on, in one line of a table."""

import platform
from importlib import metadata
from pathlib import Path

from edgeclf.runtime.cores import usable_cores

_PACKAGES = (
    "onnxruntime",
    "onnxruntime-gpu",
    "ai-edge-litert",
    "opencv-python-headless",
    "opencv-python",
    "tensorflow",
    "keras",
)


def describe() -> str:
    """Processor, usable cores, system, Python, and the packages that the time goes to."""
    versions = [f"{name} {metadata.version(name)}" for name in _PACKAGES if _installed(name)]
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return f"{_processor()}, {usable_cores()} usable cores, {system}, {', '.join(versions)}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model"))]
    return names[0] if names else platform.machine()


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
