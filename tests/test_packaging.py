"""Promises of the package files themselves."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_uv_pins_equal_the_constraints_file() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    pins = {line.partition(" ")[0] for line in (ROOT / "constraints.txt").read_text().splitlines()}
    assert set(project["tool"]["uv"]["constraint-dependencies"]) - pins == set()


def test_constraints_are_exact_and_name_no_address() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert [line for line in lines if not re.match(r"#|[a-z0-9-]+==[\w.]+( ; .+)?$", line)] == []
