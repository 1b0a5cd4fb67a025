"""What the tests of cameras share."""

import os
import threading
from collections.abc import Iterator

import pytest

from edgeclf.runtime.cameras import devices


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    left = set(threading.enumerate()) - before
    assert [thread.name for thread in left if thread.name.startswith("camera ")] == []


@pytest.fixture
def null_is_a_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    """/dev/null counts as a video device: it opens and delivers no frames."""
    monkeypatch.setattr(devices, "_VIDEO_MAJOR", os.major(os.stat("/dev/null").st_rdev))
