"""What a user gets who installs the wheel for an edge box: little, and it works."""

import json
import os
import subprocess
import venv
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
FORBIDDEN = {"tensorflow", "tensorflow-cpu", "keras", "onnx", "tf2onnx", "torch"}


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh virtual environment with nothing but the wheel and its [cpu] extra, pinned by constraints.txt."""
    folder = tmp_path_factory.mktemp("edge")
    _uv("build", "--quiet", "--out-dir", folder / "dist", ROOT)  # the sdist, and the wheel from it, as an index serves them
    venv.create(folder / "venv", with_pip=False)
    wheel = next((folder / "dist").glob("*.whl"))
    python = folder / "venv" / "bin" / "python"
    _uv("pip", "install", "--quiet", "--python", python, "--constraint", ROOT / "constraints.txt", f"{wheel}[cpu]")
    return folder / "venv"


def test_edge_environment_is_small(edge: Path) -> None:
    listed = json.loads(_uv("pip", "list", "--format", "json", "--python", edge / "bin" / "python"))
    installed = {entry["name"] for entry in listed}
    assert not installed & FORBIDDEN
    assert len(installed) <= 25, sorted(installed)


def test_wheel_brings_one_name_and_nothing_of_the_checkout(edge: Path) -> None:
    package = next((edge / "lib").glob("python*/site-packages/edgeclf"))
    assert {path.name for path in package.parent.glob("*")} & {
        "train",
        "export",
        "runtime",
        "benchmarks",
        "tests",
        "docs",
    } == set()
    folders = {"train", "export", "runtime", "benchmarks"}
    assert {path.name for path in package.iterdir()} - {"__pycache__"} == folders | {"__init__.py", "py.typed"}


def test_wheel_classifies_outside_the_checkout(edge: Path, onnx_model: Path, image_folder: Path, tmp_path: Path) -> None:
    line = [edge / "bin" / "clf-run", onnx_model, "--source", image_folder, "-o", "results.csv"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = (tmp_path / "results.csv").read_text().splitlines()
    assert len(rows) == 61
    assert all(",ok,disc," in row for row in rows if "/disc/" in row)


def test_api_answers_outside_the_checkout(edge: Path, onnx_model: Path, image_folder: Path, tmp_path: Path) -> None:
    program = "import sys; from edgeclf import Classifier; print(Classifier.open(sys.argv[1]).predict(sys.argv[2]))"
    line = [edge / "bin" / "python", "-c", program, onnx_model, image_folder / "disc" / "disc000.png"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("Prediction(label='disc', confidence="), done.stderr


def test_page_of_a_live_run_is_in_the_wheel(edge: Path, tmp_path: Path) -> None:
    program = (
        "from urllib.request import urlopen; from edgeclf.runtime.live.viewers.page import open_page\n"
        "page = open_page(':0'); print(urlopen(page.url).read().decode()); page.close()"
    )
    line = [edge / "bin" / "python", "-c", program]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "<title>" in done.stdout, done.stderr


def test_missing_extra_names_its_cure(edge: Path, tmp_path: Path) -> None:
    done = subprocess.run([edge / "bin" / "clf-train", tmp_path], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.endswith("error: this needs tensorflow, which is not installed: pip install 'edgeclf[train]'\n")


def _uv(*arguments: str | Path) -> str:
    """Run uv: the one that `uv run` tells us of, or the one on the PATH."""
    done = subprocess.run([os.environ.get("UV", "uv"), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
