"""A camera that cannot be opened is one sentence with the reason and the next step."""

import os
import re
import time
from pathlib import Path

import pytest

from edgeclf.runtime.cameras import devices
from tests.support.fake_camera import open_error


@pytest.fixture
def cameras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in place of /dev; the names of its cameras come from a folder in place of /sys."""
    monkeypatch.setattr(devices, "_DEV", tmp_path)
    monkeypatch.setattr(devices, "_SYS", tmp_path / "sys")
    return tmp_path


@pytest.mark.parametrize("name", ["webcam", "webcam:1", "0"])
def test_missing_camera_is_an_error_at_once(name: str, cameras: Path) -> None:
    began = time.process_time()
    sentence = open_error(name)
    assert time.process_time() - began < 0.05

    assert re.match(rf"no camera {name}: {cameras}/video\d does not exist; .*plug one in", sentence)


def test_missing_video_device_is_named() -> None:
    assert open_error("/dev/video987").startswith("no camera /dev/video987: /dev/video987 does not exist")


def test_existing_cameras_are_named(cameras: Path) -> None:
    for number in (10, 2):
        (cameras / f"video{number}").touch()
    (cameras / "sys" / "video2").mkdir(parents=True)
    (cameras / "sys" / "video2" / "name").write_text("HD Webcam\n")

    sentence = open_error("webcam")

    assert f"{cameras}/video2 (HD Webcam), {cameras}/video10; " in sentence
    assert sentence.endswith(f"--source {cameras}/video2")


def test_file_in_place_of_a_camera_is_named(cameras: Path) -> None:
    (cameras / "video0").touch()

    assert f"{cameras}/video0 is not a video device" in open_error("0")


@pytest.fixture
def node(cameras: Path, null_is_a_camera: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`video0`, which delivers no frames and is not in use."""
    (cameras / "video0").symlink_to("/dev/null")
    monkeypatch.setattr(devices, "_PROC", cameras / "proc")
    return cameras / "video0"


def test_camera_that_cannot_be_opened_may_be_in_use(node: Path) -> None:
    assert re.match(r"camera 0 .*in use \(fuser -v /dev/null", open_error("0"))


def test_camera_in_use_names_the_program(node: Path) -> None:
    process = node.parent / "proc" / "71"
    (process / "fd").mkdir(parents=True)
    (process / "fd" / "5").symlink_to("/dev/null")
    (process / "comm").write_text("cheese\n")

    assert "in use by cheese (pid 71)" in open_error("0")


def test_missing_permission_names_the_group(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)

    sentence = open_error("0")

    assert sentence.startswith(f"camera 0: no permission to open {node}")
    assert "usermod -aG video" in sentence
