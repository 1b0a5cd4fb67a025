"""Hostile SavedModel folders are refused in one sentence, and nothing in them runs."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from edgeclf.runtime.errors import ModelError
from edgeclf.train.keras_file.saved_model_allowlist import CALLS, LOOPS, OPERATIONS, VARIABLES
from edgeclf.train.keras_file.saving import load_network
from tests.support.saved_models import change_graph, write_saved_model, write_tensorflow_1


def refusal(path: Path) -> str:
    with pytest.raises(ModelError, match=r"^[^\n]+$") as refused:
        load_network(path)
    assert str(path) in str(refused.value)
    return str(refused.value)


def _write_file(scores: tf.Tensor) -> tf.Tensor:
    with tf.control_dependencies([tf.io.write_file("marker", "x")]):
        return tf.identity(scores)


def _python(scores: tf.Tensor) -> tf.Tensor:
    return tf.ensure_shape(tf.py_function(lambda x: (Path("marker").touch(), x)[1], [scores], tf.float32), (None, 3))


def _read_file(scores: tf.Tensor) -> tf.Tensor:
    return scores + tf.cast(tf.strings.length(tf.io.read_file("/etc/hostname")), tf.float32)


def _table(scores: tf.Tensor) -> tf.Tensor:
    raw = tf.raw_ops.HashTableV2(key_dtype=tf.int64, value_dtype=tf.float32)
    return scores + tf.raw_ops.LookupTableFindV2(table_handle=raw, keys=tf.argmax(scores, -1), default_value=0.0)[:, None]


def _print(scores: tf.Tensor) -> tf.Tensor:
    with tf.control_dependencies([tf.print("x")]):
        return tf.identity(scores)


def _endless(scores: tf.Tensor) -> tf.Tensor:
    return tf.while_loop(lambda x: tf.constant(True), lambda x: [x], [scores])[0]


def _random(scores: tf.Tensor) -> tf.Tensor:
    return scores + tf.random.uniform(tf.shape(scores))


HOSTILE: dict[str, tuple[Callable[[tf.Tensor], tf.Tensor], str]] = {
    "writes a file": (_write_file, "the operation WriteFile"),
    "runs Python": (_python, "the operation EagerPyFunc"),
    "reads a file": (_read_file, "the operation ReadFile"),
    "a table": (_table, "the operation HashTableV2"),
    "prints": (_print, "the operation StringFormat"),
    "an endless loop": (_endless, "a loop or a branch (StatelessWhile), which may never end"),
    "random": (_random, "the operation RandomUniform"),
    "saves": (
        lambda x: (
            x
            + tf.cast(
                tf.size(
                    tf.raw_ops.RestoreV2(prefix="/etc/x", tensor_names=["a"], shape_and_slices=[""], dtypes=[tf.float32])
                ),
                tf.float32,
            )
        ),
        "the operation RestoreV2",
    ),
}


@pytest.mark.parametrize(("then", "problem"), HOSTILE.values(), ids=HOSTILE)
def test_an_operation_with_an_effect_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: Callable[[tf.Tensor], tf.Tensor], problem: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_saved_model(tmp_path / "saved", then)
    assert problem in refusal(tmp_path / "saved")
    assert os.listdir(tmp_path) == ["saved"]


def test_what_runs_when_tensorflow_loads_the_folder_does_not_run(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    write_tensorflow_1(tmp_path / "saved", use_resource=True)

    def add_initialiser(meta: Any) -> None:
        with tf.Graph().as_default() as graph:
            tf.raw_ops.WriteFile(filename=str(marker), contents="x", name="evil")
        meta.graph_def.node.extend(graph.as_graph_def().node)
        meta.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"].name = "evil"

    change_graph(tmp_path / "saved", add_initialiser)
    load_network(tmp_path / "saved")
    assert not marker.exists()
    tf.saved_model.load(str(tmp_path / "saved"))
    assert marker.exists()


def _unknown_operation(meta: Any) -> None:
    _function(meta).node_def[0].op = "FreeStyle"


def _calls_itself(meta: Any) -> None:
    call = next(node for node in meta.graph_def.node if node.op in CALLS)
    _function(meta).node_def.add(name="again", op="PartitionedCall").attr["f"].func.name = call.attr["f"].func.name


def _calls_without_number(meta: Any) -> None:
    """Each function calls the next one twice: a million times a million operations."""
    library = meta.graph_def.library
    for number in range(40):
        function = library.function.add()
        function.signature.name = f"level_{number}"
        for side in "ab":
            called = f"level_{number + 1}" if number < 39 else "Identity"
            function.node_def.add(name=side, op=called)
    _function(meta).node_def.add(name="first", op="level_0")


def _huge_constant(meta: Any) -> None:
    node = _function(meta).node_def.add(name="huge", op="Const")
    node.attr["value"].tensor.tensor_shape.dim.add(size=1 << 40)


def _missing_node(meta: Any) -> None:
    meta.signature_def["serving_default"].outputs["output_0"].name = "nothing:0"


def _function(meta: Any) -> Any:
    call = next(node for node in meta.graph_def.node if node.op in CALLS)
    return next(one for one in meta.graph_def.library.function if one.signature.name == call.attr["f"].func.name)


CHANGED: dict[str, tuple[Callable[[Any], None], str]] = {
    "an unknown operation": (_unknown_operation, "the operation FreeStyle"),
    "a function that calls itself": (_calls_itself, "functions that call each other without end"),
    "functions that multiply": (_calls_without_number, "runs more than 100,000 operations"),
    "a huge constant": (_huge_constant, "constants of more than 268,435,456 numbers"),
    "a missing node": (_missing_node, "lacks the node 'nothing'"),
}


@pytest.mark.parametrize(("change", "problem"), CHANGED.values(), ids=CHANGED)
def test_a_graph_that_tensorflow_never_writes_is_refused(
    tmp_path: Path, change: Callable[[Any], None], problem: str
) -> None:
    write_saved_model(tmp_path / "saved")
    change_graph(tmp_path / "saved", change)
    assert problem in refusal(tmp_path / "saved")


def _link_graph(path: Path) -> None:
    (path / "saved_model.pb").rename(path / "other.pb")
    (path / "saved_model.pb").symlink_to(path / "other.pb")


def _link_variables(path: Path) -> None:
    (path / "variables").rename(path / "elsewhere")
    (path / "variables").symlink_to(path / "elsewhere")


def _link_shard(path: Path) -> None:
    (path / "variables" / "more").symlink_to("/dev/zero")


def _pipe(path: Path) -> None:
    (path / "saved_model.pb").unlink()
    os.mkfifo(path / "saved_model.pb")


def _many_parts(path: Path) -> None:
    """In the middle of a graph: nodes of two bytes, each of which would take 50 times as much memory."""
    nodes = b"\x0a\x00" * 6_000_000
    graph = b"\x12" + _varint(len(nodes)) + nodes
    (path / "saved_model.pb").write_bytes(b"\x12" + _varint(len(graph)) + graph)


def _varint(number: int) -> bytes:
    low, rest = number & 127, number >> 7
    return bytes([low | 128]) + _varint(rest) if rest else bytes([low])


def _large(path: Path) -> None:
    os.truncate(path / "saved_model.pb", 1 << 30)


def _large_variables(path: Path) -> None:
    os.truncate(path / "variables" / "variables.data-00000-of-00001", 5 << 30)


def _damaged(path: Path) -> None:
    (path / "saved_model.pb").write_bytes(b"not a graph")


def _without_variables(path: Path) -> None:
    (path / "variables" / "variables.index").unlink()


def _cut_index(path: Path) -> None:
    os.truncate(path / "variables" / "variables.index", 40)


FOLDERS: dict[str, tuple[Callable[[Path], None], str]] = {
    "a link for the graph": (_link_graph, "is not a regular file"),
    "a link for the variables": (_link_variables, "variables/ is a link"),
    "a link among the variables": (_link_shard, "is not a regular file"),
    "a pipe": (_pipe, "is not a regular file"),
    "an empty graph": (lambda path: os.truncate(path / "saved_model.pb", 0), "saved_model.pb is empty"),
    "a large graph": (_large, "saved_model.pb takes 1,074 MB"),
    "large variables": (_large_variables, "holds 5.4 GB of weights"),
    "not a graph": (_damaged, "is damaged or not a SavedModel"),
    "lost variables": (_without_variables, "variables/ cannot be read"),
    "a cut index": (_cut_index, "variables/ cannot be read"),
    "a graph of many parts": (_many_parts, "it has more parts than any network needs"),
}


@pytest.mark.parametrize(("spoil", "problem"), FOLDERS.values(), ids=FOLDERS)
def test_a_folder_that_is_not_what_it_seems_is_refused(tmp_path: Path, spoil: Callable[[Path], None], problem: str) -> None:
    write_saved_model(tmp_path / "saved")
    spoil(tmp_path / "saved")
    assert problem in refusal(tmp_path / "saved")


def test_every_allowed_operation_is_one_of_tensorflow_that_keeps_no_state() -> None:
    from tensorflow.python.framework import op_def_registry

    for name in OPERATIONS - {"ReadVariableOp", "Placeholder"}:
        definition = op_def_registry.get(name)
        assert definition is not None, name
        assert not definition.is_stateful, name
        kinds = [argument.type for argument in (*definition.input_arg, *definition.output_arg)]
        assert tf.resource.as_datatype_enum not in kinds, name
    assert not OPERATIONS & (CALLS | LOOPS | VARIABLES)
