"""Reads the bytes of model files."""

import stat
from pathlib import Path

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.formats import check_content
from edgeclf.runtime.spelling import near

_MAX_BYTES = 2 << 30
"""The limit of protobuf and of flatbuffers."""


def read_bytes(path: Path, name: str = "") -> bytes:
    """The bytes of a model file. name: what to call it in errors; its path by default.

    Raises ModelError if it is missing, no regular file, larger than any engine takes, or only stands for a model.
    """
    name = name or str(path)
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise ModelError(f"{name} is a folder, not a model file; name the file itself")
        if not stat.S_ISREG(status.st_mode):
            raise ModelError(f"{name} is not a file")
        if status.st_size > _MAX_BYTES:
            raise ModelError(f"{name} is larger than {_MAX_BYTES >> 30} GB, which no engine of edgeclf can run")
        data = path.read_bytes()
    except FileNotFoundError:
        raise missing_model(path, name) from None
    except OSError as error:
        raise ModelError(f"cannot read the model {name}: {error.strerror}; make it readable, or copy it again") from None
    check_content(path, data)
    return data


def missing_model(path: Path, name: str = "") -> ModelError:
    """The error for a model that does not exist, with what may have been meant. name: as in `read_bytes`."""
    return ModelError(f"the model {name or path} does not exist; {near(path) or 'name one, or make one with clf-export'}")
