"""Virtual environments for packages that conflict with ours, such as torch and another OpenCV."""

import subprocess
import sys
import sysconfig
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path
from shutil import copytree, ignore_patterns

import edgeclf.benchmarks
import edgeclf.runtime
from edgeclf.runtime.errors import EdgeclfError

_COPIED = (edgeclf.benchmarks, edgeclf.runtime)
_TIMEOUT_S = 1800


class InstallError(EdgeclfError):
    """An environment cannot be made, or a peer cannot be imported in it."""


@dataclass(frozen=True)
class Environment:
    """name: of its folder. packages: pip requirements; one without a version gets the version that is installed here."""

    name: str
    packages: tuple[str, ...]

    def build(self, folder: Path, modules: Sequence[str]) -> Path:
        """Make or update `folder/name` with venv and pip, and return its Python.

        modules: full names that must be importable there. Raises InstallError.
        """
        place = folder / self.name
        python = Path(_path(place, "scripts"), "python.exe" if sys.platform == "win32" else "python")
        if not python.exists():
            venv.create(place, with_pip=True, symlinks=sys.platform != "win32")
        packages = [_with_version(package) for package in self.packages]
        _run(python, ["-m", "pip", "install", "--disable-pip-version-check", *packages], "pip: ")
        for package in _COPIED:
            target = Path(_path(place, "purelib"), *package.__name__.split("."))
            copytree(Path(str(package.__file__)).parent, target, dirs_exist_ok=True, ignore=ignore_patterns("__pycache__"))
        for module in modules:
            _run(python, ["-c", f"import {module}"])
        return python

    def versions(self, folder: Path) -> str:
        """The installed versions of the packages with a version of their own, such as `torch 2.13.0+cpu`."""
        pinned = {package.partition("==")[0] for package in self.packages if "==" in package}
        found = distributions(path=[_path(folder / self.name, "purelib")])
        return ", ".join(sorted(f"{each.name} {each.version}" for each in found if each.name in pinned))


def _path(place: Path, kind: str) -> str:
    return sysconfig.get_path(kind, "venv", {"base": str(place), "platbase": str(place)})


def _with_version(package: str) -> str:
    try:
        return package if "==" in package else f"{package}=={version(package)}"
    except PackageNotFoundError:
        return package


def _run(python: Path, arguments: Sequence[str], prefix: str = "") -> None:
    """Run isolated (-I) from the user's PYTHONPATH. Raises InstallError with the last line of stderr."""
    try:
        done = subprocess.run([python, "-I", *arguments], capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise InstallError(f"{prefix}not finished after {_TIMEOUT_S // 60} minutes") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise InstallError(prefix + lines[-1].removeprefix("ERROR: "))
