"""Images with something drawn on them, in a folder: their answers for `--save DIR`, heatmaps for `--explain DIR`."""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from hashlib import blake2b
from itertools import takewhile
from pathlib import Path, PurePath
from threading import Lock
from typing import Protocol

import cv2
import numpy as np

from edgeclf.runtime.drawing.answer_panel import MAX_SCORES, AnswerPanel, draw_panel
from edgeclf.runtime.drawing.canvas import shrink, with_room_for_text
from edgeclf.runtime.errors import ImageError, OptionError
from edgeclf.runtime.images.decode import Checks, Pixels, decode
from edgeclf.runtime.images.encode import encode_image
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.images.limits import MAX_PIXELS
from edgeclf.runtime.images.preprocess import read_bytes
from edgeclf.runtime.model.prediction import Outcome, Prediction
from edgeclf.runtime.results import file_ops
from edgeclf.runtime.results.file_names import numbered_names, path_of, path_parts
from edgeclf.runtime.results.row import NO_LABEL, Row, RowBuilder
from edgeclf.runtime.storage.atomic_write import cannot_write, make_folder
from edgeclf.runtime.storage.object_store import is_uri
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.plural import plural

_LONGEST_SIDE = 4096
"""Larger images are made smaller: a worker holds several copies of what it draws on."""
_JPEG_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif")
_JFIF_BYTES = 20
"""The beginning of a JPEG by OpenCV, after which comes the comment."""
_LOCKS = 16
RECORD_INSTEAD = "record what cameras and videos show with --record FILE.mkv"


class Drawing(Protocol):
    """What is drawn onto images. flag: the one that asked for it. says: what the images are, for people.

    live_advice: what to do instead for cameras and videos. mark: tells its files from those of another drawing in the same
    folder. outputs: further ones of the model that it needs.
    """

    flag: str
    says: str
    live_advice: str
    mark: str

    @property
    def outputs(self) -> tuple[str, ...]: ...

    def wants(self, status: str, label: str) -> bool:
        """Whether an answer with this status, and this label if it has one, is drawn."""
        ...

    def draw(self, frame: Frame, image: Pixels, answer: Prediction) -> Pixels:
        """The image with what is drawn on it, both uint8 `[h, w, 3]` RGB. Raises ImageError."""
        ...


class AnswerDrawing:
    """The answer in a panel, for `--save`. builder: says which answers count."""

    flag = "--save"
    says = "images with their answers"
    live_advice = RECORD_INSTEAD
    mark = "edgeclf"
    outputs: tuple[str, ...] = ()

    def __init__(self, builder: RowBuilder) -> None:
        self._builder = builder

    def wants(self, status: str, label: str) -> bool:
        return True

    def draw(self, frame: Frame, image: Pixels, answer: Prediction) -> Pixels:
        canvas = with_room_for_text(image)
        status = self._builder.status(answer)
        label = status if status in NO_LABEL else answer.label
        draw_panel(canvas, AnswerPanel(label, f"{answer.confidence:.0%}", tuple(answer.top(MAX_SCORES)), status == "ok"))
        return canvas


class DrawnImages:
    """Draws onto images and writes them as JPEG to `DIR/PATH`, from any thread.

    A comment in each file names its image. So an image is drawn again in its own place, and no other file is ever
    overwritten: an image whose path is taken gets a number, `a (2).jpg`. builder: says which answers count. max_pixels: of
    an image. Raises OutputError if the folder cannot be made.
    """

    def __init__(self, folder: Path, drawing: Drawing, builder: RowBuilder, max_pixels: int = MAX_PIXELS) -> None:
        make_folder(folder)
        self.folder = folder
        self._drawing = drawing
        self._builder = builder
        self._checks = Checks(max_pixels)
        self._locks = [Lock() for _ in range(_LOCKS)]
        self._left_out: set[int] = set()
        self._unwanted: set[int] = set()

    @property
    def outputs(self) -> tuple[str, ...]:
        """Further ones of the model that it needs with each answer."""
        return self._drawing.outputs

    def learn(self, rows: Iterable[Row]) -> None:
        """Note which images have an answer already that is not drawn, so that `has` does not miss them."""
        self._unwanted.update(hash(row.path) for row in rows if not self._drawing.wants(row.status, row.label))

    def save(self, outcome: Outcome) -> None:
        """Write the image of an answer. An image that has gone since it was classified is left out.

        Raises OutputError if it cannot be written, OptionError for a frame of a video, or for an image in the folder itself.
        """
        answer = outcome.result
        if not isinstance(answer, Prediction) or not self._wants(answer):
            return
        self._refuse(outcome.frame)
        try:
            drawn = self._drawn(outcome.frame, answer)
        except (ImageError, MemoryError, cv2.error):
            self._left_out.add(hash(outcome.frame.name))
            return
        try:
            self._write(outcome.frame, drawn)
        except OSError as error:
            raise cannot_write(self.folder / PurePath(*path_parts(outcome.frame)), error) from None

    def has(self, frame: Frame) -> bool:
        """Whether the folder has the image of this frame, or needs none; see `learn`."""
        if hash(frame.name) in self._unwanted:
            return True
        comment = self._comment(frame)
        return any(_has_comment(path, comment) for path in takewhile(os.path.lexists, self._candidates(frame)))

    def report(self) -> None:
        """Tell the user where the images are."""
        note(f"{self._drawing.says} are in {self.folder}")
        if self._left_out:
            note(f"{plural(len(self._left_out), 'image')} not drawn: missing or changed since classification")

    def _wants(self, answer: Prediction) -> bool:
        status = self._builder.status(answer)
        return self._drawing.wants(status, "" if status in NO_LABEL else answer.label)

    def _refuse(self, frame: Frame) -> None:
        path = path_of(frame)
        if path is not None and Path(os.path.realpath(os.path.dirname(path))).is_relative_to(os.path.realpath(self.folder)):
            raise OptionError(f"{frame.name} lies in {self._drawing.flag} {self.folder} itself; choose another folder")

    def _drawn(self, frame: Frame, answer: Prediction) -> bytes:
        """The bytes of a JPEG. Raises ImageError."""
        if isinstance(frame.image, np.ndarray):
            flag, advice = self._drawing.flag, self._drawing.live_advice
            raise OptionError(f"{flag} is for image files, and {frame.name} is not one; {advice}")
        data = read_bytes(frame.image)
        image = shrink(decode(data, self._checks.header_of(data), 3), _LONGEST_SIDE, _LONGEST_SIDE)
        drawn = encode_image(self._drawing.draw(frame, image, answer), ".jpg")
        return drawn[:_JFIF_BYTES] + self._comment(frame) + drawn[_JFIF_BYTES:]

    def _comment(self, frame: Frame) -> bytes:
        """A JPEG comment that names the image, without its path, which others need not see."""
        name = frame.name if is_uri(frame.name) else os.path.abspath(frame.name)
        digest = blake2b(name.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
        text = f"{self._drawing.mark} {digest}".encode()
        return b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text

    def _write(self, frame: Frame, drawn: bytes) -> None:
        """Write it where it is already, or to the first path that is free."""
        comment = self._comment(frame)
        with self._locks[comment[-1] % _LOCKS]:  # an image may be named twice
            for path in self._candidates(frame):
                os.makedirs(os.path.dirname(path), exist_ok=True)
                if _has_comment(path, comment):
                    file_ops.replace_bytes(drawn, frame.name, path)
                    return
                if os.path.lexists(path):
                    continue
                with suppress(FileExistsError):  # taken meanwhile
                    file_ops.copy_bytes(drawn, frame.name, path)
                    return

    def _candidates(self, frame: Frame) -> Iterator[str]:
        *folders, name = path_parts(frame)
        if not name.lower().endswith(_JPEG_SUFFIXES):
            name += ".jpg"
        return (os.path.join(self.folder, *folders, candidate) for candidate in numbered_names(name))


def check_folder(flag: str, folder: Path, sources: Iterable[str]) -> None:
    """Raise OptionError if images would be written into one of these folders, or if one of them lies in `folder`.

    flag: the one that named `folder`.
    """
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise OptionError(f"{flag} {folder} is not a folder; name an existing folder, or one to create")
    target = Path(os.path.realpath(folder))
    for name in sources:
        source = Path(os.path.realpath(name))
        if target.is_relative_to(source) or source.is_relative_to(target):
            where = f"lies in the source {name}" if target.is_relative_to(source) else f"holds the source {name}"
            raise OptionError(f"{flag} {folder} {where}, and nothing is written into sources; choose another folder")


def _has_comment(path: str, comment: bytes) -> bool:
    """Whether it is a file that was written for this image."""
    try:
        if not os.path.isfile(path):
            return False
        with open(path, "rb") as file:
            return file.read(_JFIF_BYTES + len(comment))[_JFIF_BYTES:] == comment
    except OSError:
        return False
