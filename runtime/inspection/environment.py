"""What this machine has for edgeclf: processor, packages, engines that really start, a window, cameras."""

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
"""Module to the packages that each bring it: the last one installed wins, and removing any of them breaks the others."""


@dataclass(frozen=True)
class Conflict:
    """Packages that overwrite each other's files, and the command that cures it."""

    packages: tuple[str, ...]
    cure: str


@dataclass(frozen=True)
class Check:
    """Whether something that was tried works, and if not, why, with its cure."""

    works: bool
    problem: str = ""


@dataclass(frozen=True)
class Environment:
    """memory_limit_bytes: what the control group allows. providers: of onnxruntime; one works when a session really starts
    on it. onnxruntime, litert, opencv: they work when they can be imported. window: what OpenCV draws windows with.
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
    """Look at everything; imports both engines and OpenCV, and opens no camera."""
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
    """The processor's name as its maker spells it, where the system knows it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model"))]
    return names[0] if names else platform.machine()


def installed(packages: Sequence[str]) -> dict[str, str]:
    """The versions of those packages that are installed."""
    versions = {}
    for name in packages:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def find_conflicts(packages: dict[str, str]) -> tuple[Conflict, ...]:
    """Of all installed packages, those that bring the same module."""
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
    """Video devices, not opened; on other systems than Linux, none can be seen without opening it."""
    paths = sorted(folder.glob("video*"), key=lambda path: (len(path.name), path.name))
    return tuple(str(path) for path in paths if _is_device(path))


def _is_device(path: Path) -> bool:
    try:
        return stat.S_ISCHR(path.stat().st_mode)
    except OSError:
        return False


def _try_import(module: str, extra: str) -> Check:
    """A module that is there and broken is described in its own words."""
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
    """Of the machine; None where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _memory_limit_bytes(root: Path) -> int | None:
    """What a container is granted: version 2 and version 1 of control groups; None for no limit."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            limit = int((root / name).read_text())
        except (OSError, ValueError):
            continue
        return limit if limit < 1 << 60 else None
    return None
