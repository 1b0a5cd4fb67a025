"""Rewrites the config of a network so that Keras 3 can build it, and TensorFlow can run it in float32.

Its weights stay as they are. Three kinds of files need it: networks trained in mixed precision or in another float type,
networks with names that TensorFlow does not take, and files of Keras 2.
"""

import re
from collections.abc import Iterator
from typing import Any

from edgeclf.train.keras_file.allowlist import POLICIES
from edgeclf.train.keras_file.keras2 import to_keras3

_OTHER_FLOATS = {"float16", "bfloat16", "float64", "mixed_float16", "mixed_bfloat16"}
_PLAIN_NAME = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.>-]*")
"""The names that TensorFlow takes for a scope. It takes a slash, too, which Keras 3 does not."""


def rewrite(config: dict[str, Any], name: str) -> None:
    """Change a config that `check_config` has accepted, in place. name: the file, for messages. Raises ModelError."""
    names: set[str] = set()
    for value in _dicts(config):
        _use_float32(value)
        if _is_object(value):
            to_keras3(value, name)
            names.add(value["config"].get("name"))
    _rename(config, {one for one in names if isinstance(one, str)})


def _use_float32(value: dict[str, Any]) -> None:
    """Mixed precision keeps weights in float32, so the network only becomes more accurate."""
    dtype = value.get("dtype")
    if isinstance(dtype, str) and dtype in _OTHER_FLOATS:
        value["dtype"] = "float32"
    if value.get("class_name") not in POLICIES or not isinstance(value.get("config"), dict):
        return
    if value["class_name"] == "Policy":  # of Keras 2
        value["class_name"] = "DTypePolicy"
    for key in ("name", "source_name"):
        if str(value["config"].get(key)) in _OTHER_FLOATS:
            value["config"][key] = "float32"


def _is_object(value: dict[str, Any]) -> bool:
    return isinstance(value.get("class_name"), str) and isinstance(value.get("config"), dict)


def _rename(config: dict[str, Any], names: set[str]) -> None:
    """Give layers with other names plain ones, wherever the config mentions them."""
    renamed: dict[str, str] = {}
    for old in sorted(names):
        if not _PLAIN_NAME.fullmatch(old):
            renamed[old] = _plain(old, names | set(renamed.values()))
    if not renamed:
        return
    for value in _containers(config):
        for key, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
            if isinstance(item, str) and item in renamed:
                value[key] = renamed[item]


def _plain(name: str, taken: set[str]) -> str:
    """
    >>> _plain("größe 1", {"gr__e_1"})
    'gr__e_1_2'
    """
    plain = re.sub(r"[^A-Za-z0-9_.>-]", "_", name)
    plain = plain if _PLAIN_NAME.fullmatch(plain) else f"layer{plain}"
    unique, number = plain, 1
    while unique in taken:
        number += 1
        unique = f"{plain}_{number}"
    return unique


def _dicts(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (value for value in _containers(config) if isinstance(value, dict))


def _containers(config: dict[str, Any]) -> Iterator[Any]:
    """The config and every dict and list in it. Not recursive, so any depth works."""
    waiting: list[Any] = [config]
    while waiting:
        value = waiting.pop()
        yield value
        waiting.extend(one for one in (value.values() if isinstance(value, dict) else value) if isinstance(one, dict | list))
