"""Everything from images to a table in a real Jupyter kernel, with what a reader of the notebook sees."""

import re
from typing import Any

import nbclient
import nbformat
import pytest

from tests.support.drawings import write_images

pytestmark = pytest.mark.slow

CELLS = [
    """
import edgeclf
run = edgeclf.train("shapes/", model="cnn", imgsz=32, epochs=2)
run
""",
    """
exported = edgeclf.export(run, formats="onnx")
exported
""",
    """
classifier = edgeclf.Classifier.open(exported.model, threads=1)
edgeclf.classify("shapes/", classifier).to_dataframe()
""",
    """
classifier.predict("shapes/disc/disc000.png")
""",
    """
import time
from edgeclf.runtime.terminal.progress import Progress
with Progress("counting", 400) as progress:
    for _ in range(400):
        progress.advance()
        time.sleep(0.005)
""",
    """
edgeclf.train("nothing/")
""",
]


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The cells with their outputs, as they are stored in the file of the notebook."""
    folder = tmp_path_factory.mktemp("notebook")
    write_images(folder / "shapes", 30)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    nbclient.NotebookClient(
        notebook, timeout=120, allow_errors=True, resources={"metadata": {"path": str(folder)}}
    ).execute()
    return notebook.cells


def outputs(cell: Any, kind: str) -> list[Any]:
    return [output for output in cell.outputs if output.output_type == kind]


def shown(cell: Any) -> dict[str, str]:
    """The value of a cell, by media type."""
    return dict(outputs(cell, "execute_result")[0].data)


def test_nothing_looks_like_a_warning_or_is_printed_with_escapes(cells: list[Any]) -> None:
    streams = [output for cell in cells for output in outputs(cell, "stream")]

    assert [stream.text for stream in streams if stream.name == "stderr"] == []
    assert [stream.text for stream in streams if re.search(r"(?i)\x1b|\r|warn", stream.text)] == []


def test_progress_is_one_line_in_each_cell(cells: list[Any]) -> None:
    lines = [outputs(cell, "display_data") for cell in cells]

    assert [len(found) for found in lines] == [1, 1, 1, 0, 1, 0]
    assert lines[0][0].data["text/plain"].startswith("epoch 2/2: 48 of 48 images")
    assert lines[2][0].data["text/plain"].startswith("classifying: 60 of 60 images")
    assert lines[4][0].data["text/plain"].startswith("counting: 400 of 400 images")


def test_a_run_and_an_export_say_what_was_reached(cells: list[Any]) -> None:
    run, exported = shown(cells[0]), shown(cells[1])

    assert re.fullmatch(r"Run\('runs/shapes', test accuracy .*% \(95 % interval .*\) on 6 images.*\)", run["text/plain"])
    assert re.fullmatch(r"Export\(model.onnx passed \(.*\); ship model.onnx\)", exported["text/plain"])
    assert all(value["text/html"].startswith("<table ") for value in (run, exported))


def test_a_folder_is_a_table_and_an_image_is_shown_with_its_answer(cells: list[Any]) -> None:
    table, answer = shown(cells[2]), shown(cells[3])

    assert table["text/html"].count(".png</td>") == 60
    assert re.fullmatch(r"Prediction\(label='\w+', confidence=0\.\d+, novelty=\d\.\d+\)", answer["text/plain"])
    assert answer["text/html"].count('src="data:image/jpeg;base64,') == 1


def test_a_mistake_is_an_error_in_one_sentence(cells: list[Any]) -> None:
    (error,) = outputs(cells[5], "error")

    assert error.ename == "DatasetError"
    assert error.evalue.startswith("nothing does not exist")
