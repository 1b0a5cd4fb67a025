"""The config.json of `.keras` files, harmless or hostile."""

from typing import Any

Config = dict[str, Any]


def layer(class_name: str, module: str | None = "keras.layers", **config: Any) -> Config:
    return {"module": module, "class_name": class_name, "config": config, "registered_name": None}


def sequential(*inner: Config) -> Config:
    """A network of an input and these layers."""
    return layer("Sequential", "keras", name="hostile", layers=[layer("InputLayer", batch_shape=[None, 8]), *inner])


def lambda_layer() -> Config:
    function = {"class_name": "__lambda__", "config": {"value": {"code": "x", "defaults": None, "closure": None}}}
    return layer("Lambda", name="evil", function=function)
