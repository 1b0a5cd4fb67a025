"""What this machine offers to edgeclf: processor, packages, engines that really start, a window, cameras."""

import importlib
import os
import platform
import re
import stat
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from edgeclf.runtime.cores import usable_cores
from edgeclf.runtime.errors import first_line
from edgeclf.runtime.live.viewers.display import has_display, window_toolkit
from edgeclf.runtime.version import __version__

PACKAGES = (
    "onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino", "ai-edge-litert",
    "opencv-python-headless", "opencv-python", "opencv-contrib-python", "opencv-contrib-python-headless",
    "numpy", "tensorflow", "keras", "onnx", "tf2onnx",
)  # fmt: skip
_FAMILIES = {"onnxruntime": r"onnxruntime(-\w+)?", "cv2": r"opencv(-contrib)?-python(-headless)?"}
"""Packages that bring the same module: the last one installed wins, and removing one breaks the others."""


@dataclass(frozen=True)
class Conflict:
    """Packages that overwrite each other's files, and the command that repairs the installation (`cure`)."""

    packages: tuple[str, ...]
    cure: str


@dataclass(frozen=True)
class Check:
    """The result of a test. problem: why it failed, and what to do about it."""

    works: bool
    problem: str = ""


@dataclass(frozen=True)
class Environment:
    """memory_limit_bytes: the limit of the control group. onnxruntime, litert, opencv: whether they can be imported.
    providers: by name in onnxruntime, whether a session really starts on it. window: the toolkit of OpenCV's windows.
    """

    edgeclf: str
    python: str
    executable: str
    platform: str
    processor: str
    cores_usable: int
    cores_machine: int
    memory_bytes: int | None
    memory_limit_bytes: int | None
    packages: dict[str, str]
    onnxruntime: Check
    providers: dict[str, Check]
    litert: Check
    opencv: Check
    window: str
    display: bool
    cameras: tuple[str, ...]
    conflicts: tuple[Conflict, ...]


def inspect_environment() -> Environment:
    """Imports both engines and OpenCV. Opens no camera."""
    packages = installed(PACKAGES)
    onnxruntime = _try_import("onnxruntime", "cpu")
    opencv = _try_import("cv2", "cpu")
    return Environment(
        edgeclf=__version__,
        python=platform.python_version(),
        executable=sys.executable,
        platform=platform.platform(),
        processor=processor(),
        cores_usable=usable_cores(),
        cores_machine=os.cpu_count() or 1,
        memory_bytes=memory_bytes(),
        memory_limit_bytes=_memory_limit_bytes(Path("/sys/fs/cgroup")),
        packages=packages,
        onnxruntime=onnxruntime,
        providers=_providers() if onnxruntime.works and opencv.works else {},
        litert=_try_import("ai_edge_litert.interpreter", "litert"),
        opencv=opencv,
        window=window_toolkit() if opencv.works else "",
        display=has_display(),
        cameras=cameras(Path("/dev")),
        conflicts=find_conflicts(packages),
    )


def processor() -> str:
    """The name of the processor, as far as the system knows it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model"))]
    return names[0] if names else platform.machine()


def installed(packages: Sequence[str]) -> dict[str, str]:
    """Versions by name, for the packages that are installed."""
    versions = {}
    for name in packages:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def find_conflicts(packages: dict[str, str]) -> tuple[Conflict, ...]:
    """Installed packages that bring the same module."""
    found = []
    for module, pattern in _FAMILIES.items():
        family = tuple(sorted(name for name in packages if re.fullmatch(pattern, name)))
        if len(family) > 1:
            profile = "gpu" if "onnxruntime-gpu" in packages else "cpu"
            profile = "desktop" if module == "cv2" and profile == "cpu" and "opencv-python" in packages else profile
            cure = f"pip uninstall -y {' '.join(family)} && pip install 'edgeclf[{profile}]'"
            found.append(Conflict(family, cure))
    return tuple(found)


def cameras(folder: Path) -> tuple[str, ...]:
    """Video devices, without opening them. Only Linux can list them."""
    paths = sorted(folder.glob("video*"), key=lambda path: (len(path.name), path.name))
    return tuple(str(path) for path in paths if _is_device(path))


def _is_device(path: Path) -> bool:
    try:
        return stat.S_ISCHR(path.stat().st_mode)
    except OSError:
        return False


def _try_import(module: str, extra: str) -> Check:
    """Import a module. For a broken installation, `problem` is the error of the import."""
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name == module.partition(".")[0]:
            return Check(False, f"not installed: pip install 'edgeclf[{extra}]'")
        return Check(False, first_line(error))
    except Exception as error:  # native libraries fail in many ways
        return Check(False, first_line(error))
    return Check(True)


def _providers() -> dict[str, Check]:
    from edgeclf.runtime.model.providers import try_providers

    return {name: Check(not problem, problem) for name, problem in try_providers().items()}


def memory_bytes() -> int | None:
    """Physical memory; None if the system does not report it."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _memory_limit_bytes(root: Path) -> int | None:
    """The memory limit of a container, from control groups of version 2 or 1; None without a limit."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            limit = int((root / name).read_text())
        except (OSError, ValueError):
            continue
        return limit if limit < 1 << 60 else None
    return None
