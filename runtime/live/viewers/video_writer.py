"""Writing a video file. `cv2.VideoWriter` alone overwrites existing files and does not report a full disk."""

import os
import shutil
from itertools import count
from pathlib import Path

import cv2

from edgeclf.runtime.drawing.canvas import letterbox
from edgeclf.runtime.errors import OptionError, OutputError
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.storage.atomic_write import write_advice

CODECS = {".mkv": "MJPG", ".avi": "MJPG", ".mp4": "mp4v"}
KEEP_FREE_BYTES = 100_000_000
"""Disk space left for other files, such as the run's results."""
MAX_FPS = 240.0

_CHECK_FRAMES = 2048  # in MJPG at least 200 bytes each, so together more than FFmpeg's buffer of 256 KiB


class VideoWriter:
    """Writes `out.mkv`, or `out-2.mkv` and so on if that exists. The first image sets the size of the video.

    Raises OptionError for a path or a rate that a video cannot have, OutputError if the file cannot be created.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self._codec = _codec(path)
        self._fps = _checked_fps(fps)
        self.path = _create_file(Path(os.path.abspath(path)))
        self._writer: cv2.VideoWriter | None = None
        self._size_hw = (0, 0)
        self._written = self._checked = self._size_bytes = 0

    def write(self, image: Pixels, repeat: int = 1) -> None:
        """Write an image, uint8 `[h, w, 3]` RGB, as `repeat` frames. Raises OutputError.

        An image of another size than the first one gets borders. An odd last row or column is dropped.
        """
        writer = self._writer or self._open(image)
        if image.shape[:2] != self._size_hw:
            image = letterbox(image, *self._size_hw)
        frame = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        for _ in range(repeat):
            writer.write(frame)
        self._written += repeat
        if self._written - self._checked >= _CHECK_FRAMES:
            _check_space(self.path)
            if self._codec == "MJPG":  # with a still scene, mp4v grows too little to tell
                self._check_growth()

    def close(self) -> None:
        """Finish the file, or remove it if it has no frames. Raises OutputError if the end cannot be written."""
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
                f"this OpenCV cannot write {self._codec} to {self.path.suffix}; use another one of {_suffixes()}"
            )
        return self._writer

    def _check_growth(self) -> None:
        """FFmpeg does not report it when nothing more can be written, but then the file no longer grows."""
        self._checked = self._written
        before, self._size_bytes = self._size_bytes, os.path.getsize(self.path)
        if self._size_bytes <= before:
            raise OutputError(f"nothing more can be written to {self.path}")


def _codec(path: Path) -> str:
    codec = CODECS.get(path.suffix.lower())
    if codec is None:
        raise OptionError(f"a recording is a {_suffixes()} file, not {str(path)!r}")
    try:
        os.path.abspath(path).encode()
    except UnicodeEncodeError:
        raise OptionError(f"the path of a recording must be UTF-8, which {str(path)!r} is not; rename it") from None
    return codec


def _suffixes() -> str:
    return ", ".join(f"*{suffix}" for suffix in CODECS)


def _checked_fps(fps: float) -> float:
    if not 0 < fps <= MAX_FPS:
        raise OptionError(f"a recording has up to {MAX_FPS:.0f} frames a second, not {fps}")
    return fps


def _create_file(path: Path) -> Path:
    """Create an empty file under the first free name, so that no other process takes it."""
    for number in count(1):
        free = path if number == 1 else path.with_stem(f"{path.stem}-{number}")
        try:
            _check_space(path)
            os.close(os.open(free, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except FileExistsError:
            continue
        except OSError as error:
            advice = write_advice(error, path.parent)
            raise OutputError(f"cannot record to {path}: {error.strerror or error}; {advice}") from None
        return free
    raise AssertionError("count() is endless")


def _check_space(path: Path) -> None:
    if shutil.disk_usage(path.parent).free < KEEP_FREE_BYTES:
        problem = f"cannot record to {path}: less than {KEEP_FREE_BYTES / 1e6:.0f} MB of disk space are free"
        raise OutputError(f"{problem}; free some space or choose another place")
