"""Imports Keras as edgeclf needs it: with TensorFlow, channels last, in float32, and without TensorFlow's log noise.

The noise: oneDNN notices, missing-GPU notices, deprecations that users cannot act on.
"""

import logging
import os
import warnings
from importlib.util import find_spec
from pathlib import Path

from edgeclf.runtime.errors import OptionError, first_line
from edgeclf.runtime.terminal.console import missing_extra, note


def quiet_tensorflow() -> None:
    """Call this before TensorFlow is imported. EDGECLF_VERBOSE=1 keeps the noise."""
    if os.environ.get("EDGECLF_VERBOSE"):
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for name in ("absl", "tensorflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # its errors are ours, in one sentence
    warnings.filterwarnings("ignore", module=r"(tensorflow|keras|tf2onnx|onnx|google)\b")


def load_keras() -> None:
    """As `import_keras`, and say so, because it takes seconds."""
    note("loading TensorFlow ...")
    import_keras()


def check_installed() -> None:
    """Raise ModuleNotFoundError if TensorFlow or Keras is not installed, without importing them."""
    for name in ("tensorflow", "keras"):
        if find_spec(name) is None:
            error = ModuleNotFoundError(f"No module named {name!r}", name=name)
            raise ModuleNotFoundError(missing_extra(error), name=name)


def import_keras() -> None:
    """Import Keras quietly, whatever `KERAS_BACKEND` and `keras.json` say. Call this before any module that needs Keras.

    Raises OptionError if `keras.json` has values that stop Keras.
    """
    quiet_tensorflow()
    os.environ["KERAS_BACKEND"] = "tensorflow"
    try:
        import keras
    except ImportError:
        raise
    except Exception as error:  # a wrong value is a ValueError, a list instead of settings an AttributeError
        path = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "keras.json"
        raise OptionError(f"Keras cannot use its settings in {path} ({first_line(error)}); correct or remove it") from None
    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
