"""Brings an ONNX classifier from another tool under the model contract by editing its graph, without the onnx package."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.adoption.adopted import Adopted
from edgeclf.runtime.model.adoption.adopted_card import card_for, image_size
from edgeclf.runtime.model.adoption.onnx_batch import settle_batch
from edgeclf.runtime.model.adoption.onnx_edit import GraphEditor
from edgeclf.runtime.model.adoption.onnx_ends import add_back, add_front
from edgeclf.runtime.model.adoption.onnx_external import bring_inside
from edgeclf.runtime.model.adoption.onnx_graph import graphs
from edgeclf.runtime.model.adoption.onnx_network import find_ends, network_of
from edgeclf.runtime.model.adoption.onnx_safety import read_model
from edgeclf.runtime.model.adoption.onnx_trial import serialize
from edgeclf.runtime.model.adoption.onnx_width import measure_width
from edgeclf.runtime.model.backend import INPUT, OUTPUT
from edgeclf.runtime.model.card import CARD_KEY, ModelCard
from edgeclf.runtime.model.conventions.facts import Facts
from edgeclf.runtime.model.digest import BLANK_DIGEST, DIGEST_KEY, embed_digest
from edgeclf.runtime.model.onnx_schema import FLOAT, UINT8

_OLDEST_OPSET = 7
_OLDEST_IR = 4
"""The first version in which weights need not be listed among the inputs."""


def adopt_onnx(path: Path, data: bytes, facts: Facts, training: dict[str, Any]) -> Adopted:
    """The classifier in `data` under the model contract.

    path: names the file in errors; weights in other files are looked for beside it. facts: complete, except for the size and
    the head where the graph decides them. training: goes into the card.
    Raises ModelError if the file is no classifier or cannot be adopted, and OptionError for a fact that is missing or does
    not fit.
    """
    model = read_model(path, data)
    ends = find_ends(path, model)
    _check_opset(path, model)
    bring_inside(path, model)
    network = network_of(path, model, ends)
    if network.outputs is None:
        size_hw = image_size(path, network, facts.size_hw)
        network = replace(network, outputs=measure_width(path, model, ends, network, size_hw))
    card = card_for(path, network, facts, training)
    editor = GraphEditor(model)
    for name in (INPUT, OUTPUT):
        editor.make_way(name.encode())
    add_front(path, editor, network, facts, ends.input.name)
    add_back(editor, ends, card.head, network.outputs or 0)
    editor.sort()
    _declare_ends(model, card)
    one_by_one = settle_batch(path, model, network.dtype, network.batch)
    return Adopted(_pack(path, model, card), card, one_by_one)


def _check_opset(path: Path, model: Any) -> None:
    opset = next((one.version for one in model.opset_import if one.domain in (b"", b"ai.onnx")), 0)
    if opset < _OLDEST_OPSET:
        problem = f"{path} has opset {opset}, which onnxruntime no longer runs"
        raise ModelError(f"{problem}; export it with opset {_OLDEST_OPSET} or later")


def _declare_ends(model: Any, card: ModelCard) -> None:
    """One input and one output, with any batch; what the file says about the shapes inside may no longer be true."""
    model.ir_version = max(model.ir_version, _OLDEST_IR)
    for graph in graphs(model):
        graph.ClearField("value_info")
        graph.ClearField("quantization_annotation")
    model.graph.ClearField("input")
    model.graph.ClearField("output")
    declared = (
        (model.graph.input, INPUT, UINT8, card.preprocess.shape),
        (model.graph.output, OUTPUT, FLOAT, (len(card.classes),)),
    )
    for values, name, kind, shape in declared:
        tensor = values.add(name=name.encode()).type.tensor_type
        tensor.elem_type = kind
        tensor.shape.dim.add(dim_param=b"batch")
        for side in shape:
            tensor.shape.dim.add(dim_value=side)


def _pack(path: Path, model: Any, card: ModelCard) -> bytes:
    own = (CARD_KEY.encode(), DIGEST_KEY.encode())
    kept = [(entry.key, entry.value) for entry in model.metadata_props if entry.key not in own]
    model.ClearField("metadata_props")
    for key, value in (*kept, (own[0], card.to_json().encode()), (own[1], BLANK_DIGEST.encode())):
        model.metadata_props.add(key=key, value=value)
    return embed_digest(serialize(path, model))
