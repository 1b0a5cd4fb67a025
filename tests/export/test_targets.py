"""Options choose the files to make, and check themselves."""

from dataclasses import replace

import pytest

from edgeclf.export.adopted_targets import choose_adopted
from edgeclf.export.options import ExportOptions, GateLimits, TargetOptions
from edgeclf.export.target import Target
from edgeclf.export.targets import TARGETS, choose_targets
from edgeclf.runtime.errors import OptionError

ONNX, ONNX_FP16, ONNX_INT8, FP32, FP16, DYNAMIC, INT8, INT16X8 = TARGETS


@pytest.mark.parametrize(
    ("formats", "precisions", "expected"),
    [
        ((), (), (ONNX, INT8)),
        (("onnx",), (), (ONNX,)),
        (("tflite",), (), (INT8,)),
        ((), ("fp32",), (ONNX, FP32)),
        (("onnx",), ("int8",), (ONNX_INT8,)),
        ((), ("int8", "fp16"), (ONNX_FP16, ONNX_INT8, FP16, INT8)),
        (("tflite",), ("fp32",), (FP32,)),
        (("onnx", "tflite"), ("fp32", "dynamic"), (ONNX, FP32, DYNAMIC)),
    ],
    ids=lambda names: " ".join(getattr(name, "suffix", name) for name in names) or "default",
)
def test_targets_are_the_existing_combinations(
    formats: tuple[str, ...], precisions: tuple[str, ...], expected: tuple[Target, ...]
) -> None:
    assert choose_targets(TargetOptions(formats, precisions)) == expected


@pytest.mark.parametrize(
    ("formats", "precisions", "keywords"),
    [
        (("coreml",), (), "'coreml'; choose from onnx, tflite"),
        ((), ("int4",), "'int4'; did you mean int8"),
        (("onnx",), ("dynamic",), "dynamic: onnx comes in fp32, fp16, int8; tflite"),
    ],
    ids=str,
)
def test_missing_targets_are_refused(formats: tuple[str, ...], precisions: tuple[str, ...], keywords: str) -> None:
    with pytest.raises(OptionError, match=keywords):
        choose_targets(TargetOptions(formats, precisions))


def test_everything_is_every_target() -> None:
    assert choose_targets(TargetOptions(everything=True)) == tuple(replace(target, optional=True) for target in TARGETS)


def test_everything_excludes_single_formats() -> None:
    with pytest.raises(OptionError, match="--all"):
        TargetOptions(("onnx",), everything=True)


@pytest.mark.parametrize("opset", [12, 19])
def test_an_unsupported_opset_is_refused(opset: int) -> None:
    with pytest.raises(OptionError, match=f"opset must be from 13 to 18, not {opset}"):
        ExportOptions(opset=opset)


def test_gate_limits_are_options() -> None:
    assert ExportOptions(limits=GateLimits(max_drop=0.2)).limits.to_json()["max_drop"] == 0.2


def test_with_qat_int8_files_are_trained_and_others_converted() -> None:
    chosen = choose_targets(TargetOptions(qat=True))
    assert [(target.suffix, target.trains) for target in chosen] == [(".onnx", False), (".int8.tflite", True)]


def test_qat_without_an_int8_file_is_refused() -> None:
    with pytest.raises(OptionError, match="add int8 to --quantize"):
        choose_targets(TargetOptions(precisions=("fp32",), qat=True))


def test_qat_is_refused_for_an_adopted_model() -> None:
    with pytest.raises(OptionError, match="--qat"):
        choose_adopted("onnx", "fp32", TargetOptions(precisions=("int8",), qat=True))
