"""What happens to each answer of a live run: it is smoothed, logged, passed to hooks, saved if unsure, and shown."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.drawing.answer_panel import MAX_SCORES
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
from edgeclf.runtime.live.viewers.open_viewers import OpenViewers
from edgeclf.runtime.live.viewers.snapshot import Snapshot
from edgeclf.runtime.model.prediction import Failure, Outcome, Prediction
from edgeclf.runtime.results.row import UNKNOWN, UNSURE, Row, RowBuilder, current_time

_FPS_ANSWERS = 30
_FPS_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class SessionOutputs:
    """Where answers go. log_every_frame: the log gets a row for every frame, not only for changes."""

    log: Log
    hooks: Hooks
    viewers: OpenViewers
    unsure: UnsureFolder | None = None
    log_every_frame: bool = False


class Session:
    """names: of the sources, in the order of `Frame.source`.

    A lost camera is logged as one row with the error `lost`. It is not a frame, so the summary does not count it.
    age_ms: of the last answer; None for a video.
    """

    def __init__(
        self, names: Sequence[str], builder: RowBuilder, smoothing: SmoothingOptions, outputs: SessionOutputs
    ) -> None:
        self.summary = LiveSummary()
        self.age_ms: float | None = None
        self._builder = builder
        self._outputs = outputs
        self._sources = [_Source(name, Smoother(smoothing)) for name in names]

    @property
    def fps(self) -> float:
        """Answers a second, of all sources together."""
        return sum(source.fps for source in self._sources)

    def process(self, outcome: Outcome) -> Row:
        """Process one frame's outcome and return its row. Raises OutputError if the log cannot be written."""
        source = self._sources[outcome.frame.source]
        source.trouble = ""
        row, smoothed = self._smooth(source, outcome)
        self.summary.add(row)
        self.age_ms = row.age_ms
        source.count_answer()
        changed = self._publish(source, row, log_always=self._outputs.log_every_frame)
        answer = _Answer(row, smoothed, changed, _heat(outcome, smoothed))
        image = _pixels(outcome.frame) if self._needs_image(outcome.frame, answer) else None
        if image is not None:
            self._save_if_unsure(source, image, answer)
            self._show(source, image, answer)
        return row

    def update_troubles(self, troubles: Mapping[int, str]) -> None:
        """Call this regularly, also without answers. troubles: why a source gives no good frames now, by its number."""
        self._outputs.hooks.reap()
        for number, trouble in troubles.items():
            if not self._sources[number].trouble:
                self._mark_lost(self._sources[number], trouble)

    def _smooth(self, source: "_Source", outcome: Outcome) -> tuple[Row, SmoothedPrediction | None]:
        if isinstance(outcome.result, Failure):
            source.smoother.reset()
            return self._builder.row(outcome, current_time()), None
        smoothed = source.smoother.update(outcome.result)
        row = self._builder.row(replace(outcome, result=smoothed.mean), current_time())
        return _with_smoothed_label(row, smoothed), smoothed

    def _mark_lost(self, source: "_Source", trouble: str) -> None:
        source.trouble = trouble
        source.smoother.reset()
        row = Row(
            source.name, "error", error=Reason.LOST.value, detail=trouble, model=self._builder.model, time=current_time()
        )
        self._publish(source, row, log_always=False)
        if source.last_shown:
            lost = replace(source.last_shown, label="", confidence=0.0, scores=(), changed=True, trouble=trouble)
            self._outputs.viewers.show(lost)

    def _publish(self, source: "_Source", row: Row, *, log_always: bool) -> bool:
        """Log a row and pass it to the hooks. Returns whether it differs from the source's last one."""
        state = (row.status, row.label, row.error)
        changed = state != source.state
        source.state = state
        if changed or log_always:
            self._outputs.log.write(row)
        self._outputs.hooks.update(source.name, row)
        return changed

    def _needs_image(self, frame: Frame, answer: "_Answer") -> bool:
        if answer.smoothed is None and not isinstance(frame.image, np.ndarray):
            return False  # a file that could not be read is not read again
        return bool(self._outputs.viewers) or (self._outputs.unsure is not None and answer.row.status == UNSURE)

    def _save_if_unsure(self, source: "_Source", image: Pixels, answer: "_Answer") -> None:
        if self._outputs.unsure and answer.smoothed and answer.row.status == UNSURE:
            self._outputs.unsure.save(source.name, image, answer.smoothed.label, answer.row.time)

    def _show(self, source: "_Source", image: Pixels, answer: "_Answer") -> None:
        row, smoothed = answer.row, answer.smoothed
        source.last_shown = Snapshot(
            source=source.name,
            image=image,
            label=row.label or (row.status if smoothed else ""),
            confidence=row.confidence or 0.0,
            scores=tuple(smoothed.mean.top(MAX_SCORES)) if smoothed else (),
            changed=answer.changed,
            fps=source.fps,
            age_ms=row.age_ms,
            time=row.time,
            trouble=row.detail,
            heat=answer.heat,
        )
        self._outputs.viewers.show(source.last_shown)


@dataclass(frozen=True)
class _Answer:
    """smoothed: None for an image that could not be classified. changed: whether the row differs from the source's last.

    heat: as in Snapshot.
    """

    row: Row
    smoothed: SmoothedPrediction | None
    changed: bool
    heat: NDArray[np.float32] | None = None


@dataclass
class _Source:
    """state: status, label and error of its last row. answered: when its last answers came."""

    name: str
    smoother: Smoother
    state: tuple[str, ...] = ()
    trouble: str = ""
    last_shown: Snapshot | None = None
    answered: deque[float] = field(default_factory=lambda: deque(maxlen=_FPS_ANSWERS))

    def count_answer(self) -> None:
        self.answered.append(monotonic())

    @property
    def fps(self) -> float:
        """Answers a second."""
        if len(self.answered) < 2 or monotonic() - self.answered[-1] > _FPS_TIMEOUT_S:
            return 0.0
        return (len(self.answered) - 1) / max(self.answered[-1] - self.answered[0], 1e-9)


def _with_smoothed_label(row: Row, smoothed: SmoothedPrediction) -> Row:
    confidence = round(smoothed.confidence, 6)
    if smoothed.unknown:
        return replace(row, status=UNKNOWN, label="", guess=smoothed.label, confidence=confidence)
    if not smoothed.sure:
        return replace(row, status=UNSURE, label="", guess=smoothed.label, confidence=confidence)
    return replace(row, status="ok", label=smoothed.label, guess="", confidence=confidence)


def _heat(outcome: Outcome, smoothed: SmoothedPrediction | None) -> NDArray[np.float32] | None:
    """Where the model looked in this frame, for the label that is shown."""
    return outcome.result.heat(smoothed.label) if smoothed and isinstance(outcome.result, Prediction) else None


def _pixels(frame: Frame) -> Pixels | None:
    """uint8 `[h, w, 3]` RGB; None for an image that cannot be read, whose row has the reason."""
    image = frame.image
    try:
        if not isinstance(image, np.ndarray):
            data = read_bytes(image)
            return decode(data, read_header(data), 3)
    except ImageError:
        return None
    pixels = image.reshape(*image.shape[:2], -1)
    return pixels if pixels.shape[2] == 3 else np.repeat(pixels, 3, axis=2)
