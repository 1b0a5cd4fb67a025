"""What to do with a path that the runtime cannot open as it is: a Keras file, a folder, an archive, another tool's file."""

import shlex
from pathlib import Path

from edgeclf.runtime.model.adoption.on_the_fly import look_into
from edgeclf.runtime.model.card import has_keras_card
from edgeclf.runtime.model.conventions.package import ModelPackage, find_model
from edgeclf.runtime.model.conventions.reading import read_facts
from edgeclf.runtime.model.digest import is_exported
from edgeclf.runtime.model.formats import check_content, is_runnable, model_format, what_to_export
from edgeclf.runtime.sources.archives import is_archive
from edgeclf.runtime.spelling import near

_BEGINNING = 256


def why_not_run(path: Path) -> str:
    """Why the runtime cannot open `path`, which is no .onnx or .tflite file, and what to do, as a sentence.

    Raises ModelError or OptionError if it is missing, damaged or no classifier.
    """
    if foreign := what_to_export(path):
        return f"{path} is {foreign}"
    if path.is_dir() or is_archive(path):
        with find_model(path) as package:
            return _of_package(package, path)
    if path.is_file():
        with path.open("rb") as file:
            check_content(path, file.read(_BEGINNING))
    if model_format(path) and path.is_file():
        with find_model(path) as package:
            return f"{path} is not a .onnx or .tflite file; export it first: {keras_command(package, path)}"
    if not path.exists():
        return f"{path} does not exist; {near(path) or 'name a .onnx or .tflite file, or make one with clf-export'}"
    return f"{path} is not a .onnx or .tflite file; name one, or make one with clf-export"


def keras_command(package: ModelPackage, named: Path) -> str:
    """The command that exports a Keras file or a SavedModel, ready to paste.

    Raises ModelError or OptionError if two sources contradict each other.
    """
    command = f"clf-export {shlex.quote(str(named))}"
    if has_keras_card(package.path):
        return command
    labels = "" if read_facts(package).classes else " --classes labels.txt"
    return f"{command}{labels} --data photos/"


def _of_package(package: ModelPackage, named: Path) -> str:
    """For a folder or an archive with a model."""
    kind = "a folder" if named.is_dir() else "an archive"
    if not is_runnable(package.path):
        return f"{named} is {kind} with a model for training; export it first: {keras_command(package, named)}"
    data = package.read()
    if is_exported(data):
        file = f"name the model in it: {package.path}" if named.is_dir() else "unpack it, and name the model itself"
        return f"{named} is {kind}; {file}"
    known = look_into(package, named, data)
    if known.is_enough and named.is_dir():
        return f"{named} is {kind}; name the model in it: {package.path}"
    return known.tried(data)[1].advice
