"""Runs an ONNX network from another tool for the first time, within a time limit."""

from pathlib import Path
from threading import Timer
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from edgeclf.runtime.cores import usable_cores
from edgeclf.runtime.errors import ModelError, first_line
from edgeclf.runtime.model.providers import open_session

_MAX_ANSWER_S = 60.0
"""For a few images; a loop without end is stopped after this."""


class EndlessError(ModelError):
    """A network that does not come to an end."""


class Trial:
    """A network on the CPU. Raises ModelError if onnxruntime cannot load it. path: names the file in errors."""

    def __init__(self, path: Path, model: Any) -> None:
        self._path = path
        self._session = open_session(path, serialize(path, model), "cpu", usable_cores())

    def answer(self, output: bytes, feeds: dict[bytes, NDArray[Any]]) -> NDArray[Any]:
        """One output for these inputs. Raises ModelError if the network fails, EndlessError if it takes too long."""
        options = ort.RunOptions()
        timer = Timer(_MAX_ANSWER_S, setattr, (options, "terminate", True))
        timer.start()
        try:
            named = {name.decode(): values for name, values in feeds.items()}
            return np.asarray(self._session.run([output.decode()], named, options)[0])
        except Exception as error:  # onnxruntime's error classes share no other base
            if options.terminate:
                raise EndlessError(
                    f"{self._path} has no answer after {_MAX_ANSWER_S:g} s; it may hold an endless loop"
                ) from None
            raise ModelError(f"{self._path} fails on an image ({first_line(error)}); export it again") from None
        finally:
            timer.cancel()


def serialize(path: Path, model: Any) -> bytes:
    """The model as a file. Raises ModelError if it is too large for one."""
    try:
        data: bytes = model.SerializeToString()
    except Exception as error:  # protobuf's EncodeError has another home in each version
        raise ModelError(f"{path} cannot be written as one ONNX file ({first_line(error)})") from None
    return data
