"""`clf-inspect` on models from other tools: what they say, what is missing, and what to do."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from edgeclf.runtime.cli.clf_inspect import app
from tests.support.foreign_onnx import foreign_onnx
from tests.support.foreign_tflite import Foreign, with_metadata

Invoke = Callable[..., Result]


@pytest.fixture
def inspect(in_process: Callable[..., Invoke]) -> Invoke:
    return in_process(app)


def rows_of(text: str) -> dict[str, str]:
    """The values of a report by their labels."""
    return {line[:15].strip(): line[15:] for line in text.splitlines() if line[:15].strip()}


def test_the_facts_their_origins_and_the_command(inspect: Invoke, tmp_path: Path) -> None:
    (tmp_path / "net.tflite").write_bytes(with_metadata(Foreign().to_bytes(), [127.5], [127.5]))

    done = inspect("net.tflite")

    rows = rows_of(done.stdout)
    assert (done.exit_code, done.stderr) == (0, "")
    assert rows["mean"] == "127.5 (of levels 0 to 255)  [TFLite metadata]"
    assert rows["size"] == "8 x 8 (H x W)  [the input]"
    assert rows["head"] == "softmax  [the last operation, SOFTMAX]"
    assert rows["missing"] == "its classes"
    assert rows["to do"] == "adopt it: clf-export net.tflite --classes labels.txt --data photos/"
    assert rows["contract"].startswith("kept once it is adopted (LiteRT ")
    assert rows["metadata"] == "name: net"


def test_json_has_all_of_it(inspect: Invoke, tmp_path: Path) -> None:
    (tmp_path / "net.tflite").write_bytes(with_metadata(Foreign().to_bytes(), [127.5], [127.5], b"ant\nbee\ncat\n"))

    report = json.loads(inspect("net.tflite", "--json").stdout)

    assert report["other_tool"]["facts"]["classes"] == {
        "value": ["ant", "bee", "cat"],
        "origin": "labels.txt inside the file",
    }
    assert (report["other_tool"]["runs_as_it_is"], report["contract"]["verdict"]) == (True, "kept")
    assert report["structure"]["metadata"] == {"name": "net"}


def test_a_file_in_an_archive_is_never_called_by_the_place_where_it_was_unpacked(inspect: Invoke, tmp_path: Path) -> None:
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed" / "net.tflite").write_bytes(Foreign().to_bytes())
    (tmp_path / "packed" / "labels.txt").write_text("ant\nbee\ncat\n")
    shutil.make_archive(str(tmp_path / "model"), "zip", tmp_path / "packed")

    done = inspect("model.zip")

    assert done.exit_code == 0, done.stderr
    assert rows_of(done.stdout)["file"] == "model.zip: net.tflite"
    assert rows_of(done.stdout)["to do"] == "adopt it: clf-export model.zip --scale 1/255 --data photos/"
    assert "/edgeclf-" not in done.stdout


def test_what_cannot_be_adopted_is_exit_code_2_with_its_reason(inspect: Invoke, tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(foreign_onnx(end="ArgMax").SerializeToString())

    done = inspect("net.onnx")

    assert done.exit_code == 2
    assert "the number of a class, as after an ArgMax" in done.stderr
    assert rows_of(done.stdout)["contract"] == "not tried: it cannot be adopted"


def test_a_fixed_batch_is_said(inspect: Invoke, tmp_path: Path) -> None:
    (tmp_path / "net.tflite").write_bytes(Foreign(fixed_batch=True).to_bytes())

    assert rows_of(inspect("net.tflite").stdout)["batch"].startswith("images are run one by one")


def test_a_saved_model_is_a_folder_with_something_to_do(inspect: Invoke, tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"x")

    done = inspect("saved")

    assert done.exit_code == 0, done.stderr
    assert rows_of(done.stdout)["to do"] == "adopt it: clf-export saved --classes labels.txt --data photos/"
