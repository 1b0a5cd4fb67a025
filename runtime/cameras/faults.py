"""What is wrong with a camera that gives images: frozen, black, or of another size. Without threads and clocks."""

import numpy as np

from edgeclf.runtime.cameras.network import is_address
from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.images.decode import Pixels

ACCEPTABLE = frozenset({"black", "frozen"})

_FROZEN = "the image is frozen (if it may stand still: --accept frozen)"
_BLACK = "the image is black (if it may be: --accept black)"

_FROZEN_IMAGES = 10
_PATIENCE_S = 1.0
_STREAM_PATIENCE_S = 5.0  # H.264 repeats a still scene exactly until its next key frame
_MOST_PATIENCE_S = 60.0
_MOVING_S = 10.0
_BLACK_IMAGES = 8
_BLACK_LEVEL = 16  # of 255: black in video levels
_BLACK_SHARE = 0.99
_SAMPLES = 2048


class FaultDetector:
    """Looks at each image of one camera, in order.

    Black: at least 8 images in a row with 99 % of their levels at 16 or less. Frozen: at least 10 exactly equal ones,
    for longer than its patience. A scene may stand still, too: patience doubles with each alarm, up to a minute, and halves
    with every 10 s of moving images, so that a still scene seldom is an alarm. patience_s: what it begins with.
    accept: of `ACCEPTABLE`, what is no symptom. Raises OptionError.
    """

    def __init__(self, patience_s: float = _PATIENCE_S, accept: frozenset[str] = frozenset()) -> None:
        if accept - ACCEPTABLE:
            raise OptionError(
                f"what can be accepted is {' and '.join(sorted(ACCEPTABLE))}, not {min(accept - ACCEPTABLE)!r}"
            )
        self._accept = accept
        self._shape: tuple[int, ...] = ()
        self._dark = 0
        self._stillness = _Stillness(patience_s)

    def reopened(self) -> None:
        """The camera was opened anew, and may give another size now."""
        self._shape = ()

    def look(self, image: Pixels, moment: float) -> str:
        """What is wrong with the image of this moment, in seconds: half a sentence for people; empty where it is good.

        The image is kept until the next one, and must not be changed.
        """
        before, self._shape = self._shape, image.shape
        if before and before != image.shape:
            change = " to ".join(f"{width}x{height}" for height, width, _ in (before, image.shape))
            return f"the image changed from {change}"
        sample = image.reshape(-1)[:: max(1, image.size // _SAMPLES) | 1]  # odd: it strays over columns and channels
        if np.count_nonzero(sample > _BLACK_LEVEL) > (1 - _BLACK_SHARE) * sample.size:
            self._dark = 0
            frozen = self._stillness.goes_on(image, sample, moment)
            return _FROZEN if frozen and "frozen" not in self._accept else ""
        self._dark += 1
        return _BLACK if self._dark >= _BLACK_IMAGES and "black" not in self._accept else ""


def fault_detector(name: str, accept: frozenset[str] = frozenset()) -> FaultDetector:
    """The detector for a camera, a stream or a screen of this name. A screen is never frozen. Raises OptionError."""
    if is_address(name):
        return FaultDetector(_STREAM_PATIENCE_S, accept)
    return FaultDetector(accept=accept | {"frozen"} if name.startswith("screen") else accept)


class _Stillness:
    """The run of equal images that is going on."""

    def __init__(self, patience_s: float) -> None:
        self._least_s = self._patience_s = patience_s
        self._image: Pixels | None = None
        self._sample: Pixels | None = None
        self._count = 0
        self._since = self._moving_since = 0.0
        self._alarmed = False

    def goes_on(self, image: Pixels, sample: Pixels, moment: float) -> bool:
        """Whether it has been going on for too long, this image included."""
        if not self._is_equal(image, sample):
            self._begin(image, sample, moment)
            return False
        self._count += 1
        if self._count < _FROZEN_IMAGES or moment - self._since < self._least_s:
            return False
        self._moving_since = moment
        if not self._alarmed and moment - self._since >= self._patience_s:
            self._alarmed = True
            self._patience_s = min(_MOST_PATIENCE_S, self._patience_s * 2)
        return self._alarmed

    def _is_equal(self, image: Pixels, sample: Pixels) -> bool:
        """The sample differs in all but still scenes, and costs a hundredth of the whole."""
        if self._image is None or self._sample is None:
            return False
        return np.array_equal(sample, self._sample) and np.array_equal(image, self._image)

    def _begin(self, image: Pixels, sample: Pixels, moment: float) -> None:
        self._image, self._sample, self._count, self._since, self._alarmed = image, sample, 1, moment, False
        if moment - self._moving_since >= _MOVING_S:
            self._patience_s = max(self._least_s, self._patience_s / 2)
            self._moving_since = moment
