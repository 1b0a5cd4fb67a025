"""The names of cameras, streams and screens, and opening them."""

import os
import sys

import cv2
import numpy as np

from edgeclf.runtime.cameras.devices import camera_node, camera_number, is_camera, is_node, why_unusable
from edgeclf.runtime.cameras.network import is_address, why_unreachable
from edgeclf.runtime.cameras.settings import CAMERA_DEFAULTS, ActualSettings, Capture, RequestedSettings
from edgeclf.runtime.errors import DeviceError
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.terminal.masking import hides_its_host, mask

TIMEOUT_MS = 5000
"""How long a stream may take to open, and to deliver the next frame."""

# OpenCV reads this when it first waits for a camera (cap_v4l.cpp). The default is 10 s for each read of a hung camera.
os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "4")


def is_live(name: str) -> bool:
    """Whether the name stands for cameras, a stream or a screen. A file or folder of this name takes precedence.

    Cameras are `webcam`, `webcam:1`, `1`, `/dev/video1` and links to it, or several of these such as `0,1`. Streams start
    with `rtsp://`, `http://` or a similar scheme. Screens are `screen` and `screen:2`.
    """
    if os.path.lexists(name) and not is_node(name):
        return False
    return all(is_address(one) or is_camera(one) or _screen_number(one) is not None for one in camera_names(name))


def camera_names(name: str) -> tuple[str, ...]:
    """Split a name such as `0,1` into one name for each camera; an address is never split.

    >>> camera_names("0,webcam:2")
    ('0', 'webcam:2')
    """
    return (name,) if is_address(name) or is_node(name) else tuple(name.split(","))


def open_capture(name: str, requested: RequestedSettings = CAMERA_DEFAULTS) -> Capture:
    """Open one of `camera_names`. Raises DeviceError with the camera, the reason if known, and what to do next."""
    number = _screen_number(name)
    if number is not None:
        from edgeclf.runtime.cameras.screen import ScreenCapture

        return ScreenCapture(number, requested)
    if is_address(name):
        return _open_stream(name)
    return _open_camera(name, requested)


def as_rgb(image: object) -> Pixels | None:
    """OpenCV's output (grey, BGR or BGRA, 8 or 16 bits) as uint8 `[h, w, 3]` RGB; None if it is not an image."""
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
    """A Capture of OpenCV."""

    def __init__(self, video: cv2.VideoCapture) -> None:
        self._video = video
        size_hw = (round(video.get(cv2.CAP_PROP_FRAME_HEIGHT)), round(video.get(cv2.CAP_PROP_FRAME_WIDTH)))
        fps = video.get(cv2.CAP_PROP_FPS)
        fourcc = _fourcc(round(video.get(cv2.CAP_PROP_FOURCC)))
        self.actual = ActualSettings(size_hw, fps if fps > 0 else None, fourcc, video.getBackendName())

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


def _open_camera(name: str, requested: RequestedSettings) -> Capture:
    if sys.platform.startswith("linux"):
        path = camera_node(name)
        video = cv2.VideoCapture(path, cv2.CAP_V4L2)
    else:
        path = ""
        number = camera_number(name)
        if number is None:
            raise DeviceError(f"no camera {name}: this system numbers its cameras; use a name such as webcam or webcam:1")
        video = cv2.VideoCapture(number)
    if not video.isOpened():
        raise DeviceError(f"camera {name} cannot be opened: {why_unusable(path)}")
    _request(video, requested)
    return _VideoCapture(video)


def _request(video: cv2.VideoCapture, requested: RequestedSettings) -> None:
    """Ask the driver for the settings. The format must come first, and the rate last.

    Every setting but the rate reinitialises the camera, and the driver allows different rates for each format and size. For
    example, 1280x720 as YUYV exceeds USB 2, so the driver lowers the rate to 10 fps, and OpenCV asks for 10 fps from then
    on. Two buffers let one be filled while the other is decoded; with one, many drivers skip every second frame.
    """
    video.set(cv2.CAP_PROP_BUFFERSIZE, 2)
    if requested.fourcc:
        video.set(cv2.CAP_PROP_FOURCC, int.from_bytes(requested.fourcc.encode(), "little"))
    if requested.size_hw:
        video.set(cv2.CAP_PROP_FRAME_WIDTH, requested.size_hw[1])
        video.set(cv2.CAP_PROP_FRAME_HEIGHT, requested.size_hw[0])
    if requested.fps:
        video.set(cv2.CAP_PROP_FPS, requested.fps)


def _open_stream(address: str) -> Capture:
    if hides_its_host(address):
        raise DeviceError(f"{mask(address)} cannot be opened: {why_unreachable(address)}")
    if address.lower().startswith("http"):
        from edgeclf.runtime.cameras.http_images import open_http_images

        images = open_http_images(address, TIMEOUT_MS / 1000)
        if images:
            return images
    limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, TIMEOUT_MS]
    video = cv2.VideoCapture(address, cv2.CAP_FFMPEG, limits)
    if not video.isOpened():
        raise DeviceError(f"{mask(address)} cannot be opened: {why_unreachable(address)}")
    return _VideoCapture(video)


def _screen_number(name: str) -> int | None:
    """2 for `screen:2`, 1 for `screen`, None for any other name."""
    kind, colon, number = name.partition(":")
    if kind != "screen" or (colon and not (number.isascii() and number.isdigit())):
        return None
    return int(number) if colon else 1


def _fourcc(code: int) -> str:
    """The four characters of a pixel format's code; empty if they are not printable."""
    text = code.to_bytes(4, "little", signed=code < 0).decode("latin-1")
    return text if text.isascii() and text.isprintable() else ""
