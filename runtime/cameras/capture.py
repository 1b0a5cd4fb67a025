"""What names a camera, a stream or a screen, and opening it."""

import os
import sys

import cv2
import numpy as np

from edgeclf.runtime.cameras.devices import camera_node, camera_number, is_camera, is_node, why_unusable
from edgeclf.runtime.cameras.network import is_address, why_unreachable
from edgeclf.runtime.cameras.settings import CAMERA_DEFAULTS, ActualSettings, Capture, RequestedSettings
from edgeclf.runtime.errors import DeviceError
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.terminal.masking import mask

TIMEOUT_MS = 5000
"""How long a stream may take to open, and between two images."""

# OpenCV reads this when it first waits for a camera (cap_v4l.cpp); 10 s by default, for each of the reads of a hung one.
os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "4")


def is_live(name: str) -> bool:
    """Whether the name means cameras, a stream or a screen; what else exists on disk under this name goes first.

    Cameras are `webcam`, `webcam:1`, `1`, `/dev/video1` and links to it, or several of these such as `0,1`; streams begin
    with `rtsp://`, `http://` and the like; screens are `screen` and `screen:2`.
    """
    if os.path.lexists(name) and not is_node(name):
        return False
    return all(is_address(part) or is_camera(part) or _screen(part) is not None for part in camera_names(name))


def camera_names(name: str) -> tuple[str, ...]:
    """Of each camera in `0,1`, its own; an address with commas is one.

    >>> camera_names("0,webcam:2")
    ('0', 'webcam:2')
    """
    return (name,) if is_address(name) or is_node(name) else tuple(name.split(","))


def shown_name(name: str) -> str:
    """The name as rows, notes and errors show it: without the passwords and tokens of an address."""
    return mask(name)


def open_capture(name: str, wanted: RequestedSettings = CAMERA_DEFAULTS) -> Capture:
    """Open one of `camera_names`. Raises DeviceError: which, why as far as that can be known, and what to do next."""
    number = _screen(name)
    if number is not None:
        from edgeclf.runtime.cameras.screen import ScreenCapture

        return ScreenCapture(number, wanted)
    if is_address(name):
        return _open_stream(name)
    return _open_camera(name, wanted)


def as_rgb(image: object) -> Pixels | None:
    """Whatever OpenCV gave (grey, BGR or BGRA, 8 or 16 bits) as uint8 `[h, w, 3]` RGB; None where it is no image."""
    if not isinstance(image, np.ndarray) or image.size == 0:
        return None
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    channels = 1 if image.ndim == 2 else image.shape[-1] if image.ndim == 3 else 0
    if image.dtype != np.uint8 or channels not in _TO_RGB:
        return None
    return cv2.cvtColor(image, _TO_RGB[channels]).astype(np.uint8, copy=False)


_TO_RGB = {1: cv2.COLOR_GRAY2RGB, 3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGB}


class _VideoCapture:
    """What OpenCV opened."""

    def __init__(self, video: cv2.VideoCapture) -> None:
        self._video = video
        size_hw = (round(video.get(cv2.CAP_PROP_FRAME_HEIGHT)), round(video.get(cv2.CAP_PROP_FRAME_WIDTH)))
        fps = video.get(cv2.CAP_PROP_FPS)
        fourcc = _letters(round(video.get(cv2.CAP_PROP_FOURCC)))
        self.given = ActualSettings(size_hw, fps if fps > 0 else None, fourcc, video.getBackendName())

    def grab(self) -> bool:
        try:
            return self._video.grab()
        except cv2.error:
            return False

    def retrieve(self) -> Pixels | None:
        try:
            done, image = self._video.retrieve()
            return as_rgb(image) if done else None
        except cv2.error:
            return None

    def close(self) -> None:
        self._video.release()


def _open_camera(name: str, wanted: RequestedSettings) -> Capture:
    if sys.platform.startswith("linux"):
        path = camera_node(name)
        video = cv2.VideoCapture(path, cv2.CAP_V4L2)
    else:
        path = ""
        number = camera_number(name)
        if number is None:
            raise DeviceError(f"no camera {name}: cameras are numbered on this system; name webcam or webcam:1")
        video = cv2.VideoCapture(number)
    if not video.isOpened():
        raise DeviceError(f"camera {name} does not open: {why_unusable(path)}")
    _ask(video, wanted)
    return _VideoCapture(video)


def _ask(video: cv2.VideoCapture, wanted: RequestedSettings) -> None:
    """All but the rate set the camera up anew, and for each format and size the driver allows other rates.

    So the format goes first: 1280x720 as YUYV is more than USB 2 carries, the driver lowers the rate to 10 fps, and OpenCV
    asks for those 10 from then on. Two buffers: one to be filled while the other is decoded; with one, many a driver skips
    every second image.
    """
    video.set(cv2.CAP_PROP_BUFFERSIZE, 2)
    if wanted.fourcc:
        video.set(cv2.CAP_PROP_FOURCC, int.from_bytes(wanted.fourcc.encode(), "little"))
    if wanted.size_hw:
        video.set(cv2.CAP_PROP_FRAME_WIDTH, wanted.size_hw[1])
        video.set(cv2.CAP_PROP_FRAME_HEIGHT, wanted.size_hw[0])
    if wanted.fps:
        video.set(cv2.CAP_PROP_FPS, wanted.fps)


def _open_stream(address: str) -> Capture:
    limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, TIMEOUT_MS]
    video = cv2.VideoCapture(address, cv2.CAP_FFMPEG, limits)
    if not video.isOpened():
        raise DeviceError(f"{mask(address)} does not open: {why_unreachable(address)}")
    return _VideoCapture(video)


def _screen(name: str) -> int | None:
    """The 2 of `screen:2`; 1 for `screen`; None for any other name."""
    kind, colon, number = name.partition(":")
    if kind != "screen" or (colon and not (number.isascii() and number.isdigit())):
        return None
    return int(number) if colon else 1


def _letters(code: int) -> str:
    """The four characters of a format's number; empty where it has none."""
    text = code.to_bytes(4, "little", signed=code < 0).decode("latin-1")
    return text if text.isascii() and text.isprintable() else ""
