"""The contents of the ONNX file. test_contract.py checks its answers."""

from collections import Counter
from pathlib import Path

import onnx
import pytest


@pytest.fixture(scope="module")
def proto(exported_onnx: Path) -> onnx.ModelProto:
    return onnx.load(exported_onnx)


def test_engines_from_2022_can_read_the_file(proto: onnx.ModelProto) -> None:
    assert proto.ir_version <= 8
    assert [(opset.domain, opset.version) for opset in proto.opset_import if not opset.domain] == [("", 17)]


def test_only_standard_operators_are_used(proto: onnx.ModelProto) -> None:
    assert {node.domain for node in proto.graph.node} == {""}


def test_images_are_transposed_at_most_twice(proto: onnx.ModelProto) -> None:
    assert Counter(node.op_type for node in proto.graph.node)["Transpose"] <= 2


@pytest.mark.parametrize("operator", ["BatchNormalization", "Dropout", "Identity"])
def test_training_operators_are_removed(proto: onnx.ModelProto, operator: str) -> None:
    assert operator not in {node.op_type for node in proto.graph.node}


def test_the_file_is_self_contained(proto: onnx.ModelProto) -> None:
    assert not [tensor.name for tensor in proto.graph.initializer if tensor.external_data]


def test_the_checker_accepts_the_file(exported_onnx: Path) -> None:
    onnx.checker.check_model(exported_onnx, full_check=True)
