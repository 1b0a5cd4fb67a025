"""Examines and adopts model files, whatever their format."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.adoption.adopted import Adopted
from edgeclf.runtime.model.adoption.adopted_card import head_of, shown_head
from edgeclf.runtime.model.adoption.network import Network
from edgeclf.runtime.model.backend import open_backend
from edgeclf.runtime.model.conventions.facts import Fact, Facts
from edgeclf.runtime.model.formats import model_format
from edgeclf.runtime.model.output_contract import find_output_problem, probe_images


class MissingEngineError(ModelError):
    """The engine that reads files of this format is not installed."""


def examine(path: Path, data: bytes) -> Network:
    """What the graph of an ONNX or TFLite classifier shows. Nothing in the file is run.

    path: names the file in errors. Raises ModelError for anything but a classifier of images.
    """
    if model_format(path) == "ONNX":
        from edgeclf.runtime.model.adoption.onnx_network import examine_onnx

        return examine_onnx(path, data)
    _require_litert(path)
    from edgeclf.runtime.model.adoption.tflite_network import examine_tflite

    return examine_tflite(path, data)


def adopt(path: Path, data: bytes, facts: Facts, training: dict[str, Any]) -> Adopted:
    """The file at `path`, whose bytes are `data`, under the model contract.

    facts: complete, except for the size and the head where the graph decides them. If the graph leaves the head open, the
    model's answers to test images decide. training: for the card.
    Raises ModelError or OptionError, and HeadError if the head stays open.
    """
    network = examine(path, data)
    if facts.head is not None or shown_head(network) is not None:
        return _adopt(path, data, facts, training)
    adopted = _adopt(path, data, replace(facts, head=Fact("softmax", "test images")), training)
    if not _returns_probabilities(path, adopted, network):
        head_of(path, network, None)  # says what is open
    return adopted


def _adopt(path: Path, data: bytes, facts: Facts, training: dict[str, Any]) -> Adopted:
    if model_format(path) == "ONNX":
        from edgeclf.runtime.model.adoption.onnx_surgery import adopt_onnx

        return adopt_onnx(path, data, facts, training)
    _require_litert(path)
    from edgeclf.runtime.model.adoption.tflite_surgery import adopt_tflite

    return adopt_tflite(path, data, facts, training)


def _returns_probabilities(path: Path, adopted: Adopted, network: Network) -> bool:
    backend = open_backend(path, "cpu", 1, data=adopted.data)
    outputs = np.concatenate([backend.run(image) for image in probe_images(backend.input_shape)])
    is_finite = bool(np.isfinite(outputs).all())
    return is_finite and not find_output_problem(outputs, backend.output_levels, lambda: network.last_operation)


def _require_litert(path: Path) -> None:
    try:
        import ai_edge_litert  # noqa: F401
    except ImportError:
        raise MissingEngineError(f"{path} needs LiteRT, which is not installed: pip install 'edgeclf[litert]'") from None
