"""Completes the facts about a model: by defaults where there is no doubt, by a guess where labelled images can judge."""

from dataclasses import replace

from edgeclf.runtime.model.adoption.network import Network
from edgeclf.runtime.model.conventions.facts import Fact, Facts
from edgeclf.runtime.model.conventions.reading import CONVENTIONS
from edgeclf.runtime.model.conventions.scales import SCALES

GUESSED = "guessed"
QUESTIONS = {
    "--classes": "its classes",
    "--scale": "how its pixels are scaled",
    "--imgsz": "the size of its images",
    "--resize": "how its images are resized",
    "--fit": "how its images are fitted",
}
"""What is unknown without each flag, as the end of a sentence."""
_WHOLE = ((1.0, 0), (0.0, 0))
"""Scale and zero point of an unsigned input that takes the levels of an image."""


def complete(network: Network, facts: Facts) -> Facts:
    """The facts with what follows from the graph, and with the usual values of what hardly any tool varies.

    A network that takes whole levels needs no scaling. Without another word, the channels are red, green and blue. Images
    are stretched as Keras's own loader does it, unless the tool is known: what it says may have no counterpart here.
    """
    steps = (network.scale, network.zero_point)
    whole_levels = steps == (1.0, -128) if network.dtype == "int8" else network.dtype == "uint8" and steps in _WHOLE
    scaling = Fact(SCALES["none"].scaling, "the input, which takes 0 to 255") if whole_levels else None
    usual = Facts(scaling=scaling, channels=Fact("rgb", "default"))
    if not facts.tool:
        usual = replace(usual, resize=Fact("bilinear", "default"), fit=Fact("stretch", "default"))
    if facts.crop_pct:
        usual = replace(usual, fit=Fact("crop", "default"))
    return facts.over(usual)


def is_guessable(network: Network, facts: Facts) -> bool:
    """Whether the file looks as PyTorch exports a network and nothing says how its images are scaled.

    Most such networks were trained as torchvision does it. Only labelled images can tell.
    """
    looks_like = network.producer.startswith("pytorch") and network.dtype.startswith("float") and network.channels_first
    return facts.scaling is None and not facts.tool and looks_like and network.channels == 3


def guess() -> Facts:
    """How torchvision makes images, as a guess."""
    defaults = CONVENTIONS["torchvision"].defaults
    return Facts.of(GUESSED, **{name: fact.value for name, fact in defaults.known().items() if name != "head"})


def missing(network: Network, facts: Facts) -> tuple[str, ...]:
    """The flags for what no source gives, of `--classes --scale --imgsz --resize --fit`. facts: completed ones."""
    return tuple(
        flag
        for flag, is_known in (
            ("--classes", facts.classes is not None),
            ("--scale", facts.scaling is not None),
            ("--imgsz", facts.size_hw is not None or None not in network.size_hw),
            ("--resize", facts.resize is not None),
            ("--fit", facts.fit is not None),
        )
        if not is_known
    )
