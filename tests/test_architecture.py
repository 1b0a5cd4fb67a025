"""The promises that no single file can keep: who may import whom, what is packaged, and how light a command starts."""

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = ("runtime", "train", "export", "benchmarks")
"""A folder may import those before it."""
ROOMS = {"runtime": ("frames", "model", "results", "live", "inspection"), "train": ("data", "networks", "results")}
"""As LAYERS, inside a folder."""
BASE_NAMES = ("arrow_files", "console", "cores", "errors", "escaping", "progress", "publishing", "stores")
BASE = [f"edgeclf.runtime.{name}" for name in BASE_NAMES]
VERSION = {"edgeclf.runtime", "edgeclf.runtime.__version__"}
"""`from edgeclf.runtime import __version__` loads nothing of the rooms."""
HEAVY = {
    "tensorflow",
    "keras",
    "onnxruntime",
    "cv2",
    "fsspec",
    "numpy",
    "onnx",
    "tf2onnx",
    "ai_edge_litert",
    "sklearn",
    "scipy",
    "matplotlib",
    "mss",
    "pyarrow",
    "ray",
    "simplejpeg",
}


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Full names of all modules that a file imports, wherever in it; `from a import b` counts as `a` and as `a.b`."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            package = ".".join(("edgeclf", *path.relative_to(ROOT).parts)[: -node.level]) if node.level else ""
            module = ".".join(filter(None, (package, node.module)))
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def imports_of(path: Path, *packages: str) -> list[str]:
    """Those imports of a file that lie in one of the packages."""
    return [name for name in imports(path) if any(name == package or name.startswith(f"{package}.") for package in packages)]


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def project() -> Any:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


ALL_SOURCES = [path for layer in LAYERS for path in sources(layer)]
SCRIPTS = project()["project"]["scripts"]


@pytest.mark.parametrize("path", ALL_SOURCES, ids=relative)
def test_imports_point_from_benchmarks_to_export_to_train_to_runtime(path: Path) -> None:
    later = LAYERS[LAYERS.index(path.relative_to(ROOT).parts[0]) + 1 :]
    assert imports_of(path, *(f"edgeclf.{layer}" for layer in later)) == []


@pytest.mark.parametrize("path", [*ALL_SOURCES, *sources("tests")], ids=relative)
def test_nobody_imports_the_names_that_exist_only_in_a_checkout(path: Path) -> None:
    assert imports_of(path, *LAYERS) == []


@pytest.mark.parametrize("path", sources("runtime"), ids=relative)
def test_the_runtime_imports_what_an_edge_device_has(path: Path) -> None:
    base = {"numpy", "cv2", "typer", "rich", "onnxruntime", "ai_edge_litert", "edgeclf"}
    extras = {"fsspec", "mss", "pyarrow", "ray", "simplejpeg"}
    known = {*sys.stdlib_module_names, *base, *extras}
    assert {name.split(".")[0] for name in imports(path)} <= known


def _by_name(node: ast.Call) -> bool:
    return ast.unparse(node.func) in ("importlib.import_module", "import_module", "__import__")


@pytest.mark.parametrize("path", sources("runtime"), ids=relative)
def test_the_runtime_imports_nothing_heavy_by_name(path: Path) -> None:
    calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call) and _by_name(node)]
    named = [ast.unparse(call.args[0]) for call in calls]
    assert not [name for name in named if re.search(r"tensorflow|keras|onnx\b|edgeclf\.(train|export|benchmarks)", name)]


@pytest.mark.parametrize("path", [path for room in ROOMS["runtime"] for path in sources(f"runtime/{room}")], ids=relative)
def test_a_room_of_the_runtime_knows_the_rooms_before_it_and_none_after(path: Path) -> None:
    assert set(imports_of(path, "edgeclf")) - VERSION == set(imports_of(path, *BASE, *_rooms_up_to(path)))


@pytest.mark.parametrize("path", [path for room in ROOMS["train"] for path in sources(f"train/{room}")], ids=relative)
def test_a_room_of_training_knows_the_rooms_before_it_and_none_after(path: Path) -> None:
    assert set(imports_of(path, "edgeclf.train")) == set(imports_of(path, *_rooms_up_to(path)))


def _rooms_up_to(path: Path) -> list[str]:
    layer, room = path.relative_to(ROOT).parts[:2]
    return [f"edgeclf.{layer}.{name}" for name in ROOMS[layer][: ROOMS[layer].index(room) + 1]]


@pytest.mark.parametrize("name", BASE)
def test_what_every_room_may_use_knows_no_room(name: str) -> None:
    path = ROOT / "runtime" / f"{name.rpartition('.')[2]}.py"
    assert set(imports_of(path, "edgeclf")) - VERSION == set(imports_of(path, *BASE))


@pytest.mark.parametrize("path", [*ALL_SOURCES, *sources("tests")], ids=relative)
def test_pictures_are_never_read_by_cv2_itself(path: Path) -> None:
    nodes = ast.walk(ast.parse(path.read_text("utf-8")))
    assert not [node for node in nodes if isinstance(node, ast.Attribute) and node.attr in ("imread", "haveImageReader")]
    assert not imports_of(path, "cv2.imread", "cv2.haveImageReader")


def test_every_package_is_packaged() -> None:
    folders = {path.parent.relative_to(ROOT) for layer in LAYERS for path in (ROOT / layer).rglob("*.py")}
    expected = {f"edgeclf.{'.'.join(folder.parts)}" for folder in folders}
    assert set(project()["tool"]["setuptools"]["packages"]) == expected


def test_nothing_lands_in_site_packages_under_a_bare_name() -> None:
    mapping = project()["tool"]["setuptools"]["package-dir"]
    assert mapping == {f"edgeclf.{layer}": layer for layer in LAYERS}


@pytest.mark.parametrize("layer", LAYERS)
def test_every_folder_says_that_it_is_typed(layer: str) -> None:
    assert (ROOT / layer / "py.typed").is_file()


def test_the_version_installed_is_the_one_in_the_source() -> None:
    from edgeclf.runtime import __version__

    assert importlib.metadata.version("edgeclf") == __version__


def test_the_base_needs_no_engine_and_no_opencv() -> None:
    base = {re.split(r"[<>=;\[ ]", needed)[0] for needed in project()["project"]["dependencies"]}
    assert base == {"numpy", "rich", "typer"}


@pytest.mark.parametrize("profile", ["cpu", "gpu", "desktop"])
def test_a_profile_brings_one_engine_and_one_opencv_and_nothing_of_training(profile: str) -> None:
    needed = [re.split(r"[<>=;\[ ]", line)[0] for line in project()["project"]["optional-dependencies"][profile]]
    assert {name.removesuffix("-gpu").removesuffix("-headless") for name in needed} == {"onnxruntime", "opencv-python"}


def test_profiles_exclude_each_other() -> None:
    conflicts = project()["tool"]["uv"]["conflicts"]
    assert [{"extra": "cpu"}, {"extra": "gpu"}, {"extra": "desktop"}] in conflicts


@pytest.mark.parametrize("name", ["clf-train", "clf-check", "clf-export", "clf-run", "clf-inspect", "clf-demo"])
def test_a_command_is_installed(name: str) -> None:
    assert name in SCRIPTS
    assert os.access(Path(sys.executable).with_name(name), os.X_OK)


@pytest.mark.parametrize("name", SCRIPTS)
def test_help_imports_nothing_heavy(name: str) -> None:
    module, function = SCRIPTS[name].split(":")
    script = (
        "import importlib, sys\n"
        f"sys.argv = [{name!r}, '--help']\n"
        "try:\n"
        f"    importlib.import_module({module!r}).{function}()\n"
        "except SystemExit as end:\n"
        "    print('EXIT', end.code or 0)\n"
        f"print('HEAVY', sorted({HEAVY!r} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-2:] == ["EXIT 0", "HEAVY []"]
    assert name in done.stdout


@pytest.mark.parametrize(
    ("name", "arguments", "extra"), [("clf-train", ["."], "train"), ("clf-export", ["x.keras"], "train")]
)
def test_a_missing_extra_is_one_sentence_with_its_cure(tmp_path: Path, name: str, arguments: list[str], extra: str) -> None:
    module, function = SCRIPTS[name].split(":")
    (tmp_path / "keras.py").write_text("raise ModuleNotFoundError(\"No module named 'keras'\", name='keras')")
    (tmp_path / "tensorflow.py").write_text("raise ModuleNotFoundError(\"No module named 'tensorflow'\", name='tensorflow')")
    script = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); sys.argv = {[name, *arguments]!r};"
        f"import {module}; {module}.{function}()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.search(rf"error: this needs \w+, which is not installed: pip install 'edgeclf\[{extra}\]'", done.stderr)
    assert "Traceback" not in done.stderr
