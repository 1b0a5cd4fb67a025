"""What is checked before an export loads TensorFlow: the options, the model file, the images and the output folder."""

from collections.abc import Sequence
from pathlib import Path

from edgeclf.export.calibration import training_split
from edgeclf.export.data_images import read_data
from edgeclf.export.external_options import refuse_description
from edgeclf.export.gate import check_output_folder
from edgeclf.export.options import ExportOptions
from edgeclf.export.target import Target
from edgeclf.runtime.model.card import has_keras_card
from edgeclf.runtime.sources.archives import is_archive
from edgeclf.train.keras_file.card import read_keras_card
from edgeclf.train.keras_file.safety import check_keras_file


def check_export(path: Path, folder: Path, name: str, targets: Sequence[Target], options: ExportOptions) -> None:
    """Raise what the export of the Keras model at `path` to `folder` would raise later, as far as it needs no TensorFlow."""
    check_output_folder(folder, name, targets)
    if has_keras_card(path):
        refuse_description(path, options.external)
        classes = read_keras_card(path).classes
        if options.data is None and any(target.trains for target in targets):
            training_split(path, classes)
    else:
        check_keras_file(path)
    if options.data is not None and not (is_archive(options.data) and options.data.exists()):
        read_data(options.data, options.data, calibrate=any(target.calibrates for target in targets))
