"""`clf-inspect runs/` shows the training runs in a folder, side by side."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import Result

from edgeclf.runtime.cli.clf_inspect import app
from edgeclf.runtime.inspection.runs import RunInfo, find_runs, run_row
from tests.support.trained_run import KEPT_RUN

METRICS = {"test": {"accuracy": 0.925, "accuracy_95_interval": [0.881, 0.958]}}
Inspect = Callable[..., Result]


@pytest.fixture
def inspect(in_process: Callable[[typer.Typer], Inspect]) -> Inspect:
    return in_process(app)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A finished run with an export, an unfinished one, a damaged one, and a folder that is no run."""
    folder = tmp_path / "runs"
    for name in ("cells", "cells-2", "damaged", "photos"):
        (folder / name).mkdir(parents=True)
    for name in ("cells", "cells-2", "damaged"):
        (folder / name / "options.json").write_text(json.dumps({"data": "photos", "recipe": None, "model": "cnn"}))
    for name in ("model.keras", "model.onnx"):
        shutil.copy(KEPT_RUN / name, folder / "cells")
    (folder / "cells" / "metrics.json").write_text(json.dumps(METRICS))
    (folder / "cells-2" / "checkpoint.npz").write_bytes(b"")
    (folder / "damaged" / "model.keras").write_bytes(b"PK")
    (folder / "damaged" / "metrics.json").write_text("[1]")
    (folder / "notes.txt").write_text("x")
    return folder


def test_every_run_is_a_row_and_what_is_unknown_a_dash(runs: Path) -> None:
    cells, unfinished, damaged = map(run_row, find_runs(runs))
    assert cells[:2] == ("cells", "cnn")
    assert cells[4:6] == ("92.5%", "88.1% to 95.8%")
    assert cells[7] == "model.keras, model.onnx"
    assert unfinished == ("cells-2", "cnn", "-", "-", "-", "-", "-", "unfinished")
    assert (damaged[0], damaged[2:6], damaged[7]) == ("damaged", ("-",) * 4, "model.keras")


def test_classes_and_training_images_are_those_of_the_card(runs: Path) -> None:
    run = find_runs(runs)[0]
    assert (run.classes, run.images) == (2, 48)


def test_a_run_itself_and_a_folder_without_runs_are_no_list_of_runs(runs: Path) -> None:
    assert find_runs(runs / "cells") == find_runs(runs / "photos") == find_runs(runs / "notes.txt") == []


def test_a_network_with_a_name_is_called_by_it() -> None:
    assert run_row(RunInfo("a\nb", "efficientnet-lite0"))[:2] == ("a\nb", "efficientnet-lite0")


def test_the_command_prints_a_table_or_json(runs: Path, inspect: Inspect) -> None:
    printed = inspect(runs)
    assert printed.exit_code == 0, printed.stderr
    assert [line.split()[0] for line in printed.stdout.splitlines()] == ["run", "cells", "cells-2", "damaged"]
    listed = json.loads(inspect(runs, "--json").stdout)
    assert [run["accuracy"] for run in listed] == [0.925, None, None]
