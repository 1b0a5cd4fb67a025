"""Faults of a camera that still delivers frames: frozen, black, or of another size. Uses no threads and no clock."""

import numpy as np

from edgeclf.runtime.cameras.network import is_address
from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.images.decode import Pixels

ACCEPTABLE = frozenset({"black", "frozen"})

_FROZEN = "the image is frozen (if the scene may stand still, use --accept frozen)"
_BLACK = "the image is black (if the scene may be dark, use --accept black)"

_FROZEN_FRAMES = 10
_PATIENCE_S = 1.0
_STREAM_PATIENCE_S = 5.0  # H.264 repeats a still scene exactly until its next key frame
_MAX_PATIENCE_S = 60.0
_MOVING_S = 10.0
_BLACK_FRAMES = 8
_BLACK_LEVEL = 16  # of 255: black in video levels
_BLACK_SHARE = 0.99
_SAMPLES = 2048


class FaultDetector:
    """Checks each frame of one camera, in order.

    Black: at least 8 frames in a row with 99 % of their levels at 16 or less. Frozen: at least 10 exactly equal frames, for
    longer than the patience. Because a scene may also stand still, the patience doubles with each alarm, up to a minute, and
    halves with every 10 s of moving frames, so that a still scene seldom raises an alarm.

    patience_s: the initial patience. accept: which of `ACCEPTABLE` are not faults. Raises OptionError.
    """

    def __init__(self, patience_s: float = _PATIENCE_S, accept: frozenset[str] = frozenset()) -> None:
        if accept - ACCEPTABLE:
            raise OptionError(f"only {' and '.join(sorted(ACCEPTABLE))} can be accepted, not {min(accept - ACCEPTABLE)!r}")
        self._accept = accept
        self._shape: tuple[int, ...] = ()
        self._black_frames = 0
        self._freeze_detector = _FreezeDetector(patience_s)

    def accept_new_size(self) -> None:
        """The camera was reopened, so its next frame may have another size."""
        self._shape = ()

    def check(self, image: Pixels, moment: float) -> str:
        """The fault of the frame as half a sentence; empty if it is good. moment: in seconds.

        The image is kept until the next one, and must not be changed.
        """
        previous, self._shape = self._shape, image.shape
        if previous and previous != image.shape:
            change = " to ".join(f"{width}x{height}" for height, width, _ in (previous, image.shape))
            return f"the frame size changed from {change}"
        sample = image.reshape(-1)[:: max(1, image.size // _SAMPLES) | 1]  # an odd step varies columns and channels
        if np.count_nonzero(sample > _BLACK_LEVEL) > (1 - _BLACK_SHARE) * sample.size:
            self._black_frames = 0
            frozen = self._freeze_detector.is_frozen(image, sample, moment)
            return _FROZEN if frozen and "frozen" not in self._accept else ""
        self._black_frames += 1
        return _BLACK if self._black_frames >= _BLACK_FRAMES and "black" not in self._accept else ""


def fault_detector(name: str, accept: frozenset[str] = frozenset()) -> FaultDetector:
    """The detector for a camera, stream or screen of this name. A screen never counts as frozen. Raises OptionError."""
    if is_address(name):
        return FaultDetector(_STREAM_PATIENCE_S, accept)
    return FaultDetector(accept=accept | {"frozen"} if name.startswith("screen") else accept)


class _FreezeDetector:
    """Follows the current run of equal frames."""

    def __init__(self, patience_s: float) -> None:
        self._min_patience_s = self._patience_s = patience_s
        self._image: Pixels | None = None
        self._sample: Pixels | None = None
        self._count = 0
        self._since = self._moving_since = 0.0
        self._alarmed = False

    def is_frozen(self, image: Pixels, sample: Pixels, moment: float) -> bool:
        """Whether the run, including this frame, has lasted for too long."""
        if not self._is_equal(image, sample):
            self._start_run(image, sample, moment)
            return False
        self._count += 1
        if self._count < _FROZEN_FRAMES or moment - self._since < self._min_patience_s:
            return False
        self._moving_since = moment
        if not self._alarmed and moment - self._since >= self._patience_s:
            self._alarmed = True
            self._patience_s = min(_MAX_PATIENCE_S, self._patience_s * 2)
        return self._alarmed

    def _is_equal(self, image: Pixels, sample: Pixels) -> bool:
        """Compares the sample first: it differs unless the scene is still, and costs a hundredth of the whole image."""
        if self._image is None or self._sample is None:
            return False
        return np.array_equal(sample, self._sample) and np.array_equal(image, self._image)

    def _start_run(self, image: Pixels, sample: Pixels, moment: float) -> None:
        self._image, self._sample, self._count, self._since, self._alarmed = image, sample, 1, moment, False
        if moment - self._moving_since >= _MOVING_S:
            self._patience_s = max(self._min_patience_s, self._patience_s / 2)
            self._moving_since = moment
