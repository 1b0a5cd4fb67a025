"""The settings that are requested from a camera, and those that it actually has."""

import pytest

from edgeclf.runtime.cameras.settings import ActualSettings, RequestedSettings
from edgeclf.runtime.errors import OptionError


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
def test_impossible_setting_is_an_option_error(options: dict[str, object]) -> None:
    with pytest.raises(OptionError, match=r"not "):
        RequestedSettings(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("actual", "text"),
    [
        (ActualSettings((720, 1280), 30.0, "MJPG", "V4L2"), "1280x720, 30 fps, MJPG (V4L2)"),
        (ActualSettings((480, 640), 29.97002997, "YUYV"), "640x480, 29.97 fps, YUYV"),
        (ActualSettings((480, 640)), "640x480"),
    ],
)
def test_actual_settings_read_as_one_line(actual: ActualSettings, text: str) -> None:
    assert str(actual) == text


@pytest.mark.parametrize(
    ("requested", "text"),
    [
        (RequestedSettings(), ""),
        (RequestedSettings((720, 1280), 30, "MJPG"), ""),
        (RequestedSettings((1080, 1920)), "asked for 1920x1080, got 1280x720"),
        (RequestedSettings(fps=60, fourcc="YUYV"), "asked for 60 fps, got 30 fps; asked for YUYV, got MJPG"),
    ],
)
def test_unmet_requests_are_named(requested: RequestedSettings, text: str) -> None:
    assert ActualSettings((720, 1280), 30.0, "MJPG", "V4L2").differs_from(requested) == text
