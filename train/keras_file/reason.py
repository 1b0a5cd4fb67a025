"""What went wrong in Keras or TensorFlow, as part of one sentence.

Their messages begin with the config of a layer or the place in the graph, and name the reason after it.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from edgeclf.runtime.errors import EdgeclfError, ModelError

_MAX_LENGTH = 400
_CAUSE = "Exception encountered: "
_NO_REASON = re.compile(
    r"Graph execution error|Detected at node|File \"|Exception encountered when calling|\d root error|\(\d\) |"
    r"Arguments received by|\[\[\{\{node|Call arguments"
)
_COLOUR = re.compile(r"\x1b\[\d*m")
_PLACE = re.compile(r"\{\{function_node [^}]*\}\} ?|\s*\[(\[\{\{node .*|Op:[^\]]*\].*)")


CHANNELS_LAST_CURE = "build it with channels_last, copy its weights with set_weights, and save it again"
_CURES = {
    "NHWC": CHANNELS_LAST_CURE,
    "OOM": "use a machine with more memory",
}
_CURE = "call it in Keras with a batch of images to see where it fails, and save it again"


@contextmanager
def running(name: str) -> Iterator[None]:
    """Around the calls of a network: whatever it raises becomes a ModelError. name: the file or model, for the message."""
    try:
        yield
    except EdgeclfError:
        raise
    except Exception as error:  # layers and TensorFlow raise many classes without a common base
        why = reason(error)
        cure = next((cure for word, cure in _CURES.items() if word in why), _CURE)
        raise ModelError(f"{name} cannot be run by TensorFlow ({why}); {cure}") from None


def reason(error: BaseException) -> str:
    """The first line that says why, whole. Not the traceback, the config or the graph around it.

    >>> reason(TypeError("Error when deserializing class 'A' using config={}.\\n\\nException encountered: no 'groups'"))
    "no 'groups'"
    """
    message = _COLOUR.sub("", str(error)).rpartition(_CAUSE)[2]
    lines = [_PLACE.sub("", line).strip() for line in message.splitlines()]
    lines = [line for line in lines if line and not _NO_REASON.match(line)]
    if not lines:
        return type(error).__name__
    text = " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]
    return text.rstrip(".") if len(text) <= _MAX_LENGTH else f"{text[:_MAX_LENGTH].rpartition(' ')[0]} ..."
