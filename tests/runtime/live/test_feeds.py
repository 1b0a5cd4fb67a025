"""The frames of a live run, from real streams and files."""

import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from edgeclf.runtime.cameras.camera import Camera
from edgeclf.runtime.cameras.faults import FaultDetector
from edgeclf.runtime.cameras.settings import ActualSettings
from edgeclf.runtime.errors import DeviceError, OptionError
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.live.feeds import CameraFeed, open_cameras, open_videos
from edgeclf.runtime.sources.sampling import Sampling
from tests.support.network_camera import NetworkCamera
from tests.support.video_files import noise, write_video


class TickingCapture:
    """A camera with a frame every 40 ms, `offset_s` later than those of another camera."""

    actual = ActualSettings((24, 32))

    def __init__(self, offset_s: float) -> None:
        self._offset_s = offset_s
        self._images = np.random.default_rng(0)

    def grab(self) -> bool:
        time.sleep(0.04 - (time.monotonic() - self._offset_s) % 0.04)
        return True

    def retrieve(self) -> Pixels:
        return self._images.integers(0, 256, (24, 32, 3), dtype=np.uint8)

    def close(self) -> None:
        """Nothing to close."""


def test_every_camera_gets_its_share_of_answers() -> None:
    """A camera that is always a little later than another is not skipped each time."""
    new_frame = threading.Event()
    cameras = [
        Camera(
            str(number),
            partial(TickingCapture, number * 0.015),
            source=number,
            new_frame=new_frame,
            detector=FaultDetector(),
        )
        for number in range(2)
    ]
    for camera in cameras:
        camera.start()
    feed, taken = CameraFeed(cameras, new_frame, every_s=0.1), [0, 0]
    deadline = time.monotonic() + 1.5
    while time.monotonic() < deadline:
        for frame in feed.next_frames(0.1):
            taken[frame.source] += 1
    feed.close()
    assert max(taken) <= 17
    assert min(taken) > max(taken) / 2


def test_a_camera_named_twice_is_refused() -> None:
    with pytest.raises(OptionError, match="camera 1 is named twice"):
        open_cameras(["0,1", "1"])


def test_cameras_that_differ_only_in_a_secret_have_different_names() -> None:
    with NetworkCamera() as camera:
        feed = open_cameras([f"{camera.url}?token=1", f"{camera.url}?token=2"])
        feed.close()
    assert feed.names == (f"{camera.url}?token=***", f"{camera.url}?token=*** (2)")


def test_every_frame_of_a_video_is_returned(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mkv", noise(5), 10, "FFV1")
    feed = open_videos([str(tmp_path / "clip.mkv")])
    frames = []
    while (found := feed.next_frames(0.1)) is not None:
        frames += found
    assert [frame.position_s for frame in frames] == [0, 0.1, 0.2, 0.3, 0.4]
    assert feed.fps == 10


@pytest.mark.parametrize(
    ("sampling", "fps"), [(Sampling(stride=4), 2.5), (Sampling(every_s=2), 0.5)], ids=["stride", "every"]
)
def test_a_sampled_video_has_a_lower_rate(tmp_path: Path, sampling: Sampling, fps: float) -> None:
    write_video(tmp_path / "clip.mkv", noise(5), 10, "FFV1")
    assert open_videos([str(tmp_path / "clip.mkv")], sampling).fps == fps


@pytest.mark.parametrize("name", ["photos", "photos/a.png"])
def test_images_are_refused(tmp_path: Path, name: str, png: bytes) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/a.png").write_bytes(png)
    with pytest.raises(OptionError, match="a live run takes cameras, videos and numbered images"):
        open_videos([str(tmp_path / name)])


class SilentCapture:
    """A camera that opens and gives no frame."""

    actual = ActualSettings((24, 32))

    def grab(self) -> bool:
        time.sleep(0.01)
        return False

    def retrieve(self) -> None:
        return None

    def close(self) -> None:
        """Nothing to close."""


def test_camera_without_a_single_image_is_an_error() -> None:
    new_frame = threading.Event()
    captures = partial(TickingCapture, 0.0), SilentCapture
    cameras = [Camera(str(number), open_, source=number, new_frame=new_frame) for number, open_ in enumerate(captures)]
    for camera in cameras:
        camera.start()
    feed = CameraFeed(cameras, new_frame)
    while not (feed.next_frames(1.0) and feed.troubles()):
        pass
    feed.close()

    with pytest.raises(DeviceError, match="1 has given no image"):
        feed.require_frames()
