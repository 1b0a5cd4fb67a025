"""The card of a model from another tool, from what is known about it and what its graph shows."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from edgeclf.runtime.errors import ModelError, OptionError
from edgeclf.runtime.images.preprocess import MAX_SIDE, Preprocess
from edgeclf.runtime.model.adoption.network import Network
from edgeclf.runtime.model.card import Head, ModelCard
from edgeclf.runtime.model.conventions.facts import Fact, Facts, Scaling
from edgeclf.runtime.model.labels import count_advice
from edgeclf.runtime.terminal.console import show_size
from edgeclf.runtime.terminal.plural import plural

SOFTMAXES = {"Softmax", "QLinearSoftmax", "SOFTMAX"}
SIGMOIDS = {"Sigmoid", "QLinearSigmoid", "HardSigmoid", "LOGISTIC"}
_LOGITS = {
    *("Gemm", "MatMul", "Conv", "Add", "LogSoftmax", "GlobalAveragePool", "AveragePool", "ReduceMean", "FusedGemm"),
    *(
        "FusedMatMul",
        "QLinearMatMul",
        "QGemm",
        "QLinearConv",
        "QLinearAdd",
        "QLinearGlobalAveragePool",
        "QLinearAveragePool",
    ),
    *("DynamicQuantizeMatMul", "MatMulIntegerToFloat", "MatMulNBits"),
    *("FULLY_CONNECTED", "CONV_2D", "BATCH_MATMUL", "ADD", "LOG_SOFTMAX", "MEAN", "AVERAGE_POOL_2D"),
}
"""Last operations of ONNX and TFLite files whose results become probabilities by a softmax."""
_PREPROCESS = ("resize", "fit", "crop_pct", "crop_offset", "pad_color")


class HeadError(OptionError):
    """Nothing shows what a network returns, so its owner has to say it."""


def card_for(path: Path, network: Network, facts: Facts, training: dict[str, Any], levels: Any = None) -> ModelCard:
    """The card of the model at `path` after its adoption.

    facts: complete, except for the size and the head where the graph decides them. levels: see `Preprocess`.
    Raises OptionError if a fact is missing or does not fit the network, and ModelError if its outputs are no classes.
    """
    if facts.classes is None:
        raise OptionError(f"the classes of {path} are unknown; name them with --classes labels.txt")
    classes = facts.classes.value
    check_one_answer(path, network)
    _check_count(path, network, facts.classes)
    preprocess = preprocess_of(facts, (*image_size(path, network, facts.size_hw), network.channels))
    if levels is not None:
        preprocess = replace(preprocess, levels=levels)
    return ModelCard(classes, preprocess, head_of(path, network, facts.head), training)


def preprocess_of(facts: Facts, shape: tuple[int, int, int]) -> Preprocess:
    """How images are made for a model that takes `shape`, `(H, W, C)`. Raises OptionError."""
    given = {name: fact.value for name, fact in facts.known().items() if name in _PREPROCESS}
    if shape[2] == 1 and "pad_color" in given:
        given["pad_color"] = given["pad_color"][:1]
    # Nearly every other tool drops alpha, as Pillow's convert("RGB") does.
    return Preprocess(shape[:2], 1 if shape[2] == 1 else 3, ground="none", **given)


def training_facts(path: Path, facts: Facts) -> dict[str, Any]:
    """What a card tells about a model from elsewhere: its file, its tool, what has no field there, and all origins."""
    known = facts.known()
    inside: dict[str, Any] = {name: shown(known[name].value) for name in ("scaling", "channels") if name in known}
    origins = {name: fact.origin for name, fact in known.items()}
    return {"from": path.name, **({"tool": facts.tool} if facts.tool else {}), **inside, "origins": origins}


def shown(value: Any) -> Any:
    """The value of a fact as JSON."""
    return {"mean": list(value.mean), "std": list(value.std)} if isinstance(value, Scaling) else value


def image_size(path: Path, network: Network, fact: Fact[tuple[int, int]] | None) -> tuple[int, int]:
    """Height and width of the network's images: the file's own, or those that it leaves open from `fact`.

    Raises ModelError if it is too large, and OptionError if neither says it, or if a flag contradicts the file. Other
    sources give way to the file.
    """
    height, width = network.size_hw
    if height is None or width is None:
        if fact is None:
            raise OptionError(f"{path} takes images of any size; name the one that it was trained with: --imgsz 224")
        height, width = height or fact.value[0], width or fact.value[1]
    if max(height, width) > MAX_SIDE:
        raise ModelError(f"{path} takes images of {width} x {height}, but edgeclf makes at most {MAX_SIDE} x {MAX_SIDE}")
    if fact and _is_flag(fact) and fact.value != (height, width):
        advice = f"which takes {show_size((height, width))}; leave it out"
        raise OptionError(f"{fact.origin} {show_size(fact.value)} does not fit {path}, {advice}")
    return height, width


def head_of(path: Path, network: Network, fact: Fact[Head] | None) -> Head:
    """What the network returns. The graph has the last word, unless its last operation leaves it open.

    Raises HeadError if it stays open, or if it looks like a regression, and OptionError if a flag contradicts the graph.
    """
    shown = shown_head(network)
    if fact is None and shown == "logits" and network.outputs == 1:
        found = f"returns one number per image and {_ending(network)}, as a regression does"
        raise HeadError(f"{path} {found}; if it is the score of the second of two classes, add --head logits")
    if fact is None or shown == fact.value:
        if shown is None:
            raise HeadError(
                f"{path} {_ending(network)}, so say what it returns: --head softmax for probabilities, or logits"
            )
        return shown
    if shown is not None and _is_flag(fact):
        raise OptionError(f"{fact.origin} {fact.value} does not fit {path}, which {_ending(network)}; leave it out")
    return shown or fact.value


def _ending(network: Network) -> str:
    last = network.last_operation
    return f"ends with {last}" if last else "does not show how its outputs are made"


def check_one_answer(path: Path, network: Network) -> None:
    """Raise ModelError if a network says yes or no for each class, so that several may be right."""
    if network.last_operation in SIGMOIDS and network.outputs not in (1, None):
        found = f"returns {network.outputs} sigmoids, one yes or no per class"
        raise ModelError(f"{path} {found}; edgeclf predicts one class, so train it with a softmax")


def shown_head(network: Network) -> Head | None:
    if network.last_operation in SOFTMAXES:
        return "softmax"
    if network.last_operation in SIGMOIDS:
        return "sigmoid"
    return "logits" if network.last_operation in _LOGITS else None


def _check_count(path: Path, network: Network, classes: Fact[tuple[str, ...]]) -> None:
    outputs, named = network.outputs, plural(len(classes.value), "class")
    if outputs == 1 and len(classes.value) != 2:
        found = f"{path} returns one score, which tells two classes apart, but {classes.origin} names {named}"
        raise OptionError(f"{found}; name two, the one of a low score first")
    if outputs not in (None, 1, len(classes.value)):
        advice = count_advice(len(classes.value), outputs)
        raise OptionError(f"{path} returns {plural(outputs, 'score')}, but {classes.origin} names {named}; {advice}")


def _is_flag(fact: Fact[Any]) -> bool:
    """Whether the user gave the fact itself on the command line, not only the tool."""
    return fact.origin.startswith("--") and not fact.origin.startswith("--from")
