"""Luxonis NN archives: `config.json` beside the model.

Read in luxonis-ml 0.10: `nn_archive/`; in luxonis-train 0.6: `core/core.py`.
"""

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.conventions.convention import Convention, from_flag
from edgeclf.runtime.model.conventions.evidence import Evidence
from edgeclf.runtime.model.conventions.facts import Facts, Scaling
from edgeclf.runtime.model.conventions.json_fields import Fields
from edgeclf.runtime.model.conventions.scales import SCALES

_FITS = {"CROP": "crop", "STRETCH": "stretch", "LETTERBOX": "pad"}
_CLASSIFIER = "ClassificationParser"


def read(evidence: Evidence) -> Facts | None:
    archive = next(evidence.with_keys("config_version", "model"), None)
    model = archive.inner("model") if archive else None
    if archive is None or model is None:
        return None
    image, head = model.first("inputs"), model.first("heads")
    _check_task(head, evidence.package.name)
    settings = image.inner("preprocessing") if image else None
    result = head.inner("metadata") if head else None
    is_softmax = result.flag("is_softmax") if result else None
    facts = Facts.of(
        f"{archive.name} (Luxonis)",
        "luxonis",
        classes=result.classes("classes") if result else None,
        head=None if is_softmax is None else "softmax" if is_softmax else "logits",
        resize="opencv-bilinear",
    )
    return _image_facts(settings).over(facts) if settings else facts


def _check_task(head: Fields | None, name: str) -> None:
    parser = head.text("parser") if head else None
    if parser is not None and parser != _CLASSIFIER:
        raise ModelError(f"{name} is a model for the {parser[:40]!r} of Luxonis; edgeclf runs classifiers ({_CLASSIFIER})")


def _image_facts(settings: Fields) -> Facts:
    mode = settings.text("resize_mode")
    if mode is not None and mode not in _FITS:
        settings.refuse("resize_mode", "CROP, STRETCH or LETTERBOX")
    origin = f"{settings.name} (preprocessing)"
    return Facts.of(origin, scaling=_scaling(settings), channels=_channels(settings), fit=_FITS[mode] if mode else None)


def _scaling(settings: Fields) -> Scaling | None:
    mean, scale = settings.numbers("mean"), settings.numbers("scale")
    if scale and 0 in scale:
        settings.refuse("scale", "a number other than 0")
    return Scaling(mean or (0.0,), scale or (1.0,)) if mean or scale else None


def _channels(settings: Fields) -> str | None:
    """`dai_type` is such as RGB888p. In older archives, the BGR image of a camera is reversed for the network, or is not."""
    dai_type, reverses = settings.text("dai_type"), settings.flag("reverse_channels")
    if dai_type:
        return {"rgb": "rgb", "bgr": "bgr"}.get(dai_type[:3].lower())
    return None if reverses is None else "rgb" if reverses else "bgr"


LUXONIS = Convention(
    read,
    from_flag(  # what luxonis-train does unless its configuration says otherwise
        "luxonis", scaling=SCALES["imagenet"].scaling, channels="rgb", resize="opencv-bilinear", fit="pad", head="logits"
    ),
)
