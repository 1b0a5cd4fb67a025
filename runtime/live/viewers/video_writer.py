"""A video that is being written. `cv2.VideoWriter` alone overwrites what is there, and says nothing of a full disk."""

import os
import shutil
from itertools import count
from pathlib import Path

import cv2

from edgeclf.runtime.errors import OptionError, OutputError
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.live.viewers.overlay import fit

CODECS = {".mkv": "MJPG", ".avi": "MJPG", ".mp4": "mp4v"}
KEEP_FREE_BYTES = 100_000_000
"""So much of the disk is left to others, such as the run's results."""
FASTEST = 240.0
"""Frames a second, at most."""

_CHECK_FRAMES = 2048  # of MJPG at least 200 bytes each, more in all than FFmpeg's buffer of 256 KiB
_FULL = f"less than {KEEP_FREE_BYTES / 1e6:.0f} MB of the disk are free"


class VideoFile:
    """`out.mkv`, or `out-2.mkv` and so on where that is taken; its size is that of the first image.

    Raises OptionError for a path or a rate that no video can have, OutputError where no file can be made.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self._codec = _codec(path)
        self._fps = _checked(fps)
        self.path = _reserve(Path(os.path.abspath(path)))
        self._writer: cv2.VideoWriter | None = None
        self._size_hw = (0, 0)
        self._written = self._checked = self._size_bytes = 0

    def write(self, image: Pixels, times: int = 1) -> None:
        """uint8 `[h, w, 3]` RGB, for so many frames; of another size than the first, it gets borders. A last odd row
        or column is left out. Raises OutputError.
        """
        writer = self._writer or self._open(image)
        if image.shape[:2] != self._size_hw:
            image = fit(image, *self._size_hw)
        frame = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        for _ in range(times):
            writer.write(frame)
        self._written += times
        if self._written - self._checked >= _CHECK_FRAMES:
            _check_space(self.path)
            if self._codec == "MJPG":  # a still mp4v grows too little to tell
                self._check_growth()

    def close(self) -> None:
        """Finish the file; one without an image is removed. Raises OutputError when the last of it cannot be written."""
        if self._writer is None:
            self.path.unlink(missing_ok=True)
            return
        self._writer.release()
        if self._written > self._checked:
            self._check_growth()

    def _open(self, image: Pixels) -> cv2.VideoWriter:
        self._size_hw = height, width = max(2, image.shape[0]), max(2, image.shape[1])
        fourcc = cv2.VideoWriter.fourcc(*self._codec)
        self._writer = cv2.VideoWriter(str(self.path), cv2.CAP_FFMPEG, fourcc, self._fps, (width, height))
        if not self._writer.isOpened():
            raise OutputError(
                f"this OpenCV cannot write {self._codec} into {self.path.suffix}: try another one of {_names()}"
            )
        return self._writer

    def _check_growth(self) -> None:
        """FFmpeg goes on in silence when nothing can be written any more."""
        self._checked = self._written
        before, self._size_bytes = self._size_bytes, os.path.getsize(self.path)
        if self._size_bytes <= before:
            raise OutputError(f"nothing more can be written to {self.path}")


def _codec(path: Path) -> str:
    codec = CODECS.get(path.suffix.lower())
    if codec is None:
        raise OptionError(f"a recording is a file called {_names()}, not {str(path)!r}")
    try:
        os.path.abspath(path).encode()
    except UnicodeEncodeError:
        raise OptionError(f"the path of a recording must be UTF-8, which {str(path)!r} is not; rename it") from None
    return codec


def _names() -> str:
    return ", ".join(f"*{suffix}" for suffix in CODECS)


def _checked(fps: float) -> float:
    if not 0 < fps <= FASTEST:
        raise OptionError(f"a recording has up to {FASTEST:.0f} frames a second, not {fps}")
    return fps


def _reserve(path: Path) -> Path:
    """Make an empty file under the first name that is free, so that no other process takes it."""
    for number in count(1):
        free = path if number == 1 else path.with_stem(f"{path.stem}-{number}")
        try:
            _check_space(path)
            os.close(os.open(free, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except FileExistsError:
            continue
        except OSError as error:
            raise OutputError(f"cannot record to {path}: {error.strerror or error}; choose another place") from None
        return free
    raise AssertionError("numbers do not end")


def _check_space(path: Path) -> None:
    if shutil.disk_usage(path.parent).free < KEEP_FREE_BYTES:
        raise OutputError(f"cannot record to {path}: {_FULL}")
