"""Virtual environments for what our own packages must not meet, such as torch and another OpenCV."""

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

_LENT = (edgeclf.benchmarks, edgeclf.runtime)
_PATIENCE_S = 1800


class InstallError(EdgeclfError):
    """An environment that cannot be made, or in which a candidate cannot be imported; why, in one line."""


@dataclass(frozen=True)
class Environment:
    """name: of its folder. packages: as pip takes them; one without a version gets the version that is installed here."""

    name: str
    packages: tuple[str, ...]

    def build(self, folder: Path, modules: Sequence[str]) -> Path:
        """Its python, in `folder/name`, which is made, or brought up to date, with venv and pip.

        modules: full names of what it is for; each has to be importable there. Raises InstallError.
        """
        place = folder / self.name
        python = Path(_path(place, "scripts"), "python.exe" if sys.platform == "win32" else "python")
        if not python.exists():
            venv.create(place, with_pip=True, symlinks=sys.platform != "win32")
        _run(python, ["-m", "pip", "install", "--disable-pip-version-check", *map(_as_here, self.packages)], "pip: ")
        for package in _LENT:
            target = Path(_path(place, "purelib"), *package.__name__.split("."))
            copytree(Path(str(package.__file__)).parent, target, dirs_exist_ok=True, ignore=ignore_patterns("__pycache__"))
        for module in modules:
            _run(python, ["-c", f"import {module}"])
        return python

    def versions(self, folder: Path) -> str:
        """What those of its packages that are not as here really are, such as `torch 2.13.0+cpu`."""
        own = {package.partition("==")[0] for package in self.packages if "==" in package}
        found = distributions(path=[_path(folder / self.name, "purelib")])
        return ", ".join(sorted(f"{each.name} {each.version}" for each in found if each.name in own))


def _path(place: Path, kind: str) -> str:
    return sysconfig.get_path(kind, "venv", {"base": str(place), "platbase": str(place)})


def _as_here(package: str) -> str:
    try:
        return package if "==" in package else f"{package}=={version(package)}"
    except PackageNotFoundError:
        return package


def _run(python: Path, arguments: Sequence[str], who: str = "") -> None:
    """By itself (-I): without the PYTHONPATH of whoever measures. Raises InstallError with the last line that it says."""
    try:
        done = subprocess.run([python, "-I", *arguments], capture_output=True, text=True, check=False, timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired:
        raise InstallError(f"{who}not done after {_PATIENCE_S // 60} minutes") from None
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise InstallError(who + said[-1].removeprefix("ERROR: "))
