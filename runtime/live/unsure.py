"""Images that the model was unsure about, saved for the next training."""

import os
import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from edgeclf.runtime.errors import first_line
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.images.encode import encode_image
from edgeclf.runtime.results.sorting import folder_name
from edgeclf.runtime.storage.atomic_write import make_folder
from edgeclf.runtime.terminal.console import note

JPEG_QUALITY = 95
_EVERY_S = 1.0
_PAUSE_S = 60.0


class UnsureFolder:
    """Saves `DIR/GUESS/TIME_SOURCE.jpg`, at most one image a second from each source, up to `max_bytes` in the folder.

    Move each image into the folder of its true class, and `clf-train DIR` learns from it. Nothing is deleted here. When the
    folder is full, saving pauses and is tried again once a minute. saved: how many images this run has saved.
    Raises OutputError if the folder cannot be made.
    """

    def __init__(
        self,
        folder: Path,
        max_bytes: int,
        *,
        report: Callable[[str], None] = note,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        make_folder(folder)
        self.saved = 0
        self._folder = folder
        self._max_bytes = max_bytes
        self._folder_bytes = _size_bytes(folder)
        self._report = report
        self._now = now
        self._last: dict[str, float] = {}
        self._paused_until = float("-inf")
        self._is_reported = False

    def save(self, source: str, image: Pixels, guess: str, time: str) -> None:
        """image: uint8 `[h, w, 3]` RGB. guess: the most probable class. time: ISO 8601. Reports a full disk once."""
        now = self._now()
        if now < self._paused_until or now - self._last.get(source, float("-inf")) < _EVERY_S:
            return
        self._last[source] = now
        if self._is_reported:
            self._folder_bytes = _size_bytes(self._folder)
        try:
            encoded = encode_image(image, ".jpg", quality=JPEG_QUALITY)
        except ValueError:  # larger than a JPEG can be
            return
        if self._folder_bytes + len(encoded) > self._max_bytes:
            self._pause(f"the folder holds {self._folder_bytes / 1e6:,.1f} MB; raise --save-unsure-max or empty it")
            return
        try:
            self._write(self._folder / folder_name(guess) / f"{_compact(time)}_{_file_name(source)}.jpg", encoded)
        except OSError as error:
            self._pause(f"the folder cannot be written to ({first_line(error)})")

    def _write(self, path: Path, data: bytes) -> None:
        path.parent.mkdir(exist_ok=True)
        unfinished = path.with_name(path.name + ".part")
        unfinished.write_bytes(data)
        os.replace(unfinished, path)
        self._folder_bytes += len(data)
        self.saved += 1
        self._is_reported = False

    def _pause(self, reason: str) -> None:
        if not self._is_reported:
            self._report(f"unsure images are not saved in {self._folder} for now: {reason}")
        self._is_reported = True
        self._paused_until = self._now() + _PAUSE_S


def _size_bytes(folder: Path) -> int:
    size = 0
    for path in folder.rglob("*.jpg"):
        with suppress(FileNotFoundError):
            size += path.stat().st_size
    return size


def _compact(time: str) -> str:
    return re.sub(r"[-:]", "", time)


def _file_name(source: str) -> str:
    """A short, safe file name for any source."""
    return re.sub(r"[^\w.-]+", "-", source, flags=re.ASCII).strip("-.")[-40:] or "source"
