"""The files that a run leaves, and what they need to be made."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edgeclf.benchmarks.bench.output_files import write
from edgeclf.benchmarks.bench.table import markdown
from edgeclf.runtime.errors import OutputError
from tests.support.bench_reports import make_report, make_row

ROOT = Path(__file__).parents[3]


def python(script: str, *arguments: object) -> str:
    """What a new interpreter prints."""
    line = [sys.executable, "-W", "error", "-c", script, *map(str, arguments)]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120).stdout


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    return write(make_report(), tmp_path_factory.mktemp("results") / "new" / "folder", "clf-bench runs/cells")


def test_four_files_are_written_and_named(written: tuple[Path, ...]) -> None:
    assert [path.name for path in written] == ["bench.json", "bench.md", "bench.html", "pareto.png"]
    assert sorted(written) == sorted(written[0].parent.iterdir())


def test_the_json_is_the_whole_report(written: tuple[Path, ...]) -> None:
    assert json.loads(written[0].read_text()) == json.loads(json.dumps(make_report().to_json()))


def test_the_markdown_is_what_a_summary_shows(written: tuple[Path, ...]) -> None:
    assert written[1].read_text("utf-8") == markdown(make_report())


def test_the_figure_is_a_png_and_inside_the_page_too(written: tuple[Path, ...]) -> None:
    assert written[3].read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert '<img width="' in written[2].read_text("utf-8")
    assert "clf-bench runs/cells" in written[2].read_text("utf-8")


def test_names_of_any_bytes_are_written(tmp_path: Path) -> None:
    report = make_report((make_row("caf\udce9\n.onnx", path="/caf\udce9\n.onnx"),))
    written = write(replace(report, images="caf\udce9"), tmp_path)
    assert json.loads(written[0].read_bytes())["results"][0]["name"] == "caf\udce9\n.onnx"
    assert [path.read_text("utf-8") for path in written[1:3]]


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot write"):
        write(make_report(), tmp_path / "file" / "bench")


WITHOUT_MATPLOTLIB = """
import sys
from pathlib import Path
sys.modules["matplotlib"] = None
from edgeclf.benchmarks.bench.output_files import write
from tests.support.bench_reports import make_report
sys.stderr = sys.stdout
print([path.name for path in write(make_report(), Path(sys.argv[1]))])
"""


def test_without_matplotlib_a_note_says_so_and_all_else_is_written(tmp_path: Path) -> None:
    note, names = python(WITHOUT_MATPLOTLIB, tmp_path).splitlines()
    assert note == "no plot: matplotlib is not installed; add it with pip install 'edgeclf[bench]'"
    assert names == "['bench.json', 'bench.md', 'bench.html']"
    assert "<img" not in (tmp_path / "bench.html").read_text()


@pytest.mark.parametrize("module", ["table", "page", "writing"])
def test_text_needs_neither_matplotlib_nor_what_trains(module: str) -> None:
    heavy = {"matplotlib", "sklearn", "scipy", "tensorflow", "keras", "onnx"}
    assert python(f"import sys, edgeclf.benchmarks.bench.{module}; print({heavy} & {{*sys.modules}})") == "set()\n"


def test_a_figure_needs_nothing_that_trains() -> None:
    heavy = {"sklearn", "scipy", "tensorflow", "keras", "onnx"}
    assert python(f"import sys, edgeclf.benchmarks.bench.plot; print({heavy} & {{*sys.modules}})") == "set()\n"
