"""A training in a file: `run.toml` as people write it, or the `options.json` of a run; flags go before both."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.spelling import advice
from edgeclf.train.options import MADE_WITH, TrainOptions, flag_values

_PLACE = ("output", "name")
"""Where a run went; a repeated run goes to a folder of its own."""


def read_config(path: Path) -> dict[str, Any]:
    """The values in a file, by the names of TrainOptions' flags. Raises OptionError for a file or a name that does not fit.

    In TOML, tables such as `[training]` only group the names. In `options.json`, null stands for what was not given.
    """
    is_json = path.suffix.lower() == ".json"
    known = [name for name, _ in flag_values(TrainOptions())]
    values = {}
    for name, value in _entries(_load(path, is_json=is_json)):
        key = name.replace("-", "_")
        if is_json and (value is None or key in (*_PLACE, MADE_WITH)):
            continue
        if key not in known:
            names = [each.replace("_", "-") for each in known]
            raise OptionError(f"{path} sets {name!r}, which is no option of clf-train; {advice(name, names)}")
        if isinstance(value, Mapping):
            raise OptionError(f"{path} sets {name} to a table; give one value")
        values[key] = ",".join(map(str, value)) if isinstance(value, list) else value
    return values


def to_toml(options: TrainOptions) -> str:
    """The options as `read_config` reads them, with absolute paths. What is not set is left out."""
    values = {name: value for name, value in json.loads(options.to_json()).items() if name not in _PLACE}
    lines = [f"{name.replace('_', '-')} = {json.dumps(value)}" for name, value in values.items() if value not in (None, "")]
    return "\n".join(lines) + "\n"


def _load(path: Path, *, is_json: bool) -> dict[str, Any]:
    try:
        text = path.read_text("utf-8", "surrogateescape" if is_json else "strict")
        content = json.loads(text) if is_json else tomllib.loads(text)
    except OSError as error:
        raise OptionError(
            f"cannot read --config {path}: {error.strerror}; name a .toml file, or a run's options.json"
        ) from None
    except (ValueError, RecursionError) as error:
        kind = "JSON" if is_json else "TOML"
        raise OptionError(f"--config {path} is not {kind} ({error}); clf-train --show-config prints an example") from None
    if not isinstance(content, dict):
        raise OptionError(f"--config {path} holds no options; clf-train --show-config prints an example")
    return content


def _entries(content: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Names and values, those inside one level of tables included."""
    found: list[tuple[str, Any]] = []
    for name, value in content.items():
        found += value.items() if isinstance(value, dict) and name != MADE_WITH else [(name, value)]
    return found
