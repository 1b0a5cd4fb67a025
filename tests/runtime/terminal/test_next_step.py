"""The command that comes next can be pasted into a shell as it is."""

import shlex
from pathlib import Path

import pytest

from edgeclf.runtime.terminal.next_step import show_next


@pytest.mark.parametrize("name", ["a b.onnx", "it's.onnx", "$HOME.onnx", r"back\slash.onnx", "-dash.onnx", "näve.onnx"])
def test_a_file_name_survives_the_shell(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    show_next("clf-run", Path(name), "--device", "cpu")
    line = capsys.readouterr().err
    command, model, *rest = shlex.split(line.removeprefix("next: "))
    assert (command, Path(model), rest) == ("clf-run", Path(name), ["--device", "cpu"])
    assert not model.startswith("-")
    assert line.count("\n") == 1


def test_a_name_that_cannot_be_pasted_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    show_next("clf-run", Path("a\nb.onnx"))
    assert capsys.readouterr().err == ""
