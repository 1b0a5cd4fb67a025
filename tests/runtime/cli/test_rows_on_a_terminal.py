"""On a terminal, a row is a line to read; everywhere else, it is CSV or JSON as ever."""

import os
import re
import sys
from pathlib import Path

import pytest

from tests.support.outputs import columns
from tests.support.pseudo_terminal import on_a_terminal

CLF_RUN = Path(sys.executable).with_name("clf-run")


@pytest.fixture
def seen(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (photos / "d.png").write_bytes(b"")
    os.rename(photos / "a.png", photos / "a\x1b[31m.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    return photos


def test_a_person_sees_two_classes_of_each_image_and_why_one_failed(colour_model: Path, seen: Path) -> None:
    text = on_a_terminal("bash", "-c", f"{CLF_RUN} {colour_model} photos; exit 0", streams=["stdout"])
    assert re.sub(r"[\d.]+ %", "N %", text).splitlines() == [
        r"photos/a\x1b[31m.png   red N %   green N %",
        "photos/b.png           red N %   green N %",
        "photos/c.png           red N %   green N %",
        "photos/d.png           error: empty, the file holds 0 bytes",
    ]


@pytest.mark.parametrize(
    "how", [f"{CLF_RUN} %s photos | cat", f"{CLF_RUN} %s photos -o rows.csv; cat rows.csv"], ids=["pipe", "-o"]
)
def test_a_program_gets_csv(colour_model: Path, seen: Path, how: str) -> None:
    header, first, *_ = on_a_terminal("bash", "-c", f"{how % colour_model}; exit 0", streams=["stdout"]).splitlines()
    assert header == ",".join(columns())
    assert re.fullmatch(r"photos/a\\x1b\[31m.png,ok,red,[\d.]+,,.*", first)


def test_json_is_json_on_a_terminal_too(colour_model: Path, seen: Path) -> None:
    text = on_a_terminal("bash", "-c", f"{CLF_RUN} {colour_model} photos --json; exit 0", streams=["stdout"])
    assert [line[:8] for line in text.splitlines()] == ['{"path":'] * 4
