"""The files of a SavedModel folder of TensorFlow, checked before anything of them is opened by TensorFlow.

A SavedModel is a program. What it may compute is checked in `saved_model_program.py`.
"""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.protobuf_parts import Inner, check_parts

GRAPH_FILE = "saved_model.pb"
VARIABLES = "variables"
MAX_GRAPH_BYTES = 128 << 20
"""Maximum size of the graph. With its weights beside it, that of the largest network of keras.applications takes 30 MB."""
MAX_VARIABLE_BYTES = 1 << 30
"""Maximum size of the weights. A graph that holds them may not exceed 2 GB."""
_MAX_PARTS = 5_000_000
"""Several times as many as the graph of the largest network of keras.applications has."""
_MAX_FILES = 1_000
_CURE = "save the model again with model.export('folder')"


def is_saved_model(path: Path) -> bool:
    """Whether `path` is a folder that holds a SavedModel."""
    return path.is_dir() and (path / GRAPH_FILE).exists()


def check_saved_model(path: Path) -> None:
    """Raises ModelError unless the graph and the weights are regular files of a sensible size. Reads none of them."""
    size = _regular_size(path / GRAPH_FILE)
    if not size:
        raise ModelError(f"{path}: {GRAPH_FILE} is empty; copy the folder again")
    if size > MAX_GRAPH_BYTES:
        raise ModelError(
            f"{path}: {GRAPH_FILE} takes {size / 1e6:,.0f} MB, more than any graph needs; do not trust this folder"
        )
    weights = sum(map(_regular_size, _variable_files(path)))
    if weights > MAX_VARIABLE_BYTES:
        raise ModelError(
            f"{path} holds {weights / 1e9:.1f} GB of weights, more than edgeclf loads from a SavedModel; {_CURE}"
        )


def read_message(data: bytes, kind: Any) -> Any:
    """A protobuf message. kind: its class. Raises ValueError if it is damaged, or has more parts than any network needs."""
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    check_parts(data, _inner(kind.DESCRIPTOR, {}), _MAX_PARTS)
    try:
        return kind.FromString(data)
    except DecodeError as error:
        raise ValueError(str(error)) from None


def read_graph(path: Path) -> Any:
    """The MetaGraphDef for predictions. Raises ModelError."""
    from tensorflow.core.protobuf import saved_model_pb2

    try:
        model = read_message((path / GRAPH_FILE).read_bytes(), saved_model_pb2.SavedModel)
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: {GRAPH_FILE} is damaged or not a SavedModel ({error}); {_CURE}") from None
    found = [graph for graph in model.meta_graphs if "serve" in graph.meta_info_def.tags]
    if not found:
        raise ModelError(f"{path} holds no graph for predictions (with the tag 'serve'); {_CURE}")
    return found[0]


def _variable_files(path: Path) -> Iterator[Path]:
    """The files in `variables/`. There is no such folder if a network has no weights, or has them in its graph."""
    folder = path / VARIABLES
    if folder.is_symlink():
        raise ModelError(f"{path}: {VARIABLES}/ is a link; copy its files into the folder")
    if not folder.is_dir():
        return
    for number, file in enumerate(folder.iterdir()):
        if number == _MAX_FILES:
            raise ModelError(f"{path}: {VARIABLES}/ holds more than {_MAX_FILES:,} files; do not trust this folder")
        yield file


def _regular_size(file: Path) -> int:
    """Links could lead anywhere, and a pipe would block forever."""
    try:
        found = file.lstat()
    except OSError as error:
        raise ModelError(f"{file} cannot be read ({error.strerror}); make it readable") from None
    if not stat.S_ISREG(found.st_mode):
        raise ModelError(f"{file} is not a regular file; copy the files of the model themselves into its folder")
    return found.st_size


def _inner(message: Any, known: dict[str, Inner]) -> Inner:
    """The table that `check_parts` needs, of a message and of all messages in it."""
    if message.full_name not in known:
        table = known[message.full_name] = {}
        table |= {field.number: _inner(field.message_type, known) for field in message.fields if field.message_type}
    return known[message.full_name]
