"""The commands that the project installs."""

import tomllib
from pathlib import Path

_PROJECT = Path(__file__).parents[2] / "pyproject.toml"
SCRIPTS: dict[str, str] = tomllib.loads(_PROJECT.read_text("utf-8"))["project"]["scripts"]
"""By name: the module and the function that it calls, as `module:function`."""
