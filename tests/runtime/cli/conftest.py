"""What the tests of the runtime's commands share: `clf-run` in this process, and a folder of images."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
import typer.testing

from edgeclf.runtime.cli.clf_run import app
from tests.conftest import Invoke


def rows_of(text: str) -> list[dict[str, str]]:
    """The rows of a CSV text."""
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.fixture
def clf_run(in_process: Callable[[typer.Typer], Invoke], monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """`clf-run` in this process and in the test's own folder: some twenty times as fast as in a process of its own."""
    monkeypatch.setattr(typer.testing.BytesIOCopy, "name", "<stdout>", raising=False)  # as the real stdout has it
    return in_process(app)


@pytest.fixture
def photos(tmp_path: Path, png: bytes) -> Path:
    """Three good images, and a text file, in the test's own folder."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.png", "b.png", "c.png"):
        (folder / name).write_bytes(png)
    (folder / "notes.txt").write_text("x")
    return folder
