"""The files that a run writes, and what writing them needs."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edgeclf.benchmarks.bench.output_files import NAMES, check_folder, write_outputs
from edgeclf.benchmarks.bench.table import markdown
from edgeclf.runtime.errors import OutputError
from tests.support.bench_reports import make_report, make_result

ROOT = Path(__file__).parents[3]


def python(script: str, *arguments: object) -> str:
    """The output of a new interpreter."""
    line = [sys.executable, "-W", "error", "-c", script, *map(str, arguments)]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120).stdout


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    return write_outputs(make_report(), tmp_path_factory.mktemp("results") / "new" / "folder", "clf-bench runs/cells")


def test_four_files_are_written_and_returned(written: tuple[Path, ...]) -> None:
    assert [path.name for path in written] == ["bench.json", "bench.md", "bench.html", "pareto.png"]
    assert sorted(written) == sorted(written[0].parent.iterdir())


def test_the_json_is_the_whole_report(written: tuple[Path, ...]) -> None:
    assert json.loads(written[0].read_text()) == json.loads(json.dumps(make_report().to_json()))


def test_the_markdown_file_is_the_markdown_of_the_report(written: tuple[Path, ...]) -> None:
    assert written[1].read_text("utf-8") == markdown(make_report())


def test_the_plot_is_a_png_and_part_of_the_page(written: tuple[Path, ...]) -> None:
    assert written[3].read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert '<img width="' in written[2].read_text("utf-8")
    assert "clf-bench runs/cells" in written[2].read_text("utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_someone_else_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text('{"edgeclf": "mine"}')

    with pytest.raises(OutputError, match=f"{name} exists already"):
        check_folder(tmp_path)


def test_the_files_of_an_earlier_run_are_replaced(tmp_path: Path) -> None:
    write_outputs(make_report(), tmp_path)

    check_folder(tmp_path)


def test_names_may_hold_any_bytes(tmp_path: Path) -> None:
    report = make_report((make_result("caf\udce9\n.onnx", path="/caf\udce9\n.onnx"),))
    written = write_outputs(replace(report, images="caf\udce9"), tmp_path)
    assert json.loads(written[0].read_bytes())["results"][0]["name"] == "caf\udce9\n.onnx"
    assert [path.read_text("utf-8") for path in written[1:3]]


def test_a_folder_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot write"):
        write_outputs(make_report(), tmp_path / "file" / "bench")


WITHOUT_MATPLOTLIB = """
import sys
from pathlib import Path
sys.modules["matplotlib"] = None
from edgeclf.benchmarks.bench.output_files import write_outputs
from tests.support.bench_reports import make_report
sys.stderr = sys.stdout
print([path.name for path in write_outputs(make_report(), Path(sys.argv[1]))])
"""


def test_without_matplotlib_a_note_says_so_and_the_other_files_are_written(tmp_path: Path) -> None:
    note, names = python(WITHOUT_MATPLOTLIB, tmp_path).splitlines()
    assert "matplotlib" in note
    assert "edgeclf[bench]" in note
    assert names == "['bench.json', 'bench.md', 'bench.html']"
    assert "<img" not in (tmp_path / "bench.html").read_text()


def test_only_the_plot_needs_matplotlib_and_nothing_needs_what_trains() -> None:
    training = {"sklearn", "scipy", "tensorflow", "keras", "onnx"}
    script = f"""
import sys, edgeclf.benchmarks.bench.table, edgeclf.benchmarks.bench.page, edgeclf.benchmarks.bench.output_files
print({training | {"matplotlib"}} & {{*sys.modules}})
import edgeclf.benchmarks.bench.plot
print({training} & {{*sys.modules}})
"""
    assert python(script) == "set()\nset()\n"
