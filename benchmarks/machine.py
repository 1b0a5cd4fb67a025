"""The machine that a measurement was made on; its readers have other machines."""

import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path

from edgeclf.runtime.cores import usable_cores
from edgeclf.runtime.inspection.environment import installed, memory_bytes, processor
from edgeclf.runtime.terminal.plural import plural

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
_FEATURES = re.compile(
    r"fma|f16c|avx2|avx_vnni|avx512(f|_vnni|_bf16|_fp16)|amx_(int8|bf16|tile)|neon|asimd(hp|dp)?|i8mm|bf16|sve2?"
)
"""The processor features by which engines choose their kernels."""


@dataclass(frozen=True)
class Machine:
    """features: processor features that matter to the engines. packages: versions of the packages that are measured."""

    processor: str
    features: tuple[str, ...]
    cores_usable: int
    cores: int
    memory_bytes: int | None
    system: str
    python: str
    packages: dict[str, str]

    def __str__(self) -> str:
        versions = [f"{name} {version}" for name, version in self.packages.items()]
        parts = [
            self.processor,
            plural(self.cores_usable, "usable core"),
            f"{self.system}, Python {self.python}",
            *versions,
        ]
        return ", ".join(parts)


def this_machine() -> Machine:
    """This machine as this process sees it: cores after affinity and container limits."""
    return Machine(
        processor=processor(),
        features=_features(),
        cores_usable=usable_cores(),
        cores=os.cpu_count() or 1,
        memory_bytes=memory_bytes(),
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        packages=installed(_PACKAGES),
    )


def load() -> float | None:
    """The load average of the last minute; None if the system does not report it."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def peak_memory_bytes() -> int | None:
    """Peak resident memory of this program so far; None if the system does not report it.

    Not from `getrusage`, whose peak starts at that of the parent process.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    peak = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(peak[1]) * 1024 if peak else None


def _features() -> tuple[str, ...]:
    """From /proc/cpuinfo, which lists them as `flags` on x86 and as `Features` on ARM."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ()
    listed = next((line.partition(":")[2].split() for line in lines if line.startswith(("flags", "Features"))), [])
    return tuple(sorted(name for name in listed if _FEATURES.fullmatch(name)))
