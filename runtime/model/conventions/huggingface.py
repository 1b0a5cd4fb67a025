"""Hugging Face Transformers: classes in `config.json`, image settings in `preprocessor_config.json`; Optimum copies both.

Read in transformers 5.24: `image_processing_backends.py`, `image_transforms.py` and the image processors of the models.
"""

import re
from typing import Any

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.conventions.convention import Convention, from_flag
from edgeclf.runtime.model.conventions.evidence import Evidence
from edgeclf.runtime.model.conventions.facts import Fact, Facts, Scaling
from edgeclf.runtime.model.conventions.huggingface_fit import fit_of, size_of
from edgeclf.runtime.model.conventions.json_fields import Fields

_DEFAULT = "Transformers' default"
_RESIZES = {0: "nearest", 1: "pillow-lanczos", 2: "pillow-bilinear", 3: "pillow-bicubic", 4: "pillow-box"}
"""By Pillow's numbers."""
_CLASSIFIER = "ForImageClassification"
_KIND = re.compile("(?:ImageProcessor|FeatureExtractor)(?:Fast|Pil)?$")
_CONVNEXT_LIKE = {"convnext", "convnextv2", "resnet", "regnet", "cvt", "van"}
"""Values of `model_type` whose images ConvNext's processor prepares."""


def read(evidence: Evidence) -> Facts | None:
    config = next((fields for fields in evidence.with_keys("model_type") if _is_config(fields)), None)
    images = next((fields for fields in evidence.every_description() if _is_preprocessor(fields)), None)
    if config is None and images is None:
        return None
    facts = Facts.of("", "huggingface", head=Fact("logits", _DEFAULT), channels=Fact("rgb", _DEFAULT))
    if config is not None:
        _check_task(config, evidence.package.name)
        facts = Facts.of("", classes=config.classes("id2label")).over(facts)
    return _image_facts(images, _kind(images, config)).over(facts) if images else facts


def _is_config(fields: Fields) -> bool:
    return any(key in fields for key in ("architectures", "id2label", "transformers_version"))


def _is_preprocessor(fields: Fields) -> bool:
    return any(key in fields for key in ("image_processor_type", "feature_extractor_type", "do_normalize", "do_rescale"))


def _check_task(config: Fields, model: str) -> None:
    architectures = config.value("architectures")
    listed = architectures if isinstance(architectures, list) else []
    named = [name for name in listed if isinstance(name, str)]
    if named and not any(_CLASSIFIER in name for name in named):
        raise ModelError(
            f"{model} is a {named[0][:80]}, as {config.name} says; edgeclf runs image classifiers (…{_CLASSIFIER})"
        )
    problem = config.text("problem_type")
    if problem not in (None, "single_label_classification"):
        answer = "a yes or no per class" if problem.startswith("multi_label") else "numbers instead of a class"
        raise ModelError(f"{model} gives {answer} ({config.name}: {problem}); edgeclf runs models that give one class")


def _kind(images: Fields, config: Fields | None) -> str:
    """What prepares the images, such as `ConvNext`."""
    named = images.text("image_processor_type") or images.text("feature_extractor_type")
    if named:
        return _KIND.sub("", named)
    model_type = config.text("model_type") if config else None
    return "ConvNext" if model_type in _CONVNEXT_LIKE else (model_type or "")


def _image_facts(images: Fields, kind: str) -> Facts:
    resample = images.number("resample")
    flips = images.flag("do_flip_channel_order")
    is_mobilevit = kind.lower() == "mobilevit"
    return Facts.of(
        images.name,
        scaling=_scaling(images, kind),
        channels="bgr" if flips or (flips is None and is_mobilevit) else None,
        size_hw=size_of(images, kind),
        resize=_RESIZES.get(int(resample)) if resample is not None else None,
        **fit_of(images, kind),
    )


def _scaling(images: Fields, kind: str) -> Scaling:
    """Scaled by the factor, then normalised; EfficientNet may shift in between, and divides once more."""
    factor = images.number("rescale_factor") or 1 / 255
    if images.flag("do_rescale") is False:
        factor = 1.0
    mean, std = images.numbers("image_mean"), images.numbers("image_std")
    normalizes = images.flag("do_normalize")
    if normalizes is None:
        normalizes = kind.lower() != "mobilevit"
    if not normalizes or mean is None or std is None:
        mean, std = (0.0,), (1.0,)
    if 0 in std:
        images.refuse("image_std", "a number other than 0")
    if images.flag("rescale_offset"):
        mean = tuple(value + 1 for value in mean)
    if kind == "EfficientNet" and images.flag("include_top") is not False:
        std_again = images.numbers("image_std") or std
        std = tuple(first * again for first, again in zip(std, std_again, strict=False))
    return Scaling(tuple(value / factor for value in mean), tuple(value / factor for value in std))


def _defaults() -> dict[str, Any]:
    scaling = Scaling((127.5,), (127.5,))  # of ViT
    return {"scaling": scaling, "channels": "rgb", "resize": "pillow-bilinear", "fit": "stretch", "head": "logits"}


HUGGINGFACE = Convention(read, from_flag("huggingface", **_defaults()))
