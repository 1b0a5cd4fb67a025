"""A tiny training run with every file that can be exported from it, and a copy that is kept with the tests.

The copy lets the runtime's tests run without TensorFlow. Make it again with `python -m tests.support.trained_run` when the
card, the digest or the exports change.
"""

import shutil
import tempfile
from pathlib import Path

from tests.support.drawings import write_images
from tests.support.small_models import write_small_models

KEPT_RUN = Path(__file__).with_name("kept_run")
KEPT_OUTPUTS = Path(__file__).with_name("kept_outputs")
"""The same model, exported with every further output."""
_KEPT = ("model.*.onnx", "model.onnx", "model.*.tflite", "model.keras", "SHA256SUMS")


def train_small(image_folder: Path, folder: Path) -> Path:
    """Train on 60 images of discs and squares. Returns the model."""
    from edgeclf.runtime.images.preprocess import Preprocess
    from edgeclf.train.config import TrainingConfig
    from edgeclf.train.networks.architectures import ConvNet
    from edgeclf.train.recipes import Recipe
    from edgeclf.train.run import train

    recipe = Recipe(ConvNet(filters=(8, 16), dropout=0.0), epochs=20, batch=8, learning_rate=0.01)
    return train(TrainingConfig(image_folder, Preprocess((32, 32)), recipe), folder).model


def export_all(model: Path) -> None:
    """Export a model in every format and precision into its own folder."""
    from edgeclf.export.options import TargetOptions
    from edgeclf.export.run import export
    from edgeclf.export.targets import choose_targets

    precisions = ("fp32", "fp16", "dynamic", "int8")
    result = export(model, model.parent, choose_targets(TargetOptions(precisions=precisions)))
    assert result.passed, result.parities


def export_with_outputs(model: Path, folder: Path) -> None:
    """Export a model to ONNX and TFLite, in float32 and INT8, with every further output."""
    from edgeclf.export.options import ExportOptions, TargetOptions
    from edgeclf.export.run import export
    from edgeclf.export.targets import choose_targets

    targets = choose_targets(TargetOptions(precisions=("fp32", "int8")))
    result = export(model, folder, targets, ExportOptions(outputs=("all",)))
    assert result.passed, result.parities


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        export_all(train_small(write_images(folder / "shapes", 30), folder / "run"))
        shutil.rmtree(KEPT_RUN, ignore_errors=True)
        KEPT_RUN.mkdir()
        for pattern in _KEPT:
            for path in (folder / "run").glob(pattern):
                shutil.copyfile(path, KEPT_RUN / path.name)
    write_small_models(KEPT_RUN)
    keep_outputs()


def keep_outputs() -> None:
    """Make `kept_outputs` from the kept model."""
    with tempfile.TemporaryDirectory() as name:
        export_with_outputs(KEPT_RUN / "model.keras", Path(name))
        shutil.rmtree(KEPT_OUTPUTS, ignore_errors=True)
        KEPT_OUTPUTS.mkdir()
        for kept in ("model.onnx", "model.int8.tflite"):
            shutil.copyfile(Path(name) / kept, KEPT_OUTPUTS / kept)


if __name__ == "__main__":
    main()
