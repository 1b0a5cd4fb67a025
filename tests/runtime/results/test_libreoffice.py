"""LibreOffice opens what was written for spreadsheets and has the values, dates as dates."""

import shutil
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from edgeclf.runtime.results.sinks import open_sink
from edgeclf.runtime.terminal.escaping import unescape
from tests.runtime.results.test_other_tools import ROWS, SCHEMA, TIMES
from tests.support.outputs import cells, read_xlsx

SOFFICE = shutil.which("soffice")
AS_CSV = "CSV:44,34,76,1,,0,false,true,false"
"""As its dialog proposes: comma, quote, UTF-8, from the first line, with special numbers detected."""

pytestmark = pytest.mark.skipif(SOFFICE is None, reason="LibreOffice is not installed (apt install libreoffice-calc)")


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"-env:UserInstallation={tmp_path_factory.mktemp('profile').as_uri()}"


def opened(path: Path, profile: str) -> list[dict[str, Any]]:
    """The cells of the file, as LibreOffice took them, in a workbook that it wrote."""
    options = [f"--infilter={AS_CSV}"] if path.suffix == ".csv" else []
    line = [str(SOFFICE), "--headless", profile, *options, "--convert-to", "xlsx", "--outdir", str(path.parent / "out")]
    done = subprocess.run([*line, str(path)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return read_xlsx(path.parent / "out" / path.with_suffix(".xlsx").name)


@pytest.mark.parametrize(
    ("name", "excel", "timespec"),
    [("results.csv", False, ""), ("results.csv", True, "seconds"), ("results.xlsx", False, "milliseconds")],
    ids=["csv", "csv for excel", "xlsx"],
)
def test_libreoffice_has_the_values(name: str, excel: bool, timespec: str, profile: str, tmp_path: Path) -> None:
    with open_sink(str(tmp_path / name), SCHEMA, excel=excel) as sink:
        for row in ROWS:
            sink.write(row)

    found = opened(tmp_path / name, profile)

    assert len(found) == len(ROWS)
    for row, line in zip(ROWS, found, strict=True):
        text = {column: value for column, value in line.items() if isinstance(value, str)}
        read = {column: None if value in ("", None) else value for column, value in line.items()}
        read |= {column: unescape(value) for column, value in text.items()}
        assert read == expected(cells(row, ".csv", SCHEMA), timespec)


def expected(values: dict[str, Any], timespec: str) -> dict[str, Any]:
    """timespec: how exact times are; empty where a time with its zone stays text."""
    found = {column: None if value == "" else value for column, value in values.items()}
    for column in TIMES:
        if found[column] and (timespec or not found[column].endswith("Z")):
            moment = datetime.fromisoformat(found[column]).replace(tzinfo=None)
            found[column] = datetime.fromisoformat(moment.isoformat(timespec=timespec or "seconds"))
    return found
