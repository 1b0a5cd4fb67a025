"""Hugging Face's two files, in the form in which transformers 5.24 writes them, and older ones."""

from typing import Any

import pytest

from edgeclf.runtime.errors import EdgeclfError, ModelError
from edgeclf.runtime.model.conventions.facts import Scaling
from tests.runtime.model.conventions.conftest import ReadBeside, classes_of, values_of

CONFIG = {
    "architectures": ["ViTForImageClassification"],
    "id2label": {"0": "cat", "1": "dog", "2": "owl"},
    "image_size": 224,
    "label2id": {"cat": 0, "dog": 1, "owl": 2},
    "model_type": "vit",
    "num_channels": 3,
    "transformers_version": "5.24.0",
}
HALF, IMAGENET = [0.5, 0.5, 0.5], [0.485, 0.456, 0.406]
VIT = {
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": HALF,
    "image_processor_type": "ViTImageProcessor",
    "image_std": HALF,
    "resample": 2,
    "rescale_factor": 0.00392156862745098,
    "size": {"height": 224, "width": 224},
}
SQUARE_224 = {"height": 224, "width": 224}


def images(kind: str, **settings: object) -> dict[str, Any]:
    return VIT | {"image_processor_type": f"{kind}ImageProcessor"} | settings


def old(kind: str, **settings: object) -> dict[str, Any]:
    """As the feature extractors of transformers 4.20 wrote it: no factor, plain numbers for sizes."""
    kept = {key: value for key, value in VIT.items() if key not in ("do_rescale", "rescale_factor", "image_processor_type")}
    return kept | {"feature_extractor_type": f"{kind}FeatureExtractor"} | settings


STRETCH = {"fit": "stretch"}
FITS: dict[str, tuple[dict[str, Any], tuple[int, int] | None, dict[str, Any]]] = {
    "ViT": (images("ViT"), (224, 224), STRETCH),
    "ViT, fast": (images("ViT") | {"image_processor_type": "ViTImageProcessorFast"}, (224, 224), STRETCH),
    "ViT, old": (old("ViT", size=224), (224, 224), STRETCH),
    "not square": (images("ViT", size={"height": 192, "width": 256}), (192, 256), STRETCH),
    "ConvNext, 224": (
        images("ConvNext", size={"shortest_edge": 224}, crop_pct=0.875),
        (224, 224),
        {"fit": "crop", "crop_pct": 224 / 256, "crop_offset": "floor"},
    ),
    "ConvNext, 384": (images("ConvNext", size={"shortest_edge": 384}, crop_pct=0.875), (384, 384), STRETCH),
    "ConvNext, old": (
        old("ConvNext", size=224, crop_pct=0.95),
        (224, 224),
        {"fit": "crop", "crop_pct": 224 / 235, "crop_offset": "floor"},
    ),
    "DeiT": (
        images("DeiT", size={"height": 256, "width": 256}, do_center_crop=True, crop_size=SQUARE_224),
        (224, 224),
        {"fit": "stretch", "crop_pct": 0.875, "crop_offset": "floor"},
    ),
    "DeiT, old": (
        old("DeiT", size=256, do_center_crop=True, crop_size=224),
        (224, 224),
        {"fit": "stretch", "crop_pct": 0.875, "crop_offset": "floor"},
    ),
    "no crop though it has a size": (images("Beit", do_center_crop=False, crop_size=SQUARE_224), (224, 224), STRETCH),
    "MobileNetV2": (
        images("MobileNetV2", size={"shortest_edge": 256}, do_center_crop=True, crop_size=SQUARE_224),
        (224, 224),
        {"fit": "crop", "crop_pct": 0.875, "crop_offset": "floor"},
    ),
    "CLIP": (
        images("CLIP", size={"shortest_edge": 224}, do_center_crop=True, crop_size=SQUARE_224),
        (224, 224),
        {"fit": "crop", "crop_pct": 1.0, "crop_offset": "floor"},
    ),
    "LeViT": (
        images("Levit", size={"shortest_edge": 224}, do_center_crop=True, crop_size=SQUARE_224),
        (224, 224),
        {"fit": "crop", "crop_pct": 0.875, "crop_offset": "floor"},
    ),
    "PoolFormer": (
        images("PoolFormer", size={"shortest_edge": 224}, crop_pct=0.9, do_center_crop=True, crop_size=SQUARE_224),
        (224, 224),
        {"fit": "crop", "crop_pct": 224 / 248, "crop_offset": "floor"},
    ),
    "a crop that pads": (
        images("MobileViT", size={"shortest_edge": 224}, do_center_crop=True, crop_size={"height": 256, "width": 256}),
        (256, 256),
        {},
    ),
    "crops first": (images("Perceiver", do_center_crop=True, crop_size=SQUARE_224), None, {}),
    "no resize": (images("ViT", do_resize=False), (224, 224), {}),
    "a limit for the long side": (
        images("CLIP", size={"shortest_edge": 256, "longest_edge": 300}, do_center_crop=True, crop_size=SQUARE_224),
        (224, 224),
        {},
    ),
    "any size": (images("Detr", size={"shortest_edge": 800, "longest_edge": 1333}), None, {}),
}


@pytest.mark.parametrize(("settings", "size_hw", "fit"), FITS.values(), ids=FITS)
def test_each_processor_fits_images_in_its_way(
    settings: dict[str, Any], size_hw: tuple[int, int] | None, fit: dict[str, Any], read_beside: ReadBeside
) -> None:
    found = values_of(read_beside({"config.json": CONFIG, "preprocessor_config.json": settings}))
    assert found.get("size_hw") == size_hw
    assert {name: found[name] for name in ("fit", "crop_pct", "crop_offset") if name in found} == fit


SCALINGS: dict[str, tuple[dict[str, Any], tuple[float, ...], tuple[float, ...]]] = {
    "halves": (images("ViT"), (127.5,) * 3, (127.5,) * 3),
    "ImageNet": (images("ViT", image_mean=IMAGENET), (123.675, 116.28, 103.53), (127.5,) * 3),
    "old": (old("ViT"), (127.5,) * 3, (127.5,) * 3),
    "no normalisation": (images("ViT", do_normalize=False), (0.0,), (255.0,)),
    "no scaling": (images("ViT", do_rescale=False, image_mean=[127] * 3, image_std=[128] * 3), (127,) * 3, (128,) * 3),
    "nothing": (images("ViT", do_rescale=False, do_normalize=False), (0.0,), (1.0,)),
    "another factor": (images("ViT", rescale_factor=1 / 127.5), (63.75,) * 3, (63.75,) * 3),
    "EfficientNet divides twice": (images("EfficientNet", include_top=True), (127.5,) * 3, (63.75,) * 3),
    "EfficientNet without its top": (images("EfficientNet", include_top=False), (127.5,) * 3, (127.5,) * 3),
    "an offset": (
        images("EfficientNet", rescale_factor=1 / 127.5, rescale_offset=True, do_normalize=False, include_top=False),
        (127.5,),
        (127.5,),
    ),
    "MobileViT": ({key: value for key, value in images("MobileViT").items() if key != "do_normalize"}, (0.0,), (255.0,)),
}


@pytest.mark.parametrize(("settings", "mean", "std"), SCALINGS.values(), ids=SCALINGS)
def test_the_scaling_is_in_levels(
    settings: dict[str, Any], mean: tuple[float, ...], std: tuple[float, ...], read_beside: ReadBeside
) -> None:
    scaling = values_of(read_beside({"config.json": CONFIG, "preprocessor_config.json": settings}))["scaling"]
    assert isinstance(scaling, Scaling)
    assert scaling.mean == pytest.approx(mean)
    assert scaling.std == pytest.approx(std)


@pytest.mark.parametrize(
    ("resample", "resize"),
    [(0, "nearest"), (1, "pillow-lanczos"), (2, "pillow-bilinear"), (3, "pillow-bicubic"), (4, "pillow-box"), (5, None)],
)
def test_resample_is_a_number_of_pillow(resample: int, resize: str | None, read_beside: ReadBeside) -> None:
    found = values_of(read_beside({"config.json": CONFIG, "preprocessor_config.json": images("ViT", resample=resample)}))
    assert found.get("resize") == resize


@pytest.mark.parametrize(
    ("settings", "channels"),
    [
        (images("ViT"), "rgb"),
        (images("MobileViT", do_flip_channel_order=True), "bgr"),
        (images("MobileViT"), "bgr"),
        (images("MobileViT", do_flip_channel_order=False), "rgb"),
    ],
)
def test_mobilevit_takes_blue_first(settings: dict[str, Any], channels: str, read_beside: ReadBeside) -> None:
    assert values_of(read_beside({"config.json": CONFIG, "preprocessor_config.json": settings}))["channels"] == channels


def test_classes_and_head_come_from_the_configuration(read_beside: ReadBeside) -> None:
    facts = read_beside({"config.json": CONFIG})
    assert facts.tool == "huggingface"
    assert classes_of(facts) == (("cat", "dog", "owl"), "config.json (id2label)")
    assert values_of(facts) == {"channels": "rgb", "head": "logits"}


def test_placeholders_give_way_to_a_list(read_beside: ReadBeside) -> None:
    config = CONFIG | {"id2label": {"0": "LABEL_0", "1": "LABEL_1"}}
    named = read_beside({"config.json": config, "labels.txt": "cat\ndog\n"})
    assert classes_of(named) == (("cat", "dog"), "labels.txt")


def test_placeholders_are_better_than_nothing(read_beside: ReadBeside) -> None:
    facts = read_beside({"config.json": CONFIG | {"id2label": {"0": "LABEL_0", "1": "LABEL_1"}}})
    assert classes_of(facts) == (("LABEL_0", "LABEL_1"), "config.json (id2label)")


@pytest.mark.parametrize(
    ("change", "keyword"),
    [
        ({"architectures": ["DetrForObjectDetection"]}, "DetrForObjectDetection"),
        ({"architectures": ["BertForSequenceClassification"]}, "BertForSequenceClassification"),
        ({"problem_type": "multi_label_classification"}, "yes or no per class"),
        ({"problem_type": "regression"}, "numbers instead of a class"),
        ({"id2label": ["cat", 7]}, "has the class 7"),
        ({"id2label": {"0": "cat", "2": "dog"}}, "not a list of names"),
        ({"id2label": {"0": "only"}}, "names 1 class"),
        ({"id2label": {str(number): f"c{number}" for number in range(100_001)}}, "at most 100,000"),
    ],
)
def test_a_model_that_is_no_classifier_is_named(change: dict[str, Any], keyword: str, read_beside: ReadBeside) -> None:
    with pytest.raises(EdgeclfError, match=rf"^[^\n]*{keyword}[^\n]*$"):
        read_beside({"config.json": CONFIG | change})


def test_the_teacher_of_deit_is_a_classifier(read_beside: ReadBeside) -> None:
    assert read_beside({"config.json": CONFIG | {"architectures": ["DeiTForImageClassificationWithTeacher"]}}).classes


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("image_std", [0, 1, 1]),
        ("image_mean", "0.5"),
        ("size", {"shortest_edge": -1}),
        ("do_resize", "yes"),
        ("resample", "2"),
    ],
)
def test_a_setting_of_the_wrong_kind_is_refused(key: str, value: object, read_beside: ReadBeside) -> None:
    with pytest.raises(ModelError, match=r"preprocessor_config\.json"):
        read_beside({"config.json": CONFIG, "preprocessor_config.json": images("ViT") | {key: value}})
