"""What becomes of each answer of a live run: it is steadied, logged, told to programs, kept when unsure, and shown."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic

import numpy as np

from edgeclf.runtime.errors import PictureError, Reason
from edgeclf.runtime.frames.decode import Pixels, decode
from edgeclf.runtime.frames.frame import Frame
from edgeclf.runtime.frames.header import read_header
from edgeclf.runtime.frames.preprocess import contents
from edgeclf.runtime.live.hooks import Hooks
from edgeclf.runtime.live.log import Log
from edgeclf.runtime.live.screens import Screens
from edgeclf.runtime.live.snapshot import BARS, Snapshot
from edgeclf.runtime.live.steady import Steadied, Steady, Steadying
from edgeclf.runtime.live.summary import LiveSummary
from edgeclf.runtime.live.unsure import UnsureFolder
from edgeclf.runtime.model.prediction import Failure, Outcome
from edgeclf.runtime.results.row import UNSURE, Answering, Row, present_time

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
    """names: of the sources, as `Frame.source` counts them. model: as in Row.

    A camera that is lost is one row with the error `lost`; it is no frame, and so the summary does not count it.
    """

    def __init__(
        self, names: Sequence[str], answering: Answering, steadying: Steadying, model: str, listeners: Listeners
    ) -> None:
        self.summary = LiveSummary()
        self._answering = answering
        self._model = model
        self.listeners = listeners
        self.age_ms: float | None = None
        """Of the last answer."""
        self._sources = [_Source(name, Steady(steadying)) for name in names]

    @property
    def fps(self) -> float:
        """Answers a second, of all sources together."""
        return sum(source.rate for source in self._sources)

    def answer(self, outcome: Outcome) -> Row:
        """Tell everybody of one frame's answer. Returns its row. Raises OutputError where the log cannot be written."""
        source = self._sources[outcome.frame.source]
        source.trouble = ""
        steadied, result = None, outcome.result
        if isinstance(result, Failure):
            source.steady.forget()
        else:
            steadied = source.steady.update(result)
            outcome = replace(outcome, result=steadied.mean)
        row = self._answering.row(outcome, self._model, present_time())
        row = _as_held(row, steadied) if steadied else row
        self.summary.add(row)
        self.age_ms = row.age_ms
        source.count()
        changed = self._tell(source, row, every_frame=self.listeners.every_frame)
        self._look(source, outcome.frame, row, steadied, changed)
        return row

    def look_after(self, troubles: Mapping[int, str]) -> None:
        """Between answers: programs that take too long, and sources that give no picture, by number, with the reason."""
        self.listeners.hooks.look_after()
        for number, trouble in troubles.items():
            if not self._sources[number].trouble:
                self._lose(self._sources[number], trouble)

    def _lose(self, source: "_Source", trouble: str) -> None:
        source.trouble = trouble
        source.steady.forget()
        row = Row(source.name, "error", error=Reason.LOST.value, detail=trouble, model=self._model, time=present_time())
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

    def _look(self, source: "_Source", frame: Frame, row: Row, steadied: Steadied | None, changed: bool) -> None:
        """For those who want the picture, too."""
        wanted = self.listeners.unsure if row.status == UNSURE and steadied else None
        if not (wanted or self.listeners.screens) or (steadied is None and not isinstance(frame.picture, np.ndarray)):
            return  # a file that could not be read has nothing to show
        picture = _pixels(frame)
        if picture is None:
            return
        if wanted and steadied:
            wanted.keep(source.name, picture, steadied.label, row.time)
        scores = tuple(steadied.mean.top(BARS)) if steadied else ()
        label = row.label or (UNSURE if steadied else "")
        rate, trouble = source.rate, row.detail
        source.shown = Snapshot(
            source.name, picture, label, row.confidence or 0.0, scores, changed, rate, row.age_ms, row.time, trouble
        )
        self.listeners.screens.show(source.shown)


@dataclass
class _Source:
    """state: of its last row. shown: its last snapshot. answered: when its last answers came."""

    name: str
    steady: Steady
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


def _as_held(row: Row, steadied: Steadied) -> Row:
    """The row of a mean, with the label that is held."""
    confidence = round(steadied.confidence, 6)
    if not steadied.sure:
        return replace(row, status=UNSURE, label="", confidence=confidence)
    return replace(row, status="ok", label=steadied.label, confidence=confidence)


def _pixels(frame: Frame) -> Pixels | None:
    """uint8 `[h, w, 3]` RGB, or None for what cannot be read; its row has said so."""
    picture = frame.picture
    try:
        if not isinstance(picture, np.ndarray):
            data = contents(picture)
            return decode(data, read_header(data), 3)
    except PictureError:
        return None
    pixels = picture.reshape(*picture.shape[:2], -1)
    return pixels if pixels.shape[2] == 3 else np.repeat(pixels, 3, axis=2)
