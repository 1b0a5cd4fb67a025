"""What becomes of each answer of a live run: it is steadied, logged, told to programs, kept when unsure, and shown."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic

import numpy as np

from edgeclf.runtime.errors import ImageError, Reason
from edgeclf.runtime.images.decode import Pixels, decode
from edgeclf.runtime.images.formats.header import read_header
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.images.preprocess import read_bytes
from edgeclf.runtime.live.hooks import Hooks
from edgeclf.runtime.live.log import Log
from edgeclf.runtime.live.smoothing import SmoothedPrediction, Smoother, SmoothingOptions
from edgeclf.runtime.live.summary import LiveSummary
from edgeclf.runtime.live.unsure import UnsureFolder
from edgeclf.runtime.live.viewers.open_viewers import Screens
from edgeclf.runtime.live.viewers.snapshot import BARS, Snapshot
from edgeclf.runtime.model.prediction import Failure, Outcome
from edgeclf.runtime.results.row import UNSURE, Row, RowBuilder, present_time

_RATE_ANSWERS = 30
_RATE_FORGOTTEN_S = 10.0


@dataclass(frozen=True)
class Listeners:
    """Whoever wants to know of answers. every_frame: the log gets a row for each frame, and not only for each change."""

    log: Log
    hooks: Hooks
    screens: Screens
    unsure: UnsureFolder | None = None
    every_frame: bool = False


class Session:
    """names: of the sources, as `Frame.source` counts them.

    A camera that is lost is one row with the error `lost`; it is no frame, and so the summary does not count it.
    """

    def __init__(self, names: Sequence[str], builder: RowBuilder, smoothing: SmoothingOptions, listeners: Listeners) -> None:
        self.summary = LiveSummary()
        self._builder = builder
        self.listeners = listeners
        self.age_ms: float | None = None
        """Of the last answer."""
        self._sources = [_Source(name, Smoother(smoothing)) for name in names]

    @property
    def fps(self) -> float:
        """Answers a second, of all sources together."""
        return sum(source.rate for source in self._sources)

    def answer(self, outcome: Outcome) -> Row:
        """Tell everybody of one frame's answer. Returns its row. Raises OutputError where the log cannot be written."""
        source = self._sources[outcome.frame.source]
        source.trouble = ""
        smoothed, result = None, outcome.result
        if isinstance(result, Failure):
            source.smoother.forget()
        else:
            smoothed = source.smoother.update(result)
            outcome = replace(outcome, result=smoothed.mean)
        row = self._builder.row(outcome, present_time())
        row = _as_held(row, smoothed) if smoothed else row
        self.summary.add(row)
        self.age_ms = row.age_ms
        source.count()
        changed = self._tell(source, row, every_frame=self.listeners.every_frame)
        self._look(source, outcome.frame, row, smoothed, changed)
        return row

    def look_after(self, troubles: Mapping[int, str]) -> None:
        """Between answers: programs that take too long, and sources that give no image, by number, with the reason."""
        self.listeners.hooks.look_after()
        for number, trouble in troubles.items():
            if not self._sources[number].trouble:
                self._lose(self._sources[number], trouble)

    def _lose(self, source: "_Source", trouble: str) -> None:
        source.trouble = trouble
        source.smoother.forget()
        row = Row(
            source.name, "error", error=Reason.LOST.value, detail=trouble, model=self._builder.model, time=present_time()
        )
        self._tell(source, row, every_frame=False)
        if source.shown:
            lost = replace(source.shown, label="", confidence=0.0, scores=(), changed=True, trouble=trouble)
            self.listeners.screens.show(lost)

    def _tell(self, source: "_Source", row: Row, *, every_frame: bool) -> bool:
        state = (row.status, row.label, row.error)
        changed = state != source.state
        source.state = state
        if changed or every_frame:
            self.listeners.log.write(row)
        self.listeners.hooks.tell(source.name, row)
        return changed

    def _look(self, source: "_Source", frame: Frame, row: Row, smoothed: SmoothedPrediction | None, changed: bool) -> None:
        """For those who want the image, too."""
        wanted = self.listeners.unsure if row.status == UNSURE and smoothed else None
        if not (wanted or self.listeners.screens) or (smoothed is None and not isinstance(frame.image, np.ndarray)):
            return  # a file that could not be read has nothing to show
        image = _pixels(frame)
        if image is None:
            return
        if wanted and smoothed:
            wanted.keep(source.name, image, smoothed.label, row.time)
        scores = tuple(smoothed.mean.top(BARS)) if smoothed else ()
        label = row.label or (UNSURE if smoothed else "")
        rate, trouble = source.rate, row.detail
        source.shown = Snapshot(
            source.name, image, label, row.confidence or 0.0, scores, changed, rate, row.age_ms, row.time, trouble
        )
        self.listeners.screens.show(source.shown)


@dataclass
class _Source:
    """state: of its last row. shown: its last snapshot. answered: when its last answers came."""

    name: str
    smoother: Smoother
    state: tuple[str, ...] = ()
    trouble: str = ""
    shown: Snapshot | None = None
    answered: deque[float] = field(default_factory=lambda: deque(maxlen=_RATE_ANSWERS))

    def count(self) -> None:
        self.answered.append(monotonic())

    @property
    def rate(self) -> float:
        """Answers a second."""
        if len(self.answered) < 2 or monotonic() - self.answered[-1] > _RATE_FORGOTTEN_S:
            return 0.0
        return (len(self.answered) - 1) / max(self.answered[-1] - self.answered[0], 1e-9)


def _as_held(row: Row, smoothed: SmoothedPrediction) -> Row:
    """The row of a mean, with the label that is held."""
    confidence = round(smoothed.confidence, 6)
    if not smoothed.sure:
        return replace(row, status=UNSURE, label="", confidence=confidence)
    return replace(row, status="ok", label=smoothed.label, confidence=confidence)


def _pixels(frame: Frame) -> Pixels | None:
    """uint8 `[h, w, 3]` RGB, or None for what cannot be read; its row has said so."""
    image = frame.image
    try:
        if not isinstance(image, np.ndarray):
            data = read_bytes(image)
            return decode(data, read_header(data), 3)
    except ImageError:
        return None
    pixels = image.reshape(*image.shape[:2], -1)
    return pixels if pixels.shape[2] == 3 else np.repeat(pixels, 3, axis=2)
