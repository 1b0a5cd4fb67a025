"""The config of an untrusted network is refused unless Keras can build from it without harm."""

import json

import pytest

from edgeclf.runtime.errors import ModelError
from edgeclf.train.keras_file.config_check import check_config
from tests.support.keras_configs import Config, lambda_layer, layer, sequential

NUMBERS = {"class_name": "__numpy__", "config": {"value": 1, "dtype": "float32"}}
BROADCAST = layer("BroadcastTo", "keras.src.ops.numpy", shape=[60_000]) | {
    "inbound_nodes": [{"args": [NUMBERS], "kwargs": {"x": "__keras_tensor__"}}]
}
REFUSED = {
    "lambda": (lambda_layer(), "a Lambda layer, which can run any program"),
    "bare lambda": (layer("Dense", units={"class_name": "__lambda__", "config": {}}), "a lambda function"),
    "saved model": (layer("TFSMLayer", filepath="x"), "a TFSMLayer layer, which can run any program"),
    "torch": (layer("TorchModuleWrapper", module="x"), "a TorchModuleWrapper layer"),
    "jax": (layer("JaxLayer"), "a JaxLayer layer"),
    "text": (layer("TextVectorization"), "a TextVectorization layer, which no image classifier needs"),
    "vocabulary": (layer("StringLookup", vocabulary="/etc/passwd"), "a StringLookup layer"),
    "custom class": (layer("MyNet", "my_net"), "the class MyNet of the module my_net"),
    "custom function": (
        layer("Dense", units=3, activation={"module": "evil", "class_name": "function", "config": "run"}),
        "the function run of the module evil",
    ),
    "system": (layer("function", "os") | {"config": "system"}, "the function system of the module os"),
    "other module of keras": (layer("get_file", "keras.utils"), "the class get_file of the module keras.utils"),
    "wrong module": (layer("Dense", "keras.src.backend.torch"), "the class Dense of the module keras.src.backend"),
    "loop": (layer("WhileLoop", "keras.src.ops.core"), "the class WhileLoop"),
    "dotted name": (layer("a.b", "keras.src.ops.numpy"), "the class a.b"),
    "class that is not text": (layer(["Dense"]), "the class ['Dense']"),  # type: ignore[arg-type]
    "typespec": (layer("__typespec__", "os"), "the class __typespec__"),
    "huge dtype": (layer("__numpy__", None, value=[0], dtype="S2000000000"), "unknown type 'S2000000000'"),
    "call on numbers": (BROADCAST, "calls BroadcastTo without a tensor"),
    "units": (layer("Dense", units=400_000_000), "units = 400,000,000, and its weights take 600 bytes"),
    "filters": (layer("Conv2D", filters=400_000_000), "filters = 400,000,000"),
    "kernel": (layer("Conv2D", filters=1, kernel_size=[9_000_000, 9]), "kernel_size = 9,000,000"),
    "shape": (layer("Dense", units=1) | {"build_config": {"input_shape": [None, 60_000, 60_000]}}, "[None, 60000, 60000]"),
}
UNREADABLE = {
    "not json": (b"{", "cannot be read"),
    "not utf-8": (b'{"class_name": "\xff"}', "cannot be read"),
    "nan": (b'{"class_name": "Sequential", "config": NaN}', "NaN is not JSON"),
    "deep": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested too deeply"),
    "long number": (b'{"class_name": ' + b"9" * 10_000 + b"}", "cannot be read"),
    "list": (b"[]", "does not describe a network"),
}


def check(config: Config | bytes, weights_bytes: int = 600) -> None:
    text = config if isinstance(config, bytes) else json.dumps(config).encode()
    check_config(text, "model.keras", weights_bytes)


def refusal(config: Config | bytes) -> str:
    """The error, which is one line and names the file."""
    with pytest.raises(ModelError, match=r"^[^\n]*model\.keras[^\n]*$") as refused:
        check(config)
    return str(refused.value)


@pytest.mark.parametrize(("inner", "expected"), REFUSED.values(), ids=REFUSED)
def test_what_no_image_classifier_needs_is_refused_by_name(inner: Config, expected: str) -> None:
    assert expected in refusal(sequential(inner))


def test_a_refusal_of_a_custom_class_names_the_way_that_works() -> None:
    assert "edgeclf.export.run.export_network(network" in refusal(sequential(layer("MyNet", "my_net")))


def test_a_lambda_is_found_at_any_depth() -> None:
    inner = sequential(layer("Dense", units=1, extra=[[lambda_layer()]]))
    assert "ambda" in refusal(sequential(layer("TimeDistributed", layer=inner)))


def test_the_training_settings_are_ignored() -> None:
    check(sequential(layer("Dense", units=3)) | {"compile_config": {"loss": layer("MyLoss", "my_loss")}})


def test_large_layers_are_accepted_if_the_weights_can_fill_them() -> None:
    check(sequential(layer("Dense", units=100_000)), weights_bytes=400_000)


def test_a_seed_may_be_any_number() -> None:
    check(sequential(layer("Dropout", rate=0.5, seed=2**40)))


@pytest.mark.parametrize(("text", "expected"), UNREADABLE.values(), ids=UNREADABLE)
def test_an_unreadable_config_is_refused_with_the_cause(text: bytes, expected: str) -> None:
    assert expected in refusal(text)
