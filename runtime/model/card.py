"""The model card: what a model's outputs mean and how its input images are made. Every model file carries it."""

import json
import struct
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal, get_args

from edgeclf.runtime.errors import EdgeclfError, ModelError, first_line
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.model.formats import model_format
from edgeclf.runtime.model.novelty import Novelty
from edgeclf.runtime.terminal.escaping import escape
from edgeclf.runtime.terminal.plural import plural

SCHEMA = 1
CARD_KEY = "edgeclf.card"
"""The key in ONNX `metadata_props`."""
CARD_MEMBER = "edgeclf/card.json"
"""The member of a `.keras` file, and of the zip appended to a `.tflite` file."""

Head = Literal["softmax", "sigmoid", "logits"]
_MAX_BYTES = 4 << 20
_MAX_NAMES = 5


@dataclass(frozen=True)
class ModelCard:
    """classes: labels in the order of the output columns.
    preprocess: how an image becomes the input.
    head: the output layer of the trained network: `softmax` (one unit per class), `sigmoid` (one unit, for the second
        class) or `logits` (either one without its activation). Exported models always give one probability per class.
    training: facts about the training as JSON values: versions, counts, accuracy on data that was not used for fitting.
    novelty: tells images that are unlike all that was learned; None if the model cannot say.
    outputs: the names of what the file returns behind `probabilities`, in this order; see `further_outputs.py`.
    """

    classes: tuple[str, ...]
    preprocess: Preprocess
    head: Head = "softmax"
    training: dict[str, Any] = field(default_factory=dict)
    novelty: Novelty | None = None
    outputs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.classes) < 2 or len(set(self.classes)) < len(self.classes):
            raise ModelError(f"a classifier needs at least two classes with different names, not {list(self.classes)}")
        if not all(isinstance(name, str) and name for name in self.classes):
            raise ModelError(f"class names must be non-empty strings, not {list(self.classes)}")
        if self.head not in get_args(Head):
            raise ModelError(f"head must be one of {', '.join(get_args(Head))}, not {self.head!r}")
        if self.head == "sigmoid" and len(self.classes) != 2:
            raise ModelError(f"a sigmoid head needs two classes, not {len(self.classes)}")

    def __repr__(self) -> str:
        return f"ModelCard({self.summary})"

    @property
    def summary(self) -> str:
        """Classes and images, on one line."""
        return f"{plural(len(self.classes), 'class')}: {self.first_classes}; images of {self.image_kind}"

    @property
    def first_classes(self) -> str:
        """The names of the first classes, and dots if there are more."""
        more = ", ..." if len(self.classes) > _MAX_NAMES else ""
        return f"{', '.join(map(escape, self.classes[:_MAX_NAMES]))}{more}"

    @property
    def image_kind(self) -> str:
        """Such as `224 x 224 RGB`."""
        height, width = self.preprocess.size_hw
        return f"{width} x {height} {'RGB' if self.preprocess.channels == 3 else 'grey'}"

    def to_json(self) -> str:
        """ASCII JSON that `from_json` of this and later versions can read."""
        fields: dict[str, Any] = {
            "schema": SCHEMA,
            "classes": list(self.classes),
            "preprocess": self.preprocess.to_json(),
            "head": self.head,
            "training": self.training,
        }
        if self.novelty:
            fields["novelty"] = self.novelty.to_json()
        if self.outputs:
            fields["outputs"] = list(self.outputs)
        return json.dumps(fields, indent=1)

    @classmethod
    def from_json(cls, text: str) -> "ModelCard":
        """Raises ModelError if the text is not a card, or has a newer schema."""
        try:
            fields = json.loads(text)
            schema = fields["schema"]
            if not isinstance(schema, int) or not 1 <= schema <= SCHEMA:
                raise ModelError(f"its card has schema {schema!r}, but this edgeclf reads up to {SCHEMA}; upgrade edgeclf")
            if not isinstance(fields["classes"], list):
                raise TypeError("classes is not a list")
            preprocess = Preprocess.from_json(fields["preprocess"])
            novelty = Novelty.from_json(fields["novelty"]) if "novelty" in fields else None
            outputs = tuple(map(str, fields.get("outputs", ())))
            return cls(
                tuple(fields["classes"]),
                preprocess,
                fields["head"],
                dict(fields["training"]),
                novelty=novelty,
                outputs=outputs,
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ModelError(f"its card cannot be read ({type(error).__name__}: {error}); export the model again") from None
        except EdgeclfError as error:
            raise ModelError(f"its card cannot be used: {error}") from None


def has_keras_card(path: Path) -> bool:
    """Whether it is a `.keras` file that `clf-train` saved, damaged or not."""
    if not path.is_file() or model_format(path) != "Keras":
        return False
    try:
        return read_zip_card(path) is not None
    except ModelError:  # a damaged one
        return True


def read_zip_card(file: Path | IO[bytes]) -> str | None:
    """The JSON text of the card in a `.keras` or `.tflite` file; None without a card."""
    try:
        with zipfile.ZipFile(file) as archive:
            member = archive.getinfo(CARD_MEMBER)
            if member.file_size > _MAX_BYTES:
                raise ModelError(f"the model's card is larger than {_MAX_BYTES >> 20} MB; copy or export the model again")
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ModelError(
                    "the model's card has a zip compression that edgeclf never uses; copy or export the model again"
                )
            with archive.open(member) as card:  # read() without a size unpacks all that there is, whatever the member says
                return card.read(member.file_size).decode("utf-8", "replace")
    except (zipfile.BadZipFile, KeyError):
        return None
    except (OSError, ValueError, RuntimeError, EOFError, zlib.error, struct.error) as error:
        raise ModelError(f"the model's card is damaged ({first_line(error)}); copy or export the model again") from None
