"""What a TFLite file says about itself in `TFLITE_METADATA`, as Coral, AutoML, TensorFlow Hub and Model Maker write it.

The fields are those of `metadata_schema.fbs` of tflite-support, read by their numbers, so that no other package is needed.
"""

import math
from typing import Any

from flatbuffers import encode, number_types, table  # type: ignore[import-untyped]

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.model.conventions.appended_members import appended_text_members
from edgeclf.runtime.model.conventions.facts import ChannelOrder, Fact, Facts, Scaling
from edgeclf.runtime.model.labels import classes_in
from edgeclf.runtime.model.tflite_schema import DAMAGE, each, open_tables, text

ORIGIN = "TFLite metadata"
_NAME = b"TFLITE_METADATA"
_MAX_ENTRIES = 100
_MAX_CHANNELS = 16
_DESCRIPTIONS = {"name": 0, "description": 1, "version": 2, "author": 4, "licence": 5}  # fields of ModelMetadata
_SUBGRAPHS = 3
_INPUTS, _OUTPUTS = 2, 3  # of SubGraphMetadata
_CONTENT, _PROCESS_UNITS, _FILES = 3, 4, 6  # of TensorMetadata
_KIND, _VALUE = 0, 1  # of a union: ProcessUnit and Content
_NORMALIZATION, _IMAGE = 1, 2  # kinds of them
_FILE_NAME, _FILE_TYPE = 0, 2  # of AssociatedFile
_AXIS_LABELS = 2
_RGB = 1


def read_tflite_metadata(data: bytes) -> Facts:
    """The scaling, the channel order and the classes; no facts without metadata, or from what is damaged in it.

    Classes that occur twice get their number behind them. Without LiteRT, nothing can be read.
    """
    try:
        inputs, outputs = _tensors(data)
    except (*DAMAGE, ImportError):
        return Facts()
    return Facts(scaling=_first_of(_scaling, inputs), channels=_first_of(_channels, inputs), classes=_classes(outputs, data))


def read_descriptions(data: bytes) -> dict[str, str]:
    """What the author wrote about the model, each cut to 500 characters; empty without metadata or if it is damaged."""
    try:
        model = _root(data)
        return {name: model.text(field)[:500] for name, field in _DESCRIPTIONS.items() if model and model.text(field)}
    except (*DAMAGE, ImportError):
        return {}


def _tensors(data: bytes) -> tuple[list["_Table"], list["_Table"]]:
    """The descriptions of the inputs and outputs."""
    model = _root(data)
    if model is None:
        return [], []
    subgraph = model.tables(_SUBGRAPHS)[0]
    return subgraph.tables(_INPUTS), subgraph.tables(_OUTPUTS)


def _root(data: bytes) -> "_Table | None":
    """The table ModelMetadata; None if there is none."""
    model = open_tables(data)
    for entry in each(model.Metadata, model.MetadataLength(), _MAX_ENTRIES):
        if entry.Name() == _NAME:
            return _Table.root(bytes(model.Buffers(entry.Buffer()).DataAsNumpy()))
    return None


def _first_of(read: Any, tensors: list["_Table"]) -> Any:
    """What `read` finds in the only input; None if it is damaged."""
    try:
        return read(tensors[0]) if len(tensors) == 1 else None
    except DAMAGE:
        return None


def _scaling(tensor: "_Table") -> Fact[Scaling] | None:
    for unit in tensor.tables(_PROCESS_UNITS):
        options = unit.inner(_VALUE) if unit.number(_KIND) == _NORMALIZATION else None
        mean, std = (options.floats(0), options.floats(1)) if options else ((), ())
        if mean and std and all(map(math.isfinite, mean + std)) and all(std):
            return Fact(Scaling(mean, std), ORIGIN)
    return None


def _channels(tensor: "_Table") -> Fact[ChannelOrder] | None:
    content = tensor.inner(_CONTENT)
    properties = content.inner(_VALUE) if content and content.number(_KIND) == _IMAGE else None
    return Fact("rgb", ORIGIN) if properties and properties.number(0) == _RGB else None


def _classes(outputs: list["_Table"], data: bytes) -> Fact[tuple[str, ...]] | None:
    """From the first file of labels for the only output. Files for other languages follow it."""
    try:
        files = outputs[0].tables(_FILES) if len(outputs) == 1 else []
        names = [file.text(_FILE_NAME) for file in files if file.number(_FILE_TYPE) == _AXIS_LABELS]
        if not names:
            return None
        origin = f"{names[0]} inside the file"
        return Fact(classes_in(appended_text_members(data)[names[0]], names[0]), origin)
    except (*DAMAGE, OptionError):
        return None


class _Table:
    """A table of a flatbuffer whose fields are known by their numbers."""

    def __init__(self, content: bytes, position: int) -> None:
        self._table = table.Table(content, position)

    @classmethod
    def root(cls, content: bytes) -> "_Table":
        return cls(content, encode.Get(number_types.UOffsetTFlags.packer_type, content, 0))

    def number(self, field: int) -> int:
        """Of a byte; 0 if it is not there."""
        offset = self._offset(field)
        return int(self._table.Get(number_types.Uint8Flags, offset + self._table.Pos)) if offset else 0

    def text(self, field: int) -> str:
        offset = self._offset(field)
        return text(self._table.String(offset + self._table.Pos)) if offset else ""

    def inner(self, field: int) -> "_Table | None":
        offset = self._offset(field)
        return self._at(self._table.Indirect(offset + self._table.Pos)) if offset else None

    def tables(self, field: int) -> list["_Table"]:
        offset = self._offset(field)
        if not offset:
            return []
        start, length = self._table.Vector(offset), self._table.VectorLen(offset)
        return list(each(lambda index: self._at(self._table.Indirect(start + 4 * index)), length, _MAX_ENTRIES))

    def floats(self, field: int) -> tuple[float, ...]:
        offset = self._offset(field)
        if not offset:
            return ()
        start, length = self._table.Vector(offset), self._table.VectorLen(offset)
        get = self._table.Get
        return tuple(each(lambda index: float(get(number_types.Float32Flags, start + 4 * index)), length, _MAX_CHANNELS))

    def _offset(self, field: int) -> int:
        return int(self._table.Offset(4 + 2 * field))

    def _at(self, position: int) -> "_Table":
        return _Table(self._table.Bytes, position)
