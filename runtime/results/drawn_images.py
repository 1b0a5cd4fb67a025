"""Images with their answers drawn on, in a folder: `--save DIR`."""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from hashlib import blake2b
from itertools import takewhile
from pathlib import Path, PurePath
from threading import Lock

import cv2
import numpy as np

from edgeclf.runtime.drawing.answer_panel import MAX_SCORES, AnswerPanel, draw_panel
from edgeclf.runtime.drawing.canvas import shrink, with_room_for_text
from edgeclf.runtime.errors import ImageError, OptionError
from edgeclf.runtime.images.decode import Checks, decode
from edgeclf.runtime.images.encode import encode_image
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.images.limits import MAX_PIXELS
from edgeclf.runtime.images.preprocess import read_bytes
from edgeclf.runtime.model.prediction import Outcome, Prediction
from edgeclf.runtime.results import file_ops
from edgeclf.runtime.results.file_names import numbered_names, path_of, path_parts
from edgeclf.runtime.results.row import NO_LABEL, RowBuilder
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


class DrawnImages:
    """Draws answers onto images and writes them as JPEG to `DIR/PATH`, from any thread.

    A comment in each file names its image. So an image is drawn again in its own place, and no other file is ever
    overwritten: an image whose path is taken gets a number, `a (2).jpg`. builder: says which answers count. max_pixels: of
    an image. Raises OutputError if the folder cannot be made.
    """

    def __init__(self, folder: Path, builder: RowBuilder, max_pixels: int = MAX_PIXELS) -> None:
        make_folder(folder)
        self.folder = folder
        self._builder = builder
        self._checks = Checks(max_pixels)
        self._locks = [Lock() for _ in range(_LOCKS)]
        self._left_out: set[int] = set()

    def save(self, outcome: Outcome) -> None:
        """Write the image of an answer. An image that has gone since it was classified is left out.

        Raises OutputError if it cannot be written, OptionError for a frame of a video, or for an image in the folder itself.
        """
        if not isinstance(outcome.result, Prediction):
            return
        self._refuse(outcome.frame)
        try:
            drawn = self._drawn(outcome.frame, outcome.result)
        except (ImageError, MemoryError, cv2.error):
            self._left_out.add(hash(outcome.frame.name))
            return
        try:
            self._write(outcome.frame, drawn)
        except OSError as error:
            raise cannot_write(self.folder / PurePath(*path_parts(outcome.frame)), error) from None

    def has(self, frame: Frame) -> bool:
        """Whether the folder has the image of this frame."""
        comment = _comment(frame)
        return any(_has_comment(path, comment) for path in takewhile(os.path.lexists, self._candidates(frame)))

    def report(self) -> None:
        """Tell the user where the images are."""
        note(f"images with their answers are in {self.folder}")
        if self._left_out:
            note(f"{plural(len(self._left_out), 'image')} not drawn: missing or changed since classification")

    def _refuse(self, frame: Frame) -> None:
        path = path_of(frame)
        if path is not None and Path(os.path.realpath(os.path.dirname(path))).is_relative_to(os.path.realpath(self.folder)):
            raise OptionError(f"{frame.name} lies in --save {self.folder} itself; choose another folder")

    def _drawn(self, frame: Frame, answer: Prediction) -> bytes:
        """The bytes of a JPEG. Raises ImageError."""
        if isinstance(frame.image, np.ndarray):
            raise OptionError(f"--save is for image files, and {frame.name} is not one; {RECORD_INSTEAD}")
        data = read_bytes(frame.image)
        canvas = with_room_for_text(shrink(decode(data, self._checks.header_of(data), 3), _LONGEST_SIDE, _LONGEST_SIDE))
        status = self._builder.status(answer)
        label = status if status in NO_LABEL else answer.label
        draw_panel(canvas, AnswerPanel(label, f"{answer.confidence:.0%}", tuple(answer.top(MAX_SCORES)), status == "ok"))
        drawn = encode_image(canvas, ".jpg")
        return drawn[:_JFIF_BYTES] + _comment(frame) + drawn[_JFIF_BYTES:]

    def _write(self, frame: Frame, drawn: bytes) -> None:
        """Write it where it is already, or to the first path that is free."""
        comment = _comment(frame)
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


def check_save_folder(folder: Path, sources: Iterable[str]) -> None:
    """Raise OptionError if images would be written into one of these folders, or if one of them lies in `folder`."""
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise OptionError(f"--save {folder} is not a folder; name an existing folder, or one to create")
    target = Path(os.path.realpath(folder))
    for name in sources:
        source = Path(os.path.realpath(name))
        if target.is_relative_to(source) or source.is_relative_to(target):
            where = f"lies in the source {name}" if target.is_relative_to(source) else f"holds the source {name}"
            raise OptionError(f"--save {folder} {where}, and nothing is written into sources; choose another folder")


def _comment(frame: Frame) -> bytes:
    """A JPEG comment that names the image, without its path, which others need not see."""
    name = frame.name if is_uri(frame.name) else os.path.abspath(frame.name)
    text = f"edgeclf {blake2b(name.encode('utf-8', 'surrogateescape'), digest_size=16).hexdigest()}".encode()
    return b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text


def _has_comment(path: str, comment: bytes) -> bool:
    """Whether it is a file that was written for this image."""
    try:
        if not os.path.isfile(path):
            return False
        with open(path, "rb") as file:
            return file.read(_JFIF_BYTES + len(comment))[_JFIF_BYTES:] == comment
    except OSError:
        return False
