"""timm's `config.json`, in the form in which timm 1.0 writes it; older ones are flat."""

from typing import Any

import pytest

from edgeclf.runtime.errors import EdgeclfError, ModelError
from edgeclf.runtime.model.conventions.facts import Scaling
from tests.runtime.model.conventions.conftest import ReadBeside, classes_of, values_of

SETTINGS = {
    "tag": "a1_in1k",
    "custom_load": False,
    "input_size": [3, 224, 224],
    "test_input_size": [3, 288, 288],
    "fixed_input_size": False,
    "interpolation": "bicubic",
    "crop_pct": 0.95,
    "test_crop_pct": 1.0,
    "crop_mode": "center",
    "mean": [0.485, 0.456, 0.406],
    "std": [0.229, 0.224, 0.225],
    "num_classes": 3,
    "first_conv": "conv1",
    "classifier": "fc",
}
IMAGENET = Scaling((255 * 0.485, 255 * 0.456, 255 * 0.406), (255 * 0.229, 255 * 0.224, 255 * 0.225))


def config(**settings: object) -> dict[str, Any]:
    names = {"architecture": "resnet18", "num_classes": 3, "num_features": 512, "label_names": ["ant", "bee", "cat"]}
    return names | {"pretrained_cfg": SETTINGS | settings}


def test_the_settings_are_facts_with_their_origins(read_beside: ReadBeside) -> None:
    facts = read_beside({"config.json": config()})

    assert facts.tool == "timm"
    assert classes_of(facts) == (("ant", "bee", "cat"), "config.json (label_names)")
    assert facts.known()["crop_pct"].origin == "config.json (pretrained_cfg)"
    assert facts.known()["head"].origin == "timm's default"
    assert values_of(facts) == {
        "scaling": IMAGENET,
        "channels": "rgb",
        "size_hw": (224, 224),
        "resize": "pillow-bicubic",
        "fit": "crop",
        "crop_pct": 0.95,
        "crop_offset": "round",
        "head": "logits",
    }


def test_a_file_named_after_the_model_counts_first(read_beside: ReadBeside) -> None:
    other = config(crop_pct=0.8) | {"label_names": ["x", "y", "z"]}
    facts = read_beside({"timm_x.json": config(), "config.json": other, "labels.txt": "x\ny\n"}, "timm_x.onnx")
    assert classes_of(facts) == (("ant", "bee", "cat"), "timm_x.json (label_names)")
    assert values_of(facts)["crop_pct"] == 0.95


def test_a_flat_config_is_read(read_beside: ReadBeside) -> None:
    facts = read_beside({"config.json": {"architecture": "resnet18", "num_classes": 1000, **SETTINGS}})
    assert (values_of(facts)["scaling"], values_of(facts)["crop_pct"]) == (IMAGENET, 0.95)


def test_what_is_missing_is_timms_default(read_beside: ReadBeside) -> None:
    facts = read_beside({"config.json": {"architecture": "x", "num_classes": 3, "pretrained_cfg": {"tag": "x"}}})
    assert {name: fact.origin for name, fact in facts.known().items()} == dict.fromkeys(
        ("scaling", "channels", "resize", "fit", "crop_pct", "crop_offset", "head"), "timm's default"
    )
    assert (values_of(facts)["resize"], values_of(facts)["crop_pct"]) == ("pillow-bicubic", 0.875)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("center", {"fit": "crop"}),
        ("squash", {"fit": "stretch"}),
        ("border", {"fit": "pad", "pad_color": (124, 116, 104)}),
    ],
)
def test_each_crop_mode_is_a_fit(mode: str, expected: dict[str, object], read_beside: ReadBeside) -> None:
    found = values_of(read_beside({"config.json": config(crop_mode=mode)}))
    assert {name: found.get(name) for name in ("fit", "pad_color")} == {"pad_color": None, **expected}
    assert found["crop_pct"] == 0.95


def test_the_height_comes_before_the_width(read_beside: ReadBeside) -> None:
    assert values_of(read_beside({"config.json": config(input_size=[3, 160, 256])}))["size_hw"] == (160, 256)


def test_names_by_number_are_read(read_beside: ReadBeside) -> None:
    facts = read_beside({"config.json": config() | {"label_names": {"1": "bee", "0": "ant", "2": "cat"}}})
    assert classes_of(facts) == (("ant", "bee", "cat"), "config.json (label_names)")


def test_a_count_that_does_not_fit_the_names_is_refused(read_beside: ReadBeside) -> None:
    with pytest.raises(ModelError, match=r"names 3 classes, but num_classes in .*config\.json is 5"):
        read_beside({"config.json": config() | {"num_classes": 5}})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("mean", "0.485"),
        ("mean", [0.4, None, 0.4]),
        ("mean", [0.4] * 1000),
        ("mean", [True, True, True]),
        ("std", [0, 0.2, 0.2]),
        ("std", [1e300] * 3),
        ("crop_pct", "big"),
        ("crop_pct", 0.0),
        ("crop_pct", 1.5),
        ("crop_mode", "spiral"),
        ("interpolation", 3),
        ("input_size", [3, 224]),
        ("input_size", [3, 224, 10**9]),
        ("input_size", {"h": 1}),
        ("input_size", [3, 224.0, 224.0]),
    ],
)
def test_a_setting_of_the_wrong_kind_is_refused_by_name(key: str, value: object, read_beside: ReadBeside) -> None:
    with pytest.raises(EdgeclfError, match=rf"^[^\n]*config\.json[^\n]* {key} as [^\n]*$") as refused:
        read_beside({"config.json": config(**{key: value})})
    assert len(str(refused.value)) < 400
