"""The names of cameras, streams and screens, and the pixels that OpenCV delivers."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeclf.runtime.cameras.capture import as_rgb, camera_names, is_live

LIVE = [
    "webcam",
    "webcam:1",
    "0",
    "12",
    "0,1",
    "0,webcam:2,/dev/video2",
    "/dev/video987",
    "/dev/v4l/by-id/usb-Maker_Cam-video-index0",
    "rtsp://user:secret@10.0.0.7:554/live?channel=1",
    "RTSP://HOST/live",
    "rtsps://host/live",
    "rtmp://host/live",
    "http://host/a,b.mjpg",
    "https://host/live",
    "udp://239.0.0.1:1234",
    "tcp://host:5000",
    "screen",
    "screen:2",
    "0,rtsp://host/live",
]
NOT_LIVE = [
    "",
    "photos",
    "webcams",
    "webcam:",
    "webcam:x",
    "-1",
    "0,",
    "0,x",
    "1.5",
    "²",
    "video0",
    "screen:x",
    "ftp://host/x",
    "-",
]


@pytest.mark.parametrize("name", LIVE)
def test_name_of_a_camera_stream_or_screen_is_live(name: str) -> None:
    assert is_live(name)


@pytest.mark.parametrize("name", NOT_LIVE)
def test_other_names_are_not_live(name: str) -> None:
    assert not is_live(name)


@pytest.mark.parametrize("name", ["webcam", "0", "0,1", "screen"])
@pytest.mark.parametrize(
    "make", [Path.mkdir, Path.touch, lambda path: path.symlink_to("nowhere")], ids=["folder", "file", "link"]
)
def test_existing_file_or_folder_takes_precedence(
    name: str, make: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path / name)

    assert not is_live(name)


def test_video_device_is_live_under_any_path_and_through_links(tmp_path: Path, null_is_a_camera: None) -> None:
    link = tmp_path / "a,b"
    link.symlink_to("/dev/null")

    assert is_live("/dev/null")
    assert is_live(str(link))
    assert camera_names(str(link)) == (str(link),)


def test_other_devices_are_not_live() -> None:
    assert not is_live("/dev/null")


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("0,1", ("0", "1")),
        ("webcam", ("webcam",)),
        ("0,webcam:2,/dev/video2", ("0", "webcam:2", "/dev/video2")),
        ("rtsp://host/a,b", ("rtsp://host/a,b",)),
    ],
)
def test_name_of_several_cameras_is_split(name: str, names: tuple[str, ...]) -> None:
    assert camera_names(name) == names


@pytest.mark.parametrize(
    "image",
    [
        np.full((4, 6, 3), (10, 20, 30), np.uint8),
        np.full((4, 6, 4), (10, 20, 30, 40), np.uint8),
        np.full((4, 6, 3), (10 << 8, 20 << 8, 30 << 8), np.uint16),
    ],
    ids=["BGR", "BGRA", "16 bits"],
)
def test_colour_image_becomes_rgb(image: NDArray[np.generic]) -> None:
    pixels = as_rgb(image)

    assert pixels is not None
    assert (pixels.dtype, pixels.shape, pixels[0, 0].tolist()) == (np.uint8, (4, 6, 3), [30, 20, 10])


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 1)])
def test_grey_image_becomes_rgb(shape: tuple[int, ...]) -> None:
    pixels = as_rgb(np.full(shape, 7, np.uint8))

    assert pixels is not None
    assert (pixels.shape, pixels[0, 0].tolist()) == ((4, 6, 3), [7, 7, 7])


@pytest.mark.parametrize(
    "odd",
    [
        None,
        np.empty((0, 0, 3), np.uint8),
        np.zeros((4, 6, 2), np.uint8),
        np.zeros((4, 6, 3), np.float32),
        np.zeros(9, np.uint8),
    ],
    ids=["none", "empty", "two channels", "floats", "a row"],
)
def test_array_that_is_not_an_image_is_a_read_error(odd: object) -> None:
    assert as_rgb(odd) is None


def test_hanging_camera_times_out_sooner_than_opencv_would(fresh_python: Callable[..., str]) -> None:
    printed = fresh_python(
        "import os, edgeclf.runtime.cameras.camera\nprint(os.environ['OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT'])"
    )

    assert printed == "4\n"
