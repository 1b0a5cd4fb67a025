"""Images that the model was unsure of, kept for the next round of training."""

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

QUALITY = 95
"""Of the JPEGs."""
_EVERY_S = 1.0
_REST_S = 60.0


class UnsureFolder:
    """`DIR/GUESS/TIME_SOURCE.jpg`, at most one a second of each source, until the folder holds `most_bytes`.

    Put each image into the folder of what it shows, and `clf-train DIR` learns from it. Nothing is ever deleted here: a
    full folder is looked at once a minute, in case someone has emptied it. Raises OutputError when it cannot be made.
    """

    def __init__(
        self,
        folder: Path,
        most_bytes: int,
        *,
        report: Callable[[str], None] = note,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        make_folder(folder)
        self.kept = 0
        self._folder = folder
        self._most_bytes = most_bytes
        self._held_bytes = _size_bytes(folder)
        self._report = report
        self._now = now
        self._last: dict[str, float] = {}
        self._resting_until = float("-inf")
        self._is_said = False

    def keep(self, source: str, image: Pixels, guess: str, moment: str) -> None:
        """image: uint8 `[h, w, 3]` RGB. guess: the most probable class. moment: ISO 8601. A full disk is said once."""
        now = self._now()
        if now < self._resting_until or now - self._last.get(source, float("-inf")) < _EVERY_S:
            return
        self._last[source] = now
        if self._is_said:
            self._held_bytes = _size_bytes(self._folder)
        try:
            encoded = encode_image(image, ".jpg", quality=QUALITY)
        except ValueError:  # larger than a JPEG can be
            return
        if self._held_bytes + len(encoded) > self._most_bytes:
            self._rest(f"it holds {self._held_bytes / 1e6:,.1f} MB; raise --save-unsure-max or empty it")
            return
        try:
            self._write(self._folder / folder_name(guess) / f"{_compact(moment)}_{_plain(source)}.jpg", encoded)
        except OSError as error:
            self._rest(f"it cannot be written to ({first_line(error)})")

    def _write(self, path: Path, data: bytes) -> None:
        path.parent.mkdir(exist_ok=True)
        part = path.with_name(path.name + ".part")
        part.write_bytes(data)
        os.replace(part, path)
        self._held_bytes += len(data)
        self.kept += 1
        self._is_said = False

    def _rest(self, why: str) -> None:
        if not self._is_said:
            self._report(f"no unsure images are kept in {self._folder} for now: {why}")
        self._is_said = True
        self._resting_until = self._now() + _REST_S


def _size_bytes(folder: Path) -> int:
    size = 0
    for path in folder.rglob("*.jpg"):
        with suppress(FileNotFoundError):
            size += path.stat().st_size
    return size


def _compact(moment: str) -> str:
    return re.sub(r"[-:]", "", moment)


def _plain(source: str) -> str:
    """A short file name for any source."""
    return re.sub(r"[^\w.-]+", "-", source, flags=re.ASCII).strip("-.")[-40:] or "source"
