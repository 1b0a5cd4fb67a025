"""Names of cameras, streams and screens; what is asked and what is given; and a sentence where nothing opens."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeclf.runtime.cameras import capture, devices
from edgeclf.runtime.cameras.capture import as_rgb, camera_names, is_live, open_capture, shown_name
from edgeclf.runtime.cameras.settings import ActualSettings, RequestedSettings
from edgeclf.runtime.errors import DeviceError, ExitCode, OptionError

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
def test_camera_stream_and_screen_are_live(name: str) -> None:
    assert is_live(name)


@pytest.mark.parametrize("name", NOT_LIVE)
def test_other_names_are_not_live(name: str) -> None:
    assert not is_live(name)


@pytest.mark.parametrize("name", ["webcam", "0", "0,1", "screen"])
@pytest.mark.parametrize(
    "make", [Path.mkdir, Path.touch, lambda path: path.symlink_to("nowhere")], ids=["folder", "file", "link"]
)
def test_what_exists_under_a_name_goes_first(
    name: str, make: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path / name)

    assert not is_live(name)


@pytest.fixture
def null_is_a_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    """/dev/null counts as a video device: one that opens and gives no images."""
    monkeypatch.setattr(devices, "_VIDEO_MAJOR", os.major(os.stat("/dev/null").st_rdev))


def test_node_of_a_camera_is_live_under_any_path_and_through_links(tmp_path: Path, null_is_a_camera: None) -> None:
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
def test_name_of_several_cameras_is_one_name_each(name: str, names: tuple[str, ...]) -> None:
    assert camera_names(name) == names


SECRETS = {
    "rtsp://ann:hunter2@10.0.0.7/live": "rtsp://ann:***@10.0.0.7/live",
    "rtsp://ann:hunter2@10.0.0.7:554/live@2x": None,
    "rtsp://ann:p@hunter2@10.0.0.7/live": "rtsp://ann:***@10.0.0.7/live",
    "rtsp://ann:p/hunter2@10.0.0.7/live": "rtsp://ann:***@10.0.0.7/live",
    "rtsp://ann:p?hunter2#x@10.0.0.7/live": "rtsp://ann:***@10.0.0.7/live",
    "HTTP://ann:hunter2@[::1]:80/live": "HTTP://ann:***@[::1]:80/live",
    "http://host/live?user=ann&password=hunter2&w=640": "http://host/live?user=ann&password=***&w=640",
    "http://host/live?usr=ann&pwd=hunter2": "http://host/live?usr=ann&pwd=***",
    "http://host/live?loginuse=ann&loginpas=hunter2": "http://host/live?loginuse=ann&loginpas=***",
    "http://host/live?Access_Token=hunter2#top": "http://host/live?Access_Token=***#top",
    "http://host/live?api_key=a/hunter2==": "http://host/live?api_key=***",
    "rtsp://host:554/user=ann&password=hunter2&channel=1": "rtsp://host:554/user=ann&password=***&channel=1",
    "rtsp://host/user=ann_password=hunter2_channel=1": "rtsp://host/user=ann_password=***",
    "http://host/live?psw=hunter2&pw=hunter2&code=hunter2&jwt=hunter2": "http://host/live?psw=***&pw=***&code=***&jwt=***",
    "http://host/live?monkey=12&design=blue&signature=hunter2": "http://host/live?monkey=12&design=blue&signature=***",
}


@pytest.mark.parametrize("name", SECRETS)
def test_passwords_and_tokens_are_masked(name: str) -> None:
    shown = shown_name(name)

    assert "hunter2" not in shown
    assert SECRETS[name] in (None, shown)


@pytest.mark.parametrize(
    "name",
    [
        "webcam:1",
        "/dev/video0",
        "rtsp://host:554/live",
        "http://host:8080/@ann/live",
        "http://host/@ann",
        "http://ann@host/",
    ],
)
def test_name_without_a_secret_is_shown_as_it_is(name: str) -> None:
    assert shown_name(name) == name


@pytest.mark.parametrize(
    "options",
    [
        {"size_hw": (0, 640)},
        {"size_hw": (480, -1)},
        {"fps": 0.0},
        {"fps": float("nan")},
        {"fps": float("inf")},
        {"fourcc": "MJPEG"},
        {"fourcc": ""},
        {"fourcc": "MJÖG"},
        {"fourcc": "MJ\nG"},
    ],
    ids=str,
)
def test_what_no_camera_can_give_is_an_option_error(options: dict[str, object]) -> None:
    with pytest.raises(OptionError, match=r"not "):
        RequestedSettings(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (ActualSettings((720, 1280), 30.0, "MJPG", "V4L2"), "1280x720, 30 fps, MJPG (V4L2)"),
        (ActualSettings((480, 640), 29.97002997, "YUYV"), "640x480, 29.97 fps, YUYV"),
        (ActualSettings((480, 640)), "640x480"),
    ],
)
def test_what_is_given_is_said_in_a_line(given: ActualSettings, text: str) -> None:
    assert str(given) == text


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (RequestedSettings(), ""),
        (RequestedSettings((720, 1280), 30, "MJPG"), ""),
        (RequestedSettings((1080, 1920)), "asked for 1920x1080, got 1280x720"),
        (RequestedSettings(fps=60, fourcc="YUYV"), "asked for 60 fps, got 30 fps; asked for YUYV, got MJPG"),
    ],
)
def test_what_was_asked_for_in_vain_is_said(wanted: RequestedSettings, text: str) -> None:
    assert ActualSettings((720, 1280), 30.0, "MJPG", "V4L2").differs_from(wanted) == text


@pytest.mark.parametrize(
    "image",
    [
        np.full((4, 6, 3), (10, 20, 30), np.uint8),
        np.full((4, 6, 4), (10, 20, 30, 40), np.uint8),
        np.full((4, 6, 3), (10 << 8, 20 << 8, 30 << 8), np.uint16),
    ],
    ids=["BGR", "BGRA", "16 bits"],
)
def test_image_becomes_rgb(image: NDArray[np.generic]) -> None:
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
def test_what_is_no_image_is_a_read_error(odd: object) -> None:
    assert as_rgb(odd) is None


def refusal(name: str) -> str:
    with pytest.raises(DeviceError) as caught:
        open_capture(name)
    assert caught.value.exit_code == ExitCode.DEVICE_UNAVAILABLE
    return str(caught.value)


@pytest.fixture
def cameras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in place of /dev; its cameras are called as in one in place of /sys."""
    monkeypatch.setattr(devices, "_DEV", tmp_path)
    monkeypatch.setattr(devices, "_SYS", tmp_path / "sys")
    return tmp_path


@pytest.mark.parametrize("name", ["webcam", "webcam:1", "0"])
def test_camera_that_is_missing_is_said_at_once(name: str, cameras: Path) -> None:
    began = time.process_time()
    sentence = refusal(name)
    assert time.process_time() - began < 0.05

    assert sentence.startswith(f"no camera {name}: {cameras}/video")
    assert "does not exist; there is none at all: plug one in" in sentence


def test_node_that_is_missing_is_said() -> None:
    assert refusal("/dev/video987").startswith("no camera /dev/video987: /dev/video987 does not exist; ")


def test_cameras_that_are_there_are_named(cameras: Path) -> None:
    for number in (10, 2):
        (cameras / f"video{number}").touch()
    (cameras / "sys" / "video2").mkdir(parents=True)
    (cameras / "sys" / "video2" / "name").write_text("HD Webcam\n")

    sentence = refusal("webcam")

    assert (
        f"there are {cameras}/video2 (HD Webcam), {cameras}/video10: name one, such as --source {cameras}/video2" in sentence
    )


def test_file_in_place_of_a_camera_is_said(cameras: Path) -> None:
    (cameras / "video0").touch()

    assert f"no camera 0: {cameras}/video0 is no video device; there are" in refusal("0")


@pytest.fixture
def node(cameras: Path, null_is_a_camera: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`video0`, which gives no images, and which nobody uses."""
    (cameras / "video0").symlink_to("/dev/null")
    monkeypatch.setattr(devices, "_PROC", cameras / "proc")
    return cameras / "video0"


def test_camera_that_does_not_open_is_said(node: Path) -> None:
    assert refusal("0").startswith(
        "camera 0 does not open: it may be in use (fuser -v /dev/null says by whom), or give no image"
    )


def test_camera_in_use_names_who_uses_it(node: Path) -> None:
    process = node.parent / "proc" / "71"
    (process / "fd").mkdir(parents=True)
    (process / "fd" / "5").symlink_to("/dev/null")
    (process / "comm").write_text("cheese\n")

    assert refusal("0") == "camera 0 does not open: it is in use by cheese (pid 71); end that first"


def test_camera_without_permission_says_which_group(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)

    sentence = refusal("0")

    assert sentence.startswith(f"camera 0: this user may not open {node}; add the user to the group that owns it")
    assert "usermod -aG video" in sentence


@pytest.fixture
def quick_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "TIMEOUT_MS", 300)


@pytest.fixture
def mute_server() -> Iterator[int]:
    """The port of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


@pytest.mark.parametrize("scheme", ["rtsp", "RTSP", "rtmp", "http", "https", "tcp"])
def test_stream_that_says_nothing_is_given_up_in_time(scheme: str, mute_server: int, quick_timeouts: None) -> None:
    sentence = refusal(f"{scheme}://ann:hunter2@127.0.0.1:{mute_server}/live")

    assert sentence.startswith(f"{scheme}://ann:***@127.0.0.1:{mute_server}/live does not open: 127.0.0.1 answers on port")


def test_stream_whose_server_refuses_says_so(closed_port: int) -> None:
    address = f"http://127.0.0.1:{closed_port}/live?token=hunter2"

    assert refusal(address) == (
        f"http://127.0.0.1:{closed_port}/live?token=*** does not open: 127.0.0.1, port {closed_port}: Connection refused"
    )


def test_stream_of_an_unknown_host_says_so() -> None:
    assert refusal("rtsp://ann:hunter2@nowhere.invalid/live") == (
        "rtsp://ann:***@nowhere.invalid/live does not open: the host nowhere.invalid is not known"
    )


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("http://[::1/live", "its host or its port cannot be read"),
        ("tcp://127.0.0.1", "it names no host or no port"),
        ("rtsp:///live", "it names no host or no port"),
        ("udp://127.0.0.1:9", "no video has come in"),
    ],
)
def test_address_that_cannot_work_says_why(address: str, why: str, quick_timeouts: None) -> None:
    assert refusal(address) == f"{address} does not open: {why}"


def test_camera_that_hangs_is_not_waited_for_as_long_as_opencv_would(fresh_python: Callable[..., str]) -> None:
    printed = fresh_python(
        "import os, edgeclf.runtime.cameras.camera\nprint(os.environ['OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT'])"
    )

    assert printed == "4\n"
