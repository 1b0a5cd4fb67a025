"""Pictures that the model was unsure of, kept for the next round of training."""

import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import cv2

from edgeclf.runtime.console import note
from edgeclf.runtime.errors import first_line
from edgeclf.runtime.frames.decode import Pixels
from edgeclf.runtime.publishing import make_folder
from edgeclf.runtime.results.sorting import folder_name

QUALITY = 95
"""Of the JPEGs."""
_EVERY_S = 1.0


class UnsureFolder:
    """`DIR/GUESS/TIME_SOURCE.jpg`, at most one a second of each source, until the folder holds `most_bytes`.

    Put each picture into the folder of what it shows, and `clf-train DIR` learns from it. Nothing is ever deleted here.
    Raises OutputError when the folder cannot be made.
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
        self._held_bytes = sum(path.stat().st_size for path in folder.rglob("*.jpg"))
        self._report = report
        self._now = now
        self._last: dict[str, float] = {}
        self._ended = False

    def keep(self, source: str, picture: Pixels, guess: str, moment: str) -> None:
        """picture: uint8 `[h, w, 3]` RGB. guess: the most probable class. moment: ISO 8601. A full disk is said once."""
        if self._ended or self._now() - self._last.get(source, float("-inf")) < _EVERY_S:
            return
        self._last[source] = self._now()
        done, encoded = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        if not done:
            return
        if self._held_bytes + len(encoded) > self._most_bytes:
            self._end(f"it holds {self._held_bytes / 1e6:,.0f} MB; raise --save-unsure-max or empty it")
            return
        try:
            self._write(self._folder / folder_name(guess) / f"{_compact(moment)}_{_plain(source)}.jpg", encoded.tobytes())
        except OSError as error:
            self._end(f"it cannot be written to ({first_line(error)})")

    def _write(self, path: Path, data: bytes) -> None:
        path.parent.mkdir(exist_ok=True)
        part = path.with_name(path.name + ".part")
        part.write_bytes(data)
        os.replace(part, path)
        self._held_bytes += len(data)
        self.kept += 1

    def _end(self, why: str) -> None:
        self._ended = True
        self._report(f"no more unsure pictures are kept in {self._folder}: {why}")


def _compact(moment: str) -> str:
    return re.sub(r"[-:]", "", moment)


def _plain(source: str) -> str:
    """A short file name for any source."""
    return re.sub(r"[^\w.-]+", "-", source, flags=re.ASCII).strip("-.")[-40:] or "source"
