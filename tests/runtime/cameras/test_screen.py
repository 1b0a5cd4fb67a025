"""A screen is a camera, with the extra `screen` and a display."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from edgeclf.runtime.cameras.camera import Camera
from edgeclf.runtime.cameras.capture import open_capture
from edgeclf.runtime.cameras.settings import RequestedSettings
from edgeclf.runtime.errors import DeviceError

NO_MSS = "mss is not installed (the extra `screen`)"


@pytest.fixture
def display(monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """The server of a virtual display of 320 x 200."""
    pytest.importorskip("mss", reason=NO_MSS)
    if not shutil.which("Xvfb"):
        pytest.skip("Xvfb is not installed")
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "320x200x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        os.close(write)
        with open(read) as file:
            number = file.readline().strip()
        if number:
            monkeypatch.setenv("DISPLAY", f":{number}")
            yield server
        server.terminate()
    if not number:
        pytest.skip("Xvfb does not start here")


def test_screen_delivers_frames(display: subprocess.Popen[bytes]) -> None:
    camera = Camera.named("screen", RequestedSettings(fps=50))
    actual = camera.start()
    capture = open_capture("screen:1")
    try:
        assert (actual.size_hw, actual.fps, actual.backend) == ((200, 320), 50, "mss")
        assert capture.grab()
        image = capture.retrieve()
    finally:
        capture.close()
        camera.close()

    assert image is not None
    assert (image.shape, image.dtype) == ((200, 320, 3), np.uint8)


@pytest.mark.parametrize("name", ["screen:0", "screen:9"])
def test_missing_screen_is_an_error(display: subprocess.Popen[bytes], name: str) -> None:
    with pytest.raises(DeviceError, match=f"there is no {name}; there is only screen:1"):
        open_capture(name)


def test_display_that_disappears_is_a_read_error(display: subprocess.Popen[bytes]) -> None:
    capture = open_capture("screen")
    display.terminate()
    display.wait()

    with pytest.raises(OSError, match="display is gone"):
        capture.retrieve()
    capture.close()


def test_missing_display_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mss", reason=NO_MSS)
    monkeypatch.delenv("DISPLAY", raising=False)

    with pytest.raises(DeviceError, match=r"screen cannot be captured.*DISPLAY"):
        open_capture("screen")


def test_missing_extra_says_what_to_install(fresh_python: Callable[..., str]) -> None:
    printed = fresh_python(
        "import sys; sys.modules['mss'] = None\n"
        "from edgeclf.runtime.terminal.console import missing_extra\n"
        "from edgeclf.runtime.cameras.capture import open_capture\n"
        "try: open_capture('screen')\n"
        "except ImportError as error: print(missing_extra(error))"
    )

    assert printed == "this needs mss, which is not installed: pip install 'edgeclf[screen]'\n"
