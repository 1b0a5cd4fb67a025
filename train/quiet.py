"""Silences TensorFlow's log noise: oneDNN notices, missing-GPU notices, deprecations that users cannot act on."""

import logging
import os
import warnings


def quiet_tensorflow() -> None:
    """Call this before TensorFlow or Keras is imported. EDGECLF_VERBOSE=1 keeps the noise."""
    if os.environ.get("EDGECLF_VERBOSE"):
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for name in ("absl", "tensorflow", "tf2onnx"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"(tensorflow|keras|tf2onnx|onnx|google)\b")
