"""The row that every input becomes, in every output format: version 3 of the schema."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any, Final, Literal

from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.images.photo import NO_PHOTO, Photo
from edgeclf.runtime.model.prediction import Failure, Outcome, Prediction

SCHEMA_VERSION = 3
Status = Literal["ok", "unsure", "unknown", "error"]
UNSURE: Final = "unsure"
"""The status of an answer whose confidence is below the threshold; shown in place of a label."""
UNKNOWN: Final = "unknown"
"""The status of an image that is unlike all that the model has learned; shown in place of a label."""
NO_LABEL = (UNSURE, UNKNOWN)
"""Statuses of an answer without a label, but with a guess."""
_DECIMALS = 6
_INT64 = range(-(1 << 63), 1 << 63)
_CHECKSUMS = range(1 << 32)
"""In a zip, 32 bits of checksum stand for the time. As times, they would all be in the first four seconds of 1970."""
_EPOCH = datetime(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Row:
    """path: the source as it was named, and the place in it. status: `ok`, `unsure`, `unknown` (see RowBuilder) or
    `error`.

    label, confidence: the most probable class and its probability, 0 to 1; an unsure or unknown row has no label, but a
    guess. novelty: as in Prediction, rounded. embedding: that of the prediction, little-endian float32 `[D]`, if it was
    asked for. similarity: of the image to that of `--like`: the cosine of their embeddings, at most 1.
    top: the most probable classes with their probabilities, best first. error, detail: the reason from the closed list,
    and more about it. width, height: of the stored image in pixels, if its header could be read. photo: what it says about
    itself, if that was asked for. sorted_to: where `--sort` put the image. model: the first 16 hexadecimal digits of the
    model file's sha256. time: when it was classified, ISO 8601 in UTC. position_s: seconds from the beginning of the video.
    age_ms: from the frame's delivery by the camera to the answer. size_bytes, mtime_ns: of the file (for a frame, the video)
    when it was listed; its last change in nanoseconds since 1970. An image in an archive has its own size and time; in a
    zip, its checksum stands for the time. Both are None if nothing is known about the file, and for a camera.
    """

    path: str
    status: Status
    label: str = ""
    confidence: float | None = None
    top: dict[str, float] = field(default_factory=dict)
    guess: str = ""
    novelty: float | None = None
    error: str = ""
    detail: str = ""
    width: int | None = None
    height: int | None = None
    photo: Photo = NO_PHOTO
    sorted_to: str = ""
    model: str = ""
    time: str = ""
    position_s: float | None = None
    age_ms: float | None = None
    size_bytes: int | None = None
    mtime_ns: int | None = None
    embedding: bytes = b""
    similarity: float | None = None

    @property
    def modified(self) -> str | None:
        """`mtime_ns` in the format of `time`; None for a checksum."""
        if self.mtime_ns is None or self.mtime_ns in _CHECKSUMS:
            return None
        return _iso(_EPOCH + timedelta(0, 0, self.mtime_ns // 1_000))


def current_time() -> str:
    """The time in the format of `Row.time`."""
    return _iso(datetime.now(UTC).replace(tzinfo=None))


def _iso(time: datetime) -> str:
    """time: in UTC."""
    return time.isoformat("T", "milliseconds") + "Z"


def known_or_none(value: int) -> int | None:
    """Convert a frame's size or time for a row: None for -1, and for what 64 bits cannot hold.

    The latter is a time after the year 2262, or the nonsense size of a damaged archive.

    >>> known_or_none(60_000), known_or_none(-1), known_or_none(1 << 63)
    (60000, None, None)
    """
    return value if value != -1 and value in _INT64 else None


@dataclass(frozen=True, slots=True)
class RowBuilder:
    """Makes rows from outcomes.

    topk: classes in `top`. threshold: a row with a lower confidence is `unsure`. model: as in Row. highest_novelty: a row
    with a higher one is `unknown`; infinity for none.
    """

    topk: int = 1
    threshold: float = 0.0
    model: str = ""
    highest_novelty: float = 1.0

    def rows(self, outcomes: Sequence[Outcome]) -> list[Row]:
        """One row per outcome, all with the current time."""
        now = current_time()
        return [self.row(outcome, now) for outcome in outcomes]

    def row(self, outcome: Outcome, time: str) -> Row:
        """The row of one outcome; time as in Row."""
        frame = outcome.frame
        height, width = outcome.size_hw or (None, None)
        return Row(
            path=outcome.name,
            width=width,
            height=height,
            photo=outcome.photo,
            model=self.model,
            time=time,
            position_s=frame.position_s,
            age_ms=_age_ms(frame),
            size_bytes=known_or_none(frame.size_bytes),
            mtime_ns=known_or_none(frame.mtime_ns),
            **self._answer(outcome.result),
        )

    def _answer(self, result: Prediction | Failure) -> dict[str, Any]:
        """The columns for the prediction or for the failure."""
        if isinstance(result, Failure):
            return {"status": "error", "error": result.reason.value, "detail": result.detail}
        status = self.status(result)
        has_label = status not in NO_LABEL
        return {
            "status": status,
            "label": result.label if has_label else "",
            "guess": "" if has_label else result.label,
            "novelty": None if result.novelty is None else round(result.novelty, _DECIMALS),
            "confidence": round(result.confidence, _DECIMALS),
            "top": {label: round(score, _DECIMALS) for label, score in result.top(self.topk)},
            "embedding": b"" if result.embedding is None else result.embedding.astype("<f4").tobytes(),
        }

    def status(self, answer: Prediction) -> Status:
        """Whether the answer counts."""
        if answer.novelty is not None and answer.novelty > self.highest_novelty:
            return UNKNOWN
        return "ok" if answer.confidence >= self.threshold else UNSURE


def _age_ms(frame: Frame) -> float | None:
    return None if frame.captured_at is None else round((monotonic() - frame.captured_at) * 1000, 1)
