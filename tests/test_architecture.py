"""The promises that no single file can keep: who may import whom, what is packaged, and how light a command starts."""

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = ("runtime", "train", "export", "benchmarks")
FLOORS = {
    "runtime": (
        "errors cores allocator callable_package spelling version",
        "images storage terminal",
        "cameras drawing sources",
        "model",
        "pipeline disk_guard results",
        "cluster live",
        "outcomes review run_options",
        "run run_live run_ray inspection",
        "cli",
    ),
    "train": (
        "quiet devices",
        "data networks",
        "results",
        "keras_file",
        "any_model batches checkpoint clock confident_learning config config_file epoch_callback epoch_notes fit folds "
        "foreign_images frozen_features frozen_front function gain head heatmaps history label_errors lesson "
        "logistic_regression options preparation preview recipes resolved run soft_targets stages start teaching "
        "teaching_options tested unknown views",
        "cli",
    ),
    "export": (
        "adopt adopted_targets artifacts bias_correction calibration comparison data_images external_model "
        "external_options feature_maps frozen further_parity gate gate_report graph_fixes heads histograms image_input "
        "int8 int8_onnx int8_tflite known_facts onnx_file options outputs own_tool parity preparation reference_check "
        "shared_weights table target timing to_onnx to_tflite",
        "qat",
        "function run start targets",
        "cli",
    ),
    "benchmarks": (
        "fabrics interleaving machine many_answers paired photographs results solar_cells stage_times textures",
        "bench learners peers",
        "adoption clf_bench clf_demo cuda driver explain exporting keras_guide label_errors learning live near_duplicates "
        "networks outputs parity pillow_resize reopening resize reviewing scaling screenshots shipping sizing teaching "
        "throughput training unknown",
    ),
}
"""From the ground up: folders and files directly below a layer. Each may import itself and what is on the floors below it;
files on one floor may import each other, folders may not."""
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
    "xlsxwriter",
}


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


@cache
def syntax(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


@cache
def imports(path: Path) -> frozenset[str]:
    """Full names of all modules that a file imports, wherever in it; `from a import b` counts as `a` and as `a.b`."""
    return frozenset(_imports(path))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(syntax(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            package = ".".join(("edgeclf", *path.relative_to(ROOT).parts)[: -node.level]) if node.level else ""
            module = ".".join(filter(None, (package, node.module)))
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def imports_of(path: Path, *packages: str) -> list[str]:
    """Those imports of a file that lie in one of the packages."""
    return sorted(name for name in imports(path) if f"{name}.".startswith(tuple(f"{package}." for package in packages)))


def offenders(paths: Iterable[Path], find: Callable[[Path], Collection[object]]) -> dict[str, Collection[object]]:
    """By file, what `find` has against it; empty when all is well."""
    return {relative(path): found for path in paths if (found := find(path))}


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def project() -> Any:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


ALL_SOURCES = [path for layer in LAYERS for path in sources(layer)]
SCRIPTS = project()["project"]["scripts"]


def test_imports_point_from_benchmarks_to_export_to_train_to_runtime() -> None:
    def from_later_layers(path: Path) -> list[str]:
        later = LAYERS[LAYERS.index(path.relative_to(ROOT).parts[0]) + 1 :]
        return imports_of(path, *(f"edgeclf.{layer}" for layer in later))

    assert offenders(ALL_SOURCES, from_later_layers) == {}


def test_nothing_imports_the_names_that_exist_only_in_a_checkout() -> None:
    assert offenders([*ALL_SOURCES, *sources("tests")], lambda path: imports_of(path, *LAYERS)) == {}


def test_the_names_for_users_are_imported_from_where_they_stand() -> None:
    assert offenders(ALL_SOURCES, lambda path: [name for name in imports(path) if name == "edgeclf"]) == {}


def test_the_runtime_imports_what_an_edge_device_has() -> None:
    base = {"numpy", "cv2", "typer", "rich", "onnxruntime", "ai_edge_litert", "edgeclf"}
    base |= {"google", "flatbuffers"}  # protobuf and flatbuffers, which come with onnxruntime
    extras = {"fsspec", "mss", "pyarrow", "ray", "simplejpeg", "xlsxwriter"}
    extras |= {"IPython", "pandas"}  # only where the user has them
    extras |= {"h5py"}  # comes with training; without it, clf-inspect says so
    known = {*sys.stdlib_module_names, *base, *extras}
    assert offenders(sources("runtime"), lambda path: {name.split(".")[0] for name in imports(path)} - known) == {}


def test_the_runtime_imports_nothing_heavy_by_name() -> None:
    def heavy(path: Path) -> list[str]:
        calls = [node for node in ast.walk(syntax(path)) if isinstance(node, ast.Call) and _by_name(node)]
        named = [ast.unparse(call.args[0]) for call in calls]
        return [name for name in named if re.search(r"tensorflow|keras|onnx\b|edgeclf\.(train|export|benchmarks)", name)]

    assert offenders(sources("runtime"), heavy) == {}


def _by_name(node: ast.Call) -> bool:
    return ast.unparse(node.func) in ("importlib.import_module", "import_module", "__import__")


def test_nothing_is_imported_from_a_floor_above() -> None:
    def from_above(path: Path) -> list[str]:
        layer, own = path.relative_to(ROOT).parts[0], _room(path)
        if own == "__init__":  # the front door of the runtime looks in from outside
            return []
        names = [name for name in imports_of(path, f"edgeclf.{layer}") if name.count(".") > 1]
        return [name for name in names if not _may_import(layer, own, name.split(".")[2])]

    assert offenders(ALL_SOURCES, from_above) == {}


def _room(path: Path) -> str:
    """The folder or the file directly below a layer: `images` for `runtime/images/formats/gif.py`."""
    return path.relative_to(ROOT).parts[1].removesuffix(".py")


def _may_import(layer: str, importer: str, imported: str) -> bool:
    floor = {name: number for number, names in enumerate(FLOORS[layer]) for name in names.split()}
    if imported not in floor:  # a public name of the front door
        return False
    neighbours = floor[importer] == floor[imported] and not any(
        (ROOT / layer / name).is_dir() for name in (importer, imported)
    )
    return importer == imported or neighbours or floor[imported] < floor[importer]


@pytest.mark.parametrize("layer", FLOORS)
def test_every_room_stands_on_one_floor(layer: str) -> None:
    rooms = {_room(path) for path in sources(layer)} - {"__init__"}
    assert sorted(name for names in FLOORS[layer] for name in names.split()) == sorted(rooms)


def test_no_files_import_each_other_in_a_circle() -> None:
    modules = {_module(path): path for path in ALL_SOURCES}
    uses = {name: (imports(path) & set(modules)) - {name} for name, path in modules.items()}
    while free := [name for name, used in uses.items() if not used & set(uses)]:
        for name in free:
            del uses[name]
    assert {name: sorted(used & set(uses)) for name, used in uses.items()} == {}


def _module(path: Path) -> str:
    return ".".join(("edgeclf", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")


def test_images_are_never_read_by_cv2_itself() -> None:
    def reads(path: Path) -> list[str]:
        attributes = [node.attr for node in ast.walk(syntax(path)) if isinstance(node, ast.Attribute)]
        return [name for name in attributes if name in ("imread", "haveImageReader")] + imports_of(
            path, "cv2.imread", "cv2.haveImageReader"
        )

    assert offenders([*ALL_SOURCES, *sources("tests")], reads) == {}


def test_stdout_is_reached_only_through_print_data_and_tables() -> None:
    commands = [path for path in ALL_SOURCES if "peers" not in path.parts]  # those are scripts of other environments

    def others(path: Path) -> list[str]:
        if relative(path) in ("runtime/terminal/streams.py", "runtime/terminal/console.py"):
            return []
        nodes = [node for node in ast.walk(syntax(path)) if isinstance(node, ast.Call | ast.Attribute)]
        return [ast.unparse(node) for node in nodes if _is_stdout(node)]

    assert offenders(commands, others) == {}


def _is_stdout(node: ast.Call | ast.Attribute) -> bool:
    if isinstance(node, ast.Attribute):
        return ast.unparse(node) == "sys.stdout"
    to_stderr = any(keyword.arg in ("err", "stderr", "file") for keyword in node.keywords)
    return ast.unparse(node.func) in ("print", "typer.echo", "typer.secho", "Console") and not to_stderr


def test_every_package_is_packaged() -> None:
    folders = {path.parent.relative_to(ROOT) for layer in LAYERS for path in (ROOT / layer).rglob("*.py")}
    expected = {f"edgeclf.{'.'.join(folder.parts)}" for folder in folders}
    assert set(project()["tool"]["setuptools"]["packages"]) == {"edgeclf"} | expected


def test_nothing_lands_in_site_packages_under_a_bare_name() -> None:
    mapping = project()["tool"]["setuptools"]["package-dir"]
    assert mapping == {"edgeclf": "."} | {f"edgeclf.{layer}": layer for layer in LAYERS}
    assert [relative(path) for path in ROOT.glob("*.py")] == ["__init__.py"]  # others would be installed, too


def test_the_package_says_that_it_is_typed() -> None:
    assert (ROOT / "py.typed").is_file()


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


@pytest.mark.parametrize(
    "name", ["clf-train", "clf-check", "clf-export", "clf-run", "clf-review", "clf-inspect", "clf-demo"]
)
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


@pytest.fixture
def kept_model(run_folder: Path) -> Path:
    return run_folder / "model.keras"


@pytest.mark.parametrize(
    ("name", "fixture", "extra"), [("clf-train", "image_folder", "train"), ("clf-export", "kept_model", "train")]
)
def test_a_missing_extra_is_one_sentence_with_its_cure(
    tmp_path: Path, name: str, fixture: str, extra: str, request: pytest.FixtureRequest
) -> None:
    module, function = SCRIPTS[name].split(":")
    argument = str(request.getfixturevalue(fixture))
    (tmp_path / "keras.py").write_text("raise ModuleNotFoundError(\"No module named 'keras'\", name='keras')")
    (tmp_path / "tensorflow.py").write_text("raise ModuleNotFoundError(\"No module named 'tensorflow'\", name='tensorflow')")
    script = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); sys.argv = {[name, argument]!r};"
        f"import {module}; {module}.{function}()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.search(rf"error: this needs \w+, which is not installed: pip install 'edgeclf\[{extra}\]'", done.stderr)
    assert "Traceback" not in done.stderr
