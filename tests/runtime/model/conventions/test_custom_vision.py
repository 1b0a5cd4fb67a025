"""Custom Vision's properties, inside the ONNX file and beside it, and the Image.* properties of ONNX for all tools."""

from typing import Any

import pytest

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.conventions.facts import Scaling
from tests.runtime.model.conventions.conftest import OnnxWith, ReadBeside, classes_of, values_of

PROPERTIES = {
    "CustomVision.Metadata.AdditionalModelInfo": "",
    "CustomVision.Metadata.Version": "1.1",
    "CustomVision.Postprocess.Method": "ClassificationMultiClass",
    "CustomVision.Postprocess.Yolo.Biases": "null",
    "CustomVision.Preprocess.CropHeight": "0",
    "CustomVision.Preprocess.CropMethod": "FullImageShorterSide",
    "CustomVision.Preprocess.CropWidth": "0",
    "CustomVision.Preprocess.NormalizeMean": "[0.0, 0.0, 0.0]",
    "CustomVision.Preprocess.NormalizeStd": "[1.0, 1.0, 1.0]",
    "CustomVision.Preprocess.ResizeMethod": "ByShorterSideAlign32",
    "CustomVision.Preprocess.TargetHeight": "224",
    "CustomVision.Preprocess.TargetWidth": "224",
    "Image.BitmapPixelFormat": "Rgb8",
    "Image.ColorSpaceGamma": "SRGB",
    "Image.NominalPixelRange": "Normalized_0_1",
}
INSIDE = {
    "Image.BitmapPixelFormat": "Bgr8",
    "Image.ColorSpaceGamma": "SRGB",
    "Image.NominalPixelRange": "NominalRange_0_255",
}
CROPPED = {
    "CustomVision.Preprocess.ResizeMethod": "ByShorterSide",
    "CustomVision.Preprocess.CropMethod": "OneCropCenter",
    "CustomVision.Preprocess.TargetHeight": "256",
    "CustomVision.Preprocess.CropHeight": "224",
}


def test_an_export_is_stretched_as_in_the_sample(read_beside: ReadBeside) -> None:
    facts = read_beside({"metadata_properties.json": PROPERTIES, "labels.txt": "ant\nbee\n"})
    assert facts.tool == "custom-vision"
    assert classes_of(facts) == (("ant", "bee"), "labels.txt")
    assert values_of(facts) == {
        "scaling": Scaling((0.0,), (255.0,)),
        "channels": "rgb",
        "resize": "pillow-bicubic",
        "fit": "stretch",
    }


def test_a_crop_out_of_a_larger_image_is_followed(read_beside: ReadBeside) -> None:
    found = values_of(read_beside({"metadata_properties.json": PROPERTIES | CROPPED}))
    assert (found["fit"], found["crop_pct"], found["crop_offset"]) == ("crop", 0.875, "floor")


def test_the_file_has_the_last_word(read_beside: ReadBeside, onnx_with: OnnxWith) -> None:
    facts = read_beside({"metadata_properties.json": PROPERTIES}, data=onnx_with(INSIDE))
    assert (values_of(facts)["channels"], values_of(facts)["scaling"]) == ("bgr", Scaling((0.0,), (1.0,)))
    assert facts.known()["channels"].origin == "ONNX metadata (Image.*)"


def test_image_properties_alone_belong_to_no_tool(read_beside: ReadBeside, onnx_with: OnnxWith) -> None:
    config = {"architecture": "x", "num_classes": 2, "label_names": ["a", "b"]}
    facts = read_beside({"config.json": config}, data=onnx_with(INSIDE))
    assert facts.tool == "timm"
    assert (values_of(facts)["channels"], values_of(facts)["scaling"]) == ("bgr", Scaling((0.0,), (1.0,)))


@pytest.mark.parametrize(("range_", "std"), [(None, 255.0), ("NominalRange_0_1", 255.0), ("NominalRange_0_255", 1.0)])
def test_the_range_is_as_the_sample_takes_it(range_: str | None, std: float, read_beside: ReadBeside) -> None:
    facts = read_beside({"metadata_properties.json": PROPERTIES | {"Image.NominalPixelRange": range_}})
    assert values_of(facts)["scaling"] == Scaling((0.0,), (std,))


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({"Image.NominalPixelRange": "NominalRange_16_235"}, "scaling"),
        ({"CustomVision.Preprocess.NormalizeMean": "[123.0, 117.0, 104.0]"}, "scaling"),
        ({"CustomVision.Preprocess.NormalizeMean": "[123.0, 117.0, 104.0]", "Image.NominalPixelRange": None}, "scaling"),
        ({"Image.BitmapPixelFormat": "Gray8"}, "channels"),
        (CROPPED | {"CustomVision.Preprocess.TargetHeight": "0"}, "fit"),
    ],
)
def test_what_is_in_doubt_is_no_fact(change: dict[str, str], missing: str, read_beside: ReadBeside) -> None:
    assert missing not in values_of(read_beside({"metadata_properties.json": PROPERTIES | change}))


@pytest.mark.parametrize(
    ("files", "keyword"),
    [
        ({"metadata_properties.json": {"CustomVision.Postprocess.Method": "ClassificationMultiLabel"}}, "yes or no per tag"),
        ({"metadata_properties.json": {"CustomVision.Postprocess.Method": "YoloV2"}}, "is a detection model"),
        (
            {"metadata_properties.json": PROPERTIES, "cvexport.manifest": {"DomainType": "ObjectDetection"}},
            "is a detection model",
        ),
        ({"metadata_properties.json": {"CustomVision.Preprocess.NormalizeMean": "[" * 5000} | INSIDE}, "NormalizeMean"),
        ({"metadata_properties.json": {"CustomVision.Preprocess.NormalizeMean": 7} | INSIDE}, "NormalizeMean"),
    ],
)
def test_what_is_no_classifier_or_damaged_is_refused(files: dict[str, Any], keyword: str, read_beside: ReadBeside) -> None:
    with pytest.raises(ModelError, match=rf"^[^\n]*{keyword}[^\n]*$"):
        read_beside(files)
