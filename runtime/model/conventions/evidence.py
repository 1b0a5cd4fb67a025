"""All that is in a model file and beside it for the readers of conventions to look at."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.conventions.appended_members import appended_text_members
from edgeclf.runtime.model.conventions.json_fields import Fields, read_fields
from edgeclf.runtime.model.conventions.onnx_properties import read_onnx_properties
from edgeclf.runtime.model.conventions.package import ModelPackage
from edgeclf.runtime.model.formats import model_format

_DESCRIPTIONS = (
    "config.json",
    "preprocessor_config.json",
    "signature.json",
    "metadata.json",
    "metadata_properties.json",
    "cvexport.manifest",
    "model_parameters.json",
    "model_metadata.json",
)
_LABELS = (
    *("labels.txt", "labelmap.txt", "label_map.txt", "classes.txt", "class_names.txt", "imagenet_classes.txt", "dict.txt"),
    *("labels.json", "classes.json", "class_names.json", "class_indices.json", "id2label.json", "label_map.json"),
    *("labels.csv", "classes.csv"),
)


@dataclass(frozen=True)
class Evidence:
    """properties: the metadata of an ONNX file. members: the files appended to a TFLite file, by name.

    own_descriptions, descriptions: the JSON objects named after the model, and others beside it. own_labels, labels: paths
    of plain lists of classes, in the same way. whole_folder: whether files that may be about another model count.
    """

    package: ModelPackage
    properties: dict[str, str] = field(default_factory=dict)
    members: dict[str, bytes] = field(default_factory=dict)
    own_descriptions: tuple[Fields, ...] = ()
    descriptions: tuple[Fields, ...] = ()
    own_labels: tuple[Path, ...] = ()
    labels: tuple[Path, ...] = ()
    whole_folder: bool = True

    def with_keys(self, *keys: str) -> Iterator[Fields]:
        """The descriptions that have all of these fields."""
        return (fields for fields in self.every_description() if all(key in fields for key in keys))

    def every_description(self) -> tuple[Fields, ...]:
        return self.own_descriptions + self.descriptions

    def only_own(self) -> "Evidence":
        """What is in the model file or named after it, without files that may be about another model of the folder."""
        return replace(self, descriptions=(), labels=(), whole_folder=False)


def look_inside(package: ModelPackage, data: bytes | None) -> Evidence:
    """What is in the model file alone; no other file is read. data: the bytes of an ONNX or TFLite file."""
    kind = model_format(package.path)
    return Evidence(
        package,
        properties=_properties(package, data) if kind == "ONNX" and data else {},
        members=appended_text_members(data) if kind == "TFLite" and data else {},
        whole_folder=False,
    )


def gather(package: ModelPackage, data: bytes | None) -> Evidence:
    """data: the bytes of an ONNX or TFLite file. Raises ModelError."""
    own = list(package.files(_own(package, (".json", "_config.json", ".config.json"))))
    own_labels = list(package.files(_own(package, (".labels.txt", "_labels.txt", "-labels.txt", ".txt", ".labels", ".csv"))))
    return replace(
        look_inside(package, data),
        own_descriptions=tuple(filter(None, map(read_fields, own))),
        descriptions=tuple(filter(None, (read_fields(path) for path in package.files(_DESCRIPTIONS) if path not in own))),
        own_labels=tuple(own_labels),
        labels=tuple(path for path in package.files(_LABELS) if path not in own_labels),
        whole_folder=True,
    )


def _own(package: ModelPackage, endings: Sequence[str]) -> list[str]:
    return [f"{stem}{ending}" for stem in (package.path.stem, package.path.name) for ending in endings]


def _properties(package: ModelPackage, data: bytes) -> dict[str, str]:
    try:
        return read_onnx_properties(data)
    except ValueError as error:
        raise ModelError(f"{package.name} is damaged or not an ONNX file ({error}); export or copy it again") from None
