"""Operations that Keras 2 saved as layers become those of Keras 3, or the file is refused in one sentence."""

import json
from typing import Any

import pytest

from edgeclf.runtime.errors import ModelError
from edgeclf.train.keras_file.config_check import check_config
from edgeclf.train.keras_file.keras2_operations import to_operation
from tests.support.keras_configs import Config, sequential

ELLIPSIS = {"class_name": "__ellipsis__"}


def operation(function: str, *node: Any, kind: str = "TFOpLambda", **arguments: Any) -> Config:
    """One operation on the output of a layer `image`, as an `.h5` file has it."""
    config = {"name": f"tf.{function}", "trainable": True, "dtype": "float32", "function": function}
    node = node or ("image", 0, 0)
    return {"class_name": kind, "config": config, "name": f"tf.{function}", "inbound_nodes": [[*node, arguments]]}


def converted(layer: Config) -> tuple[str, Config, list[Any]]:
    """The class in Keras 3, its settings, and its arguments without the tensor."""
    to_operation(layer, "model.h5")
    (node,) = layer["inbound_nodes"]
    further = [one for one in node["args"] if not (isinstance(one, dict) and one["class_name"] == "__keras_tensor__")]
    return layer["class_name"], {k: v for k, v in layer["config"].items() if k != "name"}, further


SAME = {
    "a quotient": (operation("math.truediv", y=127.5, name=None), ("TrueDivide", {}, [127.5])),
    "a number first": (operation("math.subtract", "_CONSTANT_VALUE", -1, 1.0, y=["image", 0, 0]), ("Subtract", {}, [1.0])),
    "a name of TensorFlow 1": (
        operation("compat.v1.transpose", perm=[0, 2, 1, 3]),
        ("Transpose", {"axes": [0, 2, 1, 3]}, []),
    ),
    "the default of TensorFlow": (operation("nn.gelu"), ("Gelu", {"approximate": False}, [])),
    "a default in the file": (operation("transpose", perm=[0, 1], conjugate=False), ("Transpose", {"axes": [0, 1]}, [])),
}


@pytest.mark.parametrize(("layer", "expected"), SAME.values(), ids=SAME)
def test_an_operation_keeps_its_numbers(layer: Config, expected: tuple[str, Config, list[Any]]) -> None:
    assert converted(layer) == expected


OTHER = {
    "a file": (operation("io.read_file"), r"the operation tf\.io\.read_file as a layer"),
    "python": (operation("py_function"), r"the operation tf\.py_function as a layer"),
    "raw": (operation("raw_ops.WriteFile"), r"the operation tf\.raw_ops\.WriteFile as a layer"),
    "no name": (operation("math.add") | {"config": {}}, r"the operation tf\.None as a layer"),
    "another setting": (operation("transpose", perm=[0, 1], conjugate=True), "has conjugate=True"),
    "channels first": (operation("nn.bias_add", bias=[1.0], data_format="NCHW"), "has data_format=NCHW"),
    "no tensor": (operation("math.add", "_CONSTANT_VALUE", -1, 1.0, y=2.0), "is called without a tensor"),
    "an object for a number": (operation("math.add", y={"class_name": "Dense"}), "which is neither a tensor nor a number"),
    "an object for a setting": (operation("reshape", shape={"class_name": "Dense"}), "which is not a number"),
    "a tensor in a list": (operation("reshape", shape=[["image", 0, 0], 3]), "which is not a number"),
    "a tensor in brackets": (
        operation("__operators__.getitem", kind="SlicingOpLambda", slice_spec=[["image", 0, 0]]),
        "which is not a number",
    ),
    "many channels": (
        operation(
            "__operators__.getitem",
            kind="SlicingOpLambda",
            slice_spec=[ELLIPSIS, {"start": None, "stop": 10**9, "step": None}],
        ),
        "in a way that Keras 3 does not have",
    ),
    "a call of another kind": (operation("math.add") | {"inbound_nodes": [["image"]]}, "in a way that Keras 2 never writes"),
}


@pytest.mark.parametrize(("layer", "problem"), OTHER.values(), ids=OTHER)
def test_what_keras_3_does_not_compute_is_refused_by_name(layer: Config, problem: str) -> None:
    with pytest.raises(ModelError, match=rf"^model\.h5[^\n]* {problem}[^\n]*; save it [^\n]* as a SavedModel folder[^\n]*$"):
        to_operation(layer, "model.h5")


def test_a_file_with_another_operation_is_refused_before_keras_opens_it() -> None:
    config = json.dumps(sequential(operation("io.read_file"))).encode()
    with pytest.raises(ModelError, match=r"the operation tf\.io\.read_file"):
        check_config(config, "model.h5", 600)
