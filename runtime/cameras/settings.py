"""What is asked of a camera and what it gives; and what an open one can do."""

import math
from dataclasses import dataclass
from typing import Protocol

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.images.decode import Pixels


@dataclass(frozen=True)
class RequestedSettings:
    """What is asked of a camera: (height, width), images a second, four letters such as MJPG; None is left to it."""

    size_hw: tuple[int, int] | None = None
    fps: float | None = None
    fourcc: str | None = None

    def __post_init__(self) -> None:
        if self.size_hw and min(self.size_hw) < 1:
            raise OptionError(f"a camera's image must be at least 1 x 1 pixels, not {_size(self.size_hw)}")
        if self.fps is not None and not (self.fps > 0 and math.isfinite(self.fps)):
            raise OptionError(f"a camera gives more than 0 images a second, not {self.fps:g}")
        if self.fourcc is not None and not (len(self.fourcc) == 4 and self.fourcc.isascii() and self.fourcc.isprintable()):
            raise OptionError(
                f"a camera's format is named by four ASCII characters, such as MJPG or YUYV, not {self.fourcc!r}"
            )


CAMERA_DEFAULTS = RequestedSettings()


@dataclass(frozen=True)
class ActualSettings:
    """What a camera says that it gives. fps: None, and fourcc: empty, where it does not say. backend: who reads it.

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

    def differs_from(self, wanted: RequestedSettings) -> str:
        """What was asked for in vain, such as `asked for 1920x1080, got 1280x720`; empty where all was given."""
        pairs = [
            (wanted.size_hw and _size(wanted.size_hw), _size(self.size_hw)),
            (_rate(wanted.fps), _rate(self.fps) or "an unknown rate"),
            (wanted.fourcc, self.fourcc or "an unknown format"),
        ]
        return "; ".join(f"asked for {asked}, got {got}" for asked, got in pairs if asked and asked != got)


class Capture(Protocol):
    """An open camera. A call blocks until there is an image or an error; OSError: it must be opened anew."""

    given: ActualSettings

    def grab(self) -> bool:
        """Let the next image be the current one, at little cost; False is a read error."""
        ...

    def retrieve(self) -> Pixels | None:
        """The current image, uint8 `[h, w, 3]` RGB, an array of its own; None is a read error."""
        ...

    def close(self) -> None: ...


def _size(size_hw: tuple[int, int]) -> str:
    return f"{size_hw[1]}x{size_hw[0]}"


def _rate(fps: float | None) -> str:
    return f"{fps:.4g} fps" if fps else ""
