"""Video files. Every frame is an image; a problem with the file itself becomes one more frame that reports it."""

import math
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import cv2
import numpy as np

from edgeclf.runtime.errors import ImageError, Reason
from edgeclf.runtime.images.decode import check_size
from edgeclf.runtime.images.formats.header import Header
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.images.limits import MAX_PIXELS
from edgeclf.runtime.images.preprocess import ImageLike
from edgeclf.runtime.sources.lists import PAUSE_S
from edgeclf.runtime.sources.sampling import EVERY_FRAME, Sampling
from edgeclf.runtime.sources.source_part import file_frame
from edgeclf.runtime.sources.unreadable import DAMAGE_ERRORS, UnreadableImage, image_error
from edgeclf.runtime.sources.video_containers import is_cut_off

SUFFIXES = (
    ".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".avi", ".wmv", ".asf", ".flv", ".ogv", ".mpg", ".mpeg", ".ts", ".mts",
    ".m2ts", ".mjpg", ".mjpeg", ".h264", ".264", ".h265", ".265", ".hevc",
)  # fmt: skip

_CONTAINER = re.compile(
    rb"""\x1A\x45\xDF\xA3                     # Matroska, WebM
    | ....(?:ftyp|moov|mdat|wide|free|skip)   # MP4, QuickTime
    | RIFF....AVI\x20
    | \x30\x26\xB2\x75\x8E\x66\xCF\x11        # ASF, WMV
    | FLV\x01
    | OggS\x00
    | \x00\x00\x01[\xBA\xB3]                  # MPEG-1, MPEG-2
    | G.{187}G.{187}G                         # transport streams: packets of 188 or of 192 bytes
    | .{4}G.{191}G.{191}G
    | \x00{2,3}\x01[\x09\x27\x47\x67\x40\x42\x46] # bare H.264 and H.265, as small cameras record it
    | \xFF\xD8\xFF                            # bare JPEGs, one after the other""",
    re.DOTALL | re.VERBOSE,
)
"""The first bytes of files that contain a video. FFmpeg would also open playlists under any name, and the files and
addresses that they list."""
_HEAD_BYTES = 4 + 2 * 192 + 1
_COMPLETE = 0.95
"""A video with this share of what its header declares is complete: headers often round, and count time without frames."""
_MOST_FRAMES = 1 << 40


def is_video(name: str | os.PathLike[str]) -> bool:
    """Whether a file of this name is read as a video."""
    return os.path.basename(name).lower().endswith(SUFFIXES)


def frame_rate(name: str, sampling: Sampling = EVERY_FRAME) -> float | None:
    """How many frames per second are taken from a video, by its header; None if that is unknown or cannot be read."""
    if sampling.every_s is not None:
        return 1 / sampling.every_s
    try:
        with _open(name) as video:
            return video.rate / sampling.stride or None
    except DAMAGE_ERRORS:
        return None


class VideoFrames:
    """The frames of a video in order: `clip.mp4#frame=0` and so on, uint8 `[h, w, 3]` RGB, rotated as the file says.

    If the file is not a video, or its frames are larger than `max_pixels`, there is a single frame, for the file itself,
    that carries the error. A video that ends early has such a frame at its end.
    """

    folders: tuple[str, ...] = ()

    def __init__(self, name: str, sampling: Sampling = EVERY_FRAME, max_pixels: int = MAX_PIXELS) -> None:
        self.prefix = name
        self.roots: tuple[str, ...] = (name,) if os.path.exists(name) else ()
        self.skipped = 0
        self.empty_message = f"{name!r} holds no frames"
        self._sampling = sampling
        self._max_pixels = max_pixels

    def frames(self, source: int) -> Iterator[Frame | None]:
        file = file_frame(self.prefix, "", source)
        try:
            with _open(self.prefix) as video:
                video.require_size(self._max_pixels)
                for number in self._taken_frames(video):
                    yield None if number is None else self._frame(video, number, file)
                if video.ends_early():  # raises if its disk has gone; then it is unknown whether the video is cut off
                    raise video.early_end()
        except DAMAGE_ERRORS as error:
            yield replace(file, image=UnreadableImage(image_error(error)))

    def count(self) -> int | None:
        try:
            with _open(self.prefix) as video:
                return self._sampling.count(video.declared, video.declared_s) if video.declared else None
        except DAMAGE_ERRORS:
            return 1  # the frame that reports the error

    def _taken_frames(self, video: "_Video") -> Iterator[int | None]:
        """The numbers of the frames to take, each while it is the video's current frame; None after a while without one."""
        slot, yielded_at = -1, time.monotonic()
        for number in video:
            previous, slot = slot, self._sampling.slot(number, round(video.position_s * 1000))
            if slot != previous or time.monotonic() - yielded_at > PAUSE_S:
                yield number if slot != previous else None
                yielded_at = time.monotonic()

    def _frame(self, video: "_Video", number: int, file: Frame) -> Frame:
        path = f"#frame={number}"
        image, position_s = video.image(), round(video.position_s, 3)
        return replace(file, name=self.prefix + path, path=path, image=image, position_s=position_s)


class _Video:
    """A video that is being read.

    declared: the number of frames in its header; 0 if unknown. declared_s: the same as a duration. rate: frames per second;
    0 if unknown. position_s: time of the current frame; if the file has none, one frame after the previous one.
    """

    def __init__(self, capture: cv2.VideoCapture, path: str) -> None:
        self._capture = capture
        self._path = path
        self._done = 0
        frame_rate, declared = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.rate = frame_rate if 1e-6 < frame_rate < 1e6 else 0.0
        self._frame_s = 1 / self.rate if self.rate else 0.0
        self.declared = int(declared) if 0 < declared < _MOST_FRAMES else 0
        self.declared_s = self.declared * self._frame_s
        self.position_s = 0.0

    def __iter__(self) -> Iterator[int]:
        """Go through the frames, numbered from 0. A frame is decoded only when `image` is called."""
        while self._grab():
            position_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            if self._done and not self.position_s < position_s < math.inf:
                position_s = self.position_s + self._frame_s
            self.position_s = max(0.0, position_s)
            self._done += 1
            yield self._done - 1

    def require_size(self, max_pixels: int) -> None:
        """Raise ImageError `too_large` before any frame is decoded. OpenCV resizes later frames to the size of the first."""
        width, height = (int(self._capture.get(side)) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        try:
            check_size(Header("video", width, height), max_pixels)
        except ImageError as error:
            error.size_hw = (height, width)
            raise

    def image(self) -> ImageLike:
        """The current frame."""
        try:
            done, pixels = self._capture.retrieve()
            if done:
                return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)
        except (MemoryError, cv2.error) as error:
            return UnreadableImage(image_error(error))
        return UnreadableImage(ImageError(Reason.CORRUPT, "a frame that cannot be decoded"))

    def ends_early(self) -> bool:
        """Whether frames are missing. Call it at the end: it goes to the last frame. Raises OSError."""
        if not self._done:
            return True
        since_zero_s = self._capture.get(cv2.CAP_PROP_PTS) * self._frame_s  # position_s starts at 0 with the first frame
        reached_s = max(self.position_s, since_zero_s) + self._frame_s
        if self._done >= _COMPLETE * self.declared or reached_s >= _COMPLETE * self.declared_s:
            return False
        return is_cut_off(self._path) or self._has_more()

    def _has_more(self) -> bool:
        """Whether there are frames behind the last one, which OpenCV did not reach because of damage between them."""
        reached = self._capture.get(cv2.CAP_PROP_PTS)
        self._capture.set(cv2.CAP_PROP_POS_FRAMES, self.declared)
        while self._grab():
            pass
        return self._capture.get(cv2.CAP_PROP_PTS) > reached + (1 - _COMPLETE) * self.declared

    def early_end(self) -> ImageError:
        """The error for a video that ends early."""
        if not self._done:
            codec = _codec(self._capture)
            if codec == "AV01":  # FFmpeg itself decodes it with the help of a graphics card only
                return ImageError(Reason.UNSUPPORTED, "an AV1 video, which this OpenCV cannot decode; convert it to H.264")
            return ImageError(
                Reason.CORRUPT, f"none of its frames can be decoded; OpenCV may lack its codec{codec and f' ({codec})'}"
            )
        return ImageError(Reason.TRUNCATED, f"ends after {self._done:,} of about {self.declared:,} frames")

    def _grab(self) -> bool:
        try:
            return self._capture.grab()
        except cv2.error as error:
            raise image_error(error) from None


@contextmanager
def _open(path: str) -> Iterator[_Video]:
    """Raises one of DAMAGE_ERRORS if it is not a readable video. Pipes and devices are never opened."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise ImageError(Reason.NOT_A_FILE, "not a regular file")
    with open(path, "rb") as file:
        head = file.read(_HEAD_BYTES)
        if not head:
            raise ImageError(Reason.EMPTY, "the file holds 0 bytes")
        if not _CONTAINER.match(head):
            raise ImageError(Reason.NOT_AN_IMAGE, f"not a readable video ({_kind(head)})")
        capture = cv2.VideoCapture(_address(path, file.fileno()), cv2.CAP_FFMPEG)
    try:
        if not capture.isOpened():
            why = "cut off, damaged, without a video stream, or of a codec that OpenCV lacks"
            raise ImageError(Reason.NOT_AN_IMAGE, f"not a readable video ({why})")
        yield _Video(capture, path)
    finally:
        capture.release()


def _kind(head: bytes) -> str:
    """What a file is that is no video, by its first bytes."""
    if head.startswith(b"GIF8"):
        return "a GIF; give it the suffix .gif to classify its first image, or convert it to a video"
    return f"starts with {head[:8].hex(' ')}"


def _codec(capture: cv2.VideoCapture) -> str:
    """The four characters of a codec, in capitals; empty if they are not printable."""
    text = int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(8, "little", signed=True)[:4].decode("latin-1").upper()
    return text if text.isascii() and text.isprintable() else ""


def _address(path: str, file_descriptor: int) -> str:
    """A name that FFmpeg cannot mistake for an address such as `http:x` or `concat:x`. Names not in UTF-8 crash OpenCV."""
    address = f"/proc/self/fd/{file_descriptor}"
    if os.path.exists(address):
        return address
    try:
        os.path.abspath(path).encode()
    except UnicodeEncodeError:
        raise ImageError(Reason.UNREADABLE, "OpenCV cannot open a video whose name is not UTF-8; rename it") from None
    return os.path.abspath(path)
