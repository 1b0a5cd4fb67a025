"""The settings requested from a camera, the settings it actually uses, and the interface of an open camera."""

import math
from dataclasses import dataclass
from typing import Protocol

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.images.decode import Pixels


@dataclass(frozen=True)
class RequestedSettings:
    """Frame size (height, width), frames per second, and pixel format such as MJPG; None leaves the choice to the camera."""

    size_hw: tuple[int, int] | None = None
    fps: float | None = None
    fourcc: str | None = None

    def __post_init__(self) -> None:
        if self.size_hw and min(self.size_hw) < 1:
            raise OptionError(f"a camera's frame size must be at least 1x1, not {_size(self.size_hw)}")
        if self.fps is not None and not (self.fps > 0 and math.isfinite(self.fps)):
            raise OptionError(f"a camera's frame rate must be above 0 and finite, not {self.fps:g}")
        if self.fourcc is not None and not (len(self.fourcc) == 4 and self.fourcc.isascii() and self.fourcc.isprintable()):
            raise OptionError(
                f"a camera's pixel format must be four ASCII characters such as MJPG or YUYV, not {self.fourcc!r}"
            )


CAMERA_DEFAULTS = RequestedSettings()


@dataclass(frozen=True)
class ActualSettings:
    """The settings that a camera reports. fps: None if unknown. fourcc: empty if unknown. backend: the API that reads it.

    >>> str(ActualSettings((720, 1280), 30.0, "MJPG", "V4L2"))
    '1280x720, 30 fps, MJPG (V4L2)'
    """

    size_hw: tuple[int, int]
    fps: float | None = None
    fourcc: str = ""
    backend: str = ""

    def __str__(self) -> str:
        facts = ", ".join(filter(None, (_size(self.size_hw), _rate(self.fps), self.fourcc)))
        return f"{facts} ({self.backend})" if self.backend else facts

    def differs_from(self, requested: RequestedSettings) -> str:
        """The requests that were not met, such as `asked for 1920x1080, got 1280x720`; empty if all were."""
        pairs = [
            (requested.size_hw and _size(requested.size_hw), _size(self.size_hw)),
            (_rate(requested.fps), _rate(self.fps) or "an unknown rate"),
            (requested.fourcc, self.fourcc or "an unknown format"),
        ]
        return "; ".join(f"asked for {asked}, got {got}" for asked, got in pairs if asked and asked != got)


class Capture(Protocol):
    """An open camera. Calls block until there is a frame or an error. An OSError means that it must be reopened."""

    actual: ActualSettings

    def grab(self) -> bool:
        """Advance to the next frame, at little cost; False is a read error."""
        ...

    def retrieve(self) -> Pixels | None:
        """The current frame as a new array, uint8 `[h, w, 3]` RGB; None is a read error."""
        ...

    def close(self) -> None: ...


def _size(size_hw: tuple[int, int]) -> str:
    return f"{size_hw[1]}x{size_hw[0]}"


def _rate(fps: float | None) -> str:
    return f"{fps:.4g} fps" if fps else ""
