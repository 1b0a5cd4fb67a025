"""The card of an adopted model says what its own tool does; the graph has the last word about size and head."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from edgeclf.runtime.errors import ModelError, OptionError
from edgeclf.runtime.model.adoption.adopted_card import HeadError, card_for
from edgeclf.runtime.model.adoption.network import Network
from edgeclf.runtime.model.conventions.facts import Fact, Facts

PATH = Path("net.onnx")
CLASSES = ("ants", "bees", "cats")
NETWORK = Network("ONNX", "float32", True, (224, 224), 3, outputs=3, last_operation="Gemm")
FACTS = Facts(classes=Fact(CLASSES, "labels.txt"), resize=Fact("area", "config.json"), fit=Fact("crop", "config.json"))


def test_the_card_takes_the_facts_and_transparent_pixels_keep_their_colour() -> None:
    card = card_for(PATH, NETWORK, FACTS, {"adopted_from": "net.onnx"})

    assert (card.classes, card.head, card.training) == (CLASSES, "logits", {"adopted_from": "net.onnx"})
    shown = card.preprocess
    assert (shown.shape, shown.resize, shown.fit, shown.ground) == ((224, 224, 3), "area", "crop", "none")


@pytest.mark.parametrize(
    ("last", "outputs", "head"),
    [("Softmax", 3, "softmax"), ("Sigmoid", 1, "sigmoid"), ("LogSoftmax", 3, "logits")],
)
def test_the_last_operation_says_the_head(last: str, outputs: int, head: str) -> None:
    facts = replace(FACTS, classes=Fact(CLASSES[: max(outputs, 2)], "labels.txt"))

    assert card_for(PATH, replace(NETWORK, last_operation=last, outputs=outputs), facts, {}).head == head


def test_the_graph_wins_against_a_convention() -> None:
    facts = replace(FACTS, head=Fact("logits", "timm"), size_hw=Fact((96, 96), "config.json"))

    card = card_for(PATH, replace(NETWORK, last_operation="Softmax"), facts, {})

    assert (card.head, card.preprocess.size_hw) == ("softmax", (224, 224))


def test_a_fact_fills_in_what_the_graph_leaves_open() -> None:
    network = replace(NETWORK, last_operation="Div", size_hw=(None, None))
    facts = replace(FACTS, head=Fact("softmax", "--head"), size_hw=Fact((96, 128), "--imgsz"))

    card = card_for(PATH, network, facts, {})

    assert (card.head, card.preprocess.size_hw) == ("softmax", (96, 128))


@pytest.mark.parametrize(
    ("network", "facts", "message"),
    [
        ({}, {"classes": None}, "the classes of net.onnx are unknown; name them with --classes labels.txt"),
        ({"outputs": 4}, {}, "net.onnx returns 4 scores, but labels.txt names 3 classes; .*background class"),
        ({"outputs": 1}, {}, "net.onnx returns one score, .*, but labels.txt names 3 classes; name two"),
        ({"size_hw": (None, 224)}, {}, "net.onnx takes images of any size; .*--imgsz 224"),
        ({}, {"size_hw": Fact((96, 96), "--imgsz")}, "--imgsz 96 does not fit net.onnx, which takes 224; leave it out"),
        (
            {},
            {"head": Fact("softmax", "--head")},
            "--head softmax does not fit net.onnx, which ends with Gemm; leave it out",
        ),
        ({"last_operation": "Div"}, {}, "net.onnx ends with Div, so say what it returns: --head softmax"),
        ({"last_operation": ""}, {}, "net.onnx does not show how its outputs are made, so say what it returns: --head"),
    ],
)
def test_a_missing_or_contradicting_fact_is_named(
    network: dict[str, object], facts: dict[str, object], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        card_for(PATH, replace(NETWORK, **network), replace(FACTS, **facts), {})  # type: ignore[arg-type]


def test_one_yes_or_no_per_class_is_refused() -> None:
    with pytest.raises(ModelError, match=re.escape("net.onnx returns 3 sigmoids, one yes or no per class; ")):
        card_for(PATH, replace(NETWORK, last_operation="Sigmoid"), FACTS, {})


def test_one_number_without_a_sigmoid_is_a_regression_unless_the_user_says_otherwise() -> None:
    network = replace(NETWORK, outputs=1)
    facts = replace(FACTS, classes=Fact(("ants", "bees"), "labels.txt"))

    with pytest.raises(HeadError, match=r"net.onnx returns one number per image and ends with Gemm, as a regression does"):
        card_for(PATH, network, facts, {})
    assert card_for(PATH, network, replace(facts, head=Fact("logits", "--head")), {}).head == "logits"
